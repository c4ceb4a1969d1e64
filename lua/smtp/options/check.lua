--- Checks of options: names, and values of the kinds that several options share. A check raises a
-- UsageError that names the option.
-- @module smtp.options.check

local ascii = require "smtp.ground.ascii"
local core = require "smtp.core"
local names = require "smtp.options.names"
local refuse = require("smtp.errors").refuse
local system = require "smtp.ground.resources"
local user_call = require "smtp.options.user_call"

local unknown = system.late "smtp.options.unknown"
local words = system.late "smtp.options.words"

local check = {}

-- ---- names ----

local sets = setmetatable({}, { __mode = "k" })

-- Made once for each list.
local function set_of(list)
   local set = sets[list]
   if set then return set end
   set = {}
   for i = 1, #list do set[list[i]] = true end
   sets[list] = set
   return set
end

--- A table has no other keys than these names.
---@param t table
---@param list string[]
---@param where? string           what the table is, if not the options: "attachments[1]"
---@param other? smtp.OptionSet   options that another call takes
---@param section? string         of smtp.options.foreign_fields; "options" if there is no `where`
function check.names(t, list, where, other, section)
   local known = set_of(list)
   for key in next, t do
      if not known[key] then unknown.refuse(key, list, where, other, section) end
   end
end

-- ---- values ----

check.type_name = user_call.type_name

--- Raise the UsageError of a value of a wrong type or form.
---@param option string     its name
---@param expected string   "a string"
---@param value any
---@param hint string       what to write
function check.refuse_value(option, expected, value, hint)
   local is_secret = check.is_secret(option)
   refuse(option, ("%s: expected %s, got %s"):format(option, expected,
      is_secret and user_call.type_name(value) or user_call.shown(value)), hint,
      not is_secret and value or nil)
end

local secrets = { password = true, token = true, key = true, url = true, users = true,
   tokens = true, proxy = true, dkim = true, auth = true }

--- Can the value of this option contain a secret? Then no error shows it.
function check.is_secret(option)
   return secrets[option:gsub("%[%d+%]$", ""):match("[^.]*$")] == true
end

--- Is it a URL? It may contain a password.
---@param value any
---@return boolean
function check.is_url(value)
   return type(value) == "string" and value:find "^[A-Za-z][A-Za-z0-9+.-]*://" ~= nil
end

--- A path is the one of a file, or of a file that does not exist yet.
---@param option string   its name
---@param path string
---@param hint string
function check.is_file(option, path, hint)
   local kind = core.file(path) or "file"
   if kind == "file" then return end
   refuse(option, ("%s: %s is %s, not a file"):format(option, path,
      kind == "directory" and "a directory" or "a device, a pipe or a socket"), hint)
end

--- A list has the keys 1, 2, 3 and so on: the entries after a hole would be left out in silence.
---@param list table
---@param option string   its name
---@param hint? string    how it is written
---@return integer        how many entries it has
function check.is_list(list, option, hint)
   local len, count = core.list_len(list), 0
   if len then return len end
   for key in next, list do
      if type(key) ~= "number" or key < 1 or key % 1 ~= 0 then
         refuse(option, ("%s is a list, but it contains the key %s"):format(option,
            type(key) == "string" and ("%q"):format(key) or user_call.text(key)),
            hint or 'Write { "…", "…" }')
      end
      count = count + 1
   end
   for i = 1, count do
      if rawget(list, i) == nil then
         refuse(option, ("%s is a list with a hole: it has no entry %d, but further entries after "
            .. "it"):format(option, i), "Leave nil out of a list")
      end
   end
end

--- A value is nil or one of these words.
---@param name string      of the option
---@param value any
---@param allowed string[]
---@param key? string      the option's key in smtp.options.words, if that is not its name
function check.is_word(name, value, allowed, key)
   if value == nil then return end
   for i = 1, #allowed do
      if value == allowed[i] then return end
   end
   local expected, got, hint = words.explain(name, value, allowed, key or name)
   refuse(name, ("%s: expected %s, got %s"):format(name, expected, got), hint,
      words.private[key or name] == nil and value or nil)
end

local type_names = { string = "a string", boolean = "true or false", table = "a table",
   ["function"] = "a function", number = "a number" }
local examples = { string = '"…"', boolean = "true", table = "{ … }",
   ["function"] = "function(…) … end", number = "1" }

local booleans = { ["true"] = "true", yes = "true", on = "true", ["1"] = "true",
   ["false"] = "false", no = "false", off = "false", ["0"] = "false" }

-- What a value of another type was probably meant to be.
local function converted(value, expected)
   if expected == "boolean" and (type(value) == "string" or type(value) == "number") then
      return booleans[ascii.lower(tostring(value))]
   elseif expected == "string" and type(value) == "number" then
      return ('"%.14g"'):format(value)
   end
