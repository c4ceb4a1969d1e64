--- The method of iCalendar text. Its media type has it as the parameter method, and the text has it
-- as the property METHOD of each calendar. Both have it, and it is the same, or neither has it
-- (RFC 5545 3.7.2).
-- @module smtp.compose.calendar

local ascii = require "smtp.ground.ascii"
local core = require "smtp.core"
local runtime = require "smtp.runtime.runtime"

local calendar = {}

local BOM = "^\239\187\191"

-- A fold between two bytes of one character, which UTF-8 does not allow, but RFC 5545 3.1 does.
local FOLD_IN_CHARACTER = "([\194-\244][\128-\191]*)([\r\n]+[ \t])([\128-\191]+)"

local METHOD_MAX = 60 -- bytes

-- The property that begins at `at`. -> its name, in upper case, and its value, without the folds
-- and the parameters (RFC 5545 3.1); nil where this is not a property that has a value; the
-- position of its last line end
local function property(text, at)
   local stop = text:find("[\r\n][^ \t\r\n]", at) or #text
   local line = text:sub(at, stop):gsub("[\r\n]+[ \t]?", "")
   local name, rest = line:match("^([A-Za-z]+)([:;].*)$")
   local value = rest and rest:gsub('"[^"]*"', ""):match("^[^:]*:(.*)$")
   if not value then return nil, nil, stop end
   local first = value:find("[^ \t]")
   return ascii.upper(name), first and value:match("^.*[^ \t]", first) or "", stop
end

-- The calendars of a text: { at = where the line after BEGIN:VCALENDAR begins, has_method = does it
-- have METHOD }, …; nil where the text is not iCalendar. The values of METHOD, in upper case.
local function calendars_of(text)
   local list, methods, depth, at, began = {}, {}, 0, 1, core.now()
   while at do
      local name, value, stop = property(text, at)
      if name == "BEGIN" then
         if depth == 0 and ascii.upper(value) ~= "VCALENDAR" then return nil end
         if depth == 0 then list[#list + 1] = { at = stop + 1 } end
         depth = depth + 1
      elseif not list[1] then
         return nil
      elseif name == "END" then
         depth = math.max(depth - 1, 0)
      elseif name == "METHOD" and depth == 1 then
         methods[#methods + 1] = ascii.upper(value:sub(1, METHOD_MAX + 1))
         list[#list].has_method = true
      end
      at = text:find("[\r\n][BbEeMm]", stop)
      at, began = at and at + 1, runtime.breathe(began)
   end
   return list, methods
end

local SAME = "They have to be the same (RFC 5545 3.7.2): remove one of them, or send each calendar "
   .. "in a message of its own"
local NAME_IT = 'Write method = "%s", or send each calendar in a message of its own'

local function is_method(method)
   return #method <= METHOD_MAX and method:find("^[A-Z0-9-]+$")
end

-- The method that all calendars have to have; nil: none. Or false, what is wrong, and a hint.
local function common_method(list, methods, stated)
   local method = stated or methods[1]
   if not method then return nil end
   for i = 1, #methods do
      if not is_method(methods[i]) then
         return false, ("its text has METHOD with the value %q, which is not a method"):format(
            methods[i]), "Correct that line of the text, as in METHOD:REQUEST, or remove it"
      end
      if methods[i] ~= method then
         local form = stated and "its method is %s, but its text says METHOD:%s"
            or "its text says both METHOD:%s and METHOD:%s"
         return false, form:format(method, methods[i]), SAME
      end
   end
   for i = 1, #list do
      if not stated and not list[i].has_method then
         return false, ("one of its calendars says METHOD:%s, and another has no METHOD"):format(
            method), NAME_IT:format(method)
      end
   end
   if is_method(method) then return method end
   return false, ("%q is not a valid method"):format(method), 'Write method = "REQUEST"'
end

-- The text with METHOD in each calendar.
local function with_method(text, list, method, line_end)
   local pieces, from = {}, 1
   for i = 1, #list do
      if not list[i].has_method then
         pieces[#pieces + 1] = text:sub(from, list[i].at - 1) .. "METHOD:" .. method .. line_end
         from = list[i].at
      end
   end
   return table.concat(pieces) .. text:sub(from)
end

--- Read iCalendar text, and see that its media type has the same method.
---@param text string            with line ends of any kind
---@param stated string|nil      the method that the caller stated
---@return string|nil            the text from its first line on, with METHOD where the caller
--   stated a method and the text does not; nil where it is not iCalendar text, or contradicts
---@return string|nil            the method for the media type, in upper case; or what is wrong
---@return string|nil hint
function calendar.read(text, stated)
   text = text:gsub(BOM, ""):gsub("^[ \t\r\n]+", "")
   if not core.is_utf8(text) then text = text:gsub(FOLD_IN_CHARACTER, "%2%1%3") end
   local line_end = text:match("\r\n") or text:match("[\r\n]")
   local list, methods
   if line_end then list, methods = calendars_of(text) end
   if not list then
      return nil, "it is not iCalendar text",
         "Give the whole text, from BEGIN:VCALENDAR to END:VCALENDAR"
   end
   local method, what, hint = common_method(list, methods, stated and ascii.upper(stated))
   if method == false then return nil, what, hint end
   return method and with_method(text, list, method, line_end) or text, method
end

return calendar
