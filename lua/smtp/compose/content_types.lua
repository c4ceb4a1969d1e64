--- The media type of an attachment, with its parameters.
-- @module smtp.compose.content_types

local ascii = require "smtp.ground.ascii"
local calendar = require "smtp.compose.calendar"
local check = require "smtp.options.check"
local core = require "smtp.core"
local media_types = require "smtp.compose.media_types"
local refuse = require("smtp.errors").refuse
local source = require "smtp.compose.source"

local content_types = {}

local TOKEN = "[A-Za-z0-9!#$%%&'*+.^_`{|}~-]+"

local PARAMETER = "^[ \t]*;[ \t]*(" .. TOKEN .. "="
local PARAMETERS = { PARAMETER .. TOKEN .. ")(.*)$",
   PARAMETER .. '"[^"\\%z\1-\31\127-\255]*")(.*)$' }

-- "type/subtype; name=value; …" (RFC 2045 5.1) -> { "type/subtype", "name=value", …, has = { name =
-- true } }
local function check_type(text, option)
   local form = 'Write content_type = "application/pdf"'
   if type(text) ~= "string" or #text > 500 then
      check.refuse_value(option, "a media type", text, form)
   end
   local main, rest = text:match("^(" .. TOKEN .. "/" .. TOKEN .. ")(.*)$")
   if not main then refuse(option, option .. " is not a valid media type", form) end
   local list = { main, has = {} }
   while rest:find("[^ \t;]") do
      local one, left = rest:match(PARAMETERS[1])
      if not one then one, left = rest:match(PARAMETERS[2]) end
      if not one then
         refuse(option, option .. " has malformed parameters",
            'Write "text/csv; charset=utf-8", and the name of the file as filename')
      end
      list[#list + 1], rest = one, left
      list.has[ascii.lower(one:match("^[^*=]*"))] = true
   end
   if ascii.lower(main):find("^multipart/") then
      refuse(option, option .. " is multipart, but an attachment is one part",
         "Give each part as an attachment of its own")
   end
   return list
end

-- Are the bytes UTF-8 without NUL? It is not known where they can be read only once.
local function is_text(body)
   if type(body) == "string" then return not source.scan(body).fault end
   local scanner = core.scanner()
   return body.again == true
      and not source.drain(body.open(), function(piece) scanner:feed(piece) end)
      and not scanner:finish().fault
end

local CALENDAR_MAX = 1048576 -- bytes of a file that are read

local function stated_method(list)
   for i = 2, #list do
      local method = ascii.lower(list[i]):match('^method="?([^"]*)')
      if method then return method end
   end
end

-- Where a calendar's type alone has the method, its text gets METHOD; where the text alone has it,
-- the type gets it. -> the body
local function with_method(list, body, option)
   local is_small = type(body) == "string" or (body.size or 0) <= CALENDAR_MAX
   local text = is_small and source.read_whole(body)
   if not text then return body end
   local stated = stated_method(list)
   local mended, method, hint = calendar.read(text, stated)
   if stated and not mended then
      refuse(option, ("%s does not fit the content: %s"):format(option, method), hint)
   end
   if stated then return #mended > #text and mended or body end
   if mended and method then list[#list + 1] = "method=" .. method end
   return body
end

--- The type of an attachment. Raises a UsageError.
---@param value any                   the option content_type; nil: by the name
---@param name string|nil             the name of the file
---@param body string|smtp.Source
---@param option string               what errors call the option
---@return table list                 { "type/subtype", "name=value", …, has = { name = true } }
---@return string|smtp.Source body    a calendar may have become another one
function content_types.read(value, name, body, option)
   local list = value ~= nil and check_type(value, option)
      or { media_types.of_name(name), has = {} }
   local kind = ascii.lower(list[1])
   if kind == "text/calendar" then body = with_method(list, body, option) end
   if not list.has.charset and kind:find("^text/") and is_text(body) then
      list[#list + 1] = "charset=utf-8"
   end
   return list, body
end

return content_types