end

--- A value is nil or has this type.
---@param name string   of the option
---@param value any
---@param expected string
---@param hint? string  what to write
function check.is_type(name, value, expected, hint)
   if value == nil or type(value) == expected then return end
   local meant = not check.is_secret(name) and converted(value, expected) or examples[expected]
   check.refuse_value(name, type_names[expected], value,
      hint or ("Write %s = %s"):format(name, meant))
end

-- ---- copies ----

--- A copy without its metatable.
function check.copy(t)
   local result = {}
   for key, value in next, t do result[key] = value end
   return result
end

local DEPTH = 5 -- envelope.to[1].orcpt.address

local function plain(value, depth)
   if type(value) ~= "table" or depth == 0 then return value end
   local result = {}
   for key, inner in next, value do
      result[key] = type(inner) == "table" and plain(inner, depth - 1) or inner
   end
   return result
end

--- A copy of options and all tables in them, without metatables: no function of the caller's runs,
-- and no value changes, while this library reads them and sends.
---@param objects? table   the names of options that stay as they are
function check.plain(t, objects)
   local result = {}
   for name, value in next, t do
      result[name] = objects and objects[name] and value or plain(value, DEPTH)
   end
   return result
end

-- ---- the options of a set ----

local function number_of(value)
   return type(value) == "number" and value or ascii.number(value)
end

-- By kind: check t[name]; `option` is its entry in the set. A number in a string becomes a number.
local kinds = {}

function kinds.word(t, name, option)
   check.is_word(name, t[name], option.words)
end

function kinds.boolean(t, name)
   check.is_type(name, t[name], "boolean")
end

function kinds.line(t, name)
   check.is_type(name, t[name], "string")
   if t[name]:find("[%z\r\n]") then
      refuse(name, name .. " contains a line break or a NUL byte", "Remove it: a value that was "
         .. "read from a file or from the output of a command often ends in a line break")
   end
end

function kinds.types(t, name, option)
   if not option.types[type(t[name])] then
      check.refuse_value(name, option.wrong, t[name], option.hint)
   end
end

function kinds.pattern(t, name, option)
   if type(t[name]) == "string" and t[name]:find(option.pattern) then return end
   check.refuse_value(name, option.wrong, t[name], option.hint)
end

function kinds.whole(t, name, option)
   local number = number_of(t[name]) -- "25.0" is 25
   if not number or number < option.min or number > option.max or number % 1 ~= 0 then
      check.refuse_value(name, ("a whole number from %d to %d"):format(option.min, option.max),
         t[name], option.hint)
   end
   t[name] = math.floor(number)
end

-- A larger value was most likely meant in milliseconds.
function kinds.seconds(t, name, option)
   local value = t[name]
   local number = number_of(value)
   if not number or number ~= number or number <= 0 or number == math.huge then
      check.refuse_value(name, "a positive number of seconds", value,
         ("Write %s = %d"):format(name, option.example))
   end
   if number > option.max then
      refuse(name, ("%s = %s is more than %d seconds"):format(name, tostring(value), option.max),
         ("Did you mean milliseconds? Times are in seconds: write %s = %d"):format(name,
            option.example), value)
   end
   t[name] = number
end

local function use_alias(t, name, alias)
   if t[name] ~= nil then
      refuse(alias, ("%s and %s mean the same, but both are given"):format(name, alias),
         "Keep " .. name)
   end
   t[name], t[alias] = t[alias], nil
end

-- Check the values of a copy, and resolve aliases. -> the copy
local function check_values(t, set)
   for i = 1, #set.list do
      local option = set.list[i]
      local name, alias = option[1], option.alias
      if alias and t[alias] ~= nil then use_alias(t, name, alias) end
      if t[name] ~= nil and option.kind then kinds[option.kind](t, name, option) end
   end
   return t
end

--- A plain copy of these options, with the values of shared kinds checked and aliases resolved.
---@param given table        their names checked
---@param set smtp.OptionSet
---@return table
function check.values(given, set)
   return check_values(check.plain(given, set.objects), set)
end

--- The options of smtp.send, all names checked: those of the connection as they were given, and
-- those of the message as check.values returns them.
---@param given table
---@return table connection
---@return table message
function check.split(given)
   local connection, message, objects = {}, {}, names.message.objects
   for name, value in next, given do
      if names.connection.by_name[name] then
         connection[name] = value
      elseif names.message.by_name[name] then
         message[name] = objects[name] and value or plain(value, DEPTH)
      else
         unknown.refuse(name, names.all)
      end
   end
   return connection, check_values(message, names.message)
end

return check
