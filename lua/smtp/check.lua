--- Checks that options share. Each returns true, or nil and a UsageError that names the option.
-- @module smtp.check

local errors = require "smtp.errors"

local check = {}

local usage = errors.usage

--- One of these words, or nothing.
function check.is_word(t, name, words)
   if t[name] == nil then return true end
   for i = 1, #words do
      if t[name] == words[i] then return true end
   end
   return nil, usage(name, ("%s = %s is not one of its words"):format(name, tostring(t[name])),
      ("Write \"%s\""):format(table.concat(words, "\", \"")), t[name])
end

--- Of this type, or nothing.
function check.is_type(t, name, wanted)
   local found = type(t[name])
   if t[name] == nil or found == wanted then return true end
   return nil, usage(name, ("%s must be a %s, and is a %s"):format(name, wanted, found))
end

--- A string without line breaks and NUL, or nothing.
function check.is_line(t, name)
   local ok, err = check.is_type(t, name, "string")
   if not ok then return nil, err end
   if t[name] and t[name]:find("[%z\r\n]") then
      return nil, usage(name, name .. " holds a line break or a NUL", "Remove it")
   end
   return true
end

--- The same check for several options.
function check.each(one, t, names, ...)
   for i = 1, #names do
      local ok, err = one(t, names[i], ...)
      if not ok then return nil, err end
   end
   return true
end

--- Several checks of one table, in order.
function check.all(checks, t)
   for i = 1, #checks do
      local ok, err = checks[i](t)
      if not ok then return nil, err end
   end
   return true
end

return check
