--- What URLs in options have in common: escapes, and user:password@host:port. Errors never show the
-- URL, because it may contain a password.
-- @module smtp.options.url_parts

local host_name = require "smtp.options.host_name"
local refuse = require("smtp.errors").refuse

local url_parts = {}

--- %2F becomes a slash.
---@param text string
---@return string
function url_parts.decode(text)
   return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

--- Each % begins an escape, and what the escapes say fits into a line.
---@param option string
---@param text string   its value
function url_parts.check_escapes(option, text)
   if text:gsub("%%[0-9A-Fa-f][0-9A-Fa-f]", ""):find("%", 1, true) then
      refuse(option, option .. " contains a % without two hexadecimal digits after it",
         "Write %25 for %")
   end
   if url_parts.decode(text):find("[%z\r\n]") then
      refuse(option, option .. " contains a line break or a NUL", "Remove it")
   end
end

-- mail.example.org:587, [::1]:25 -> host, port ("" for none)
local function split_place(text)
   local host, port = text:match("^%[(.+)%]:?(%d*)$")
   if host and text:find("%]%d") then return nil end
   if not host then host, port = text:match("^([^:]+):?(%d*)$") end
   return host, port
end

local function read_place(form, text)
   local option = form.option
   local host, port = split_place(text)
   if not host and text:find("^[^:%[%]]+:[^:]+$") then
      refuse(option, option .. " has a port that is not a number", form.port_hint)
   end
   if not host then refuse(option, option .. " does not name a host", form.hint) end
   local number = tonumber(port)
   if number and (number < 1 or number > 65535) then
      refuse(option, ("the port %s in %s is not a number from 1 to 65535"):format(port, option),
         form.ports_hint)
   end
   return host_name.read(option, url_parts.decode(host)), number
end

--- Read ann:secret@mail.example.org:587. Raises a UsageError.
---@param form table    option = its name; hint, port_hint, ports_hint = how it is written
---@param text string   its escapes checked
---@return table        host, port, username, password: "" where nothing follows the colon
function url_parts.authority(form, text)
   local login, where = text:match("^(.*)@([^@]*)$")
   local parts = {}
   parts.host, parts.port = read_place(form, where or text)
   if not login then return parts end
   local user, password = login:match("^([^:]*):?(.*)$")
   parts.username = url_parts.decode(user)
   if login:find(":", 1, true) then parts.password = url_parts.decode(password) end
   return parts
end

return url_parts
