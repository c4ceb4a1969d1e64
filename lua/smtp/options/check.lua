--- Checks of options: names, and values of the kinds that several options share. A check raises a
-- UsageError that names the option.
-- @module smtp.options.check

local ascii = require "smtp.ground.ascii"
local names = require "smtp.options.names"
local refuse = require("smtp.errors").refuse
local user_call = require "smtp.options.user_call"

local check = {}

-- ---- names ----

-- How many letters must change to make one of the other (Levenshtein).
local function distance(a, b)
   local row = {}
   for j = 0, #b do row[j] = j end
   for i = 1, #a do
      local left = row[0]
      row[0] = i
      for j = 1, #b do
         local cost = a:byte(i) == b:byte(j) and 0 or 1
         left, row[j] = row[j], math.min(row[j] + 1, row[j - 1] + 1, left + cost)
      end
   end
   return row[#b]
end

--- The name in a list that a wrong one was probably meant to be; nil if none is similar.
---@param name string
---@param list string[]
---@return string|nil
function check.nearest(name, list)
   local best, best_distance = nil, math.max(2, math.floor(#name / 3))
   for i = 1, #list do
      -- At least this many letters must change: a long name is not compared letter by letter.
      local d = math.abs(#name - #list[i])
      if d <= best_distance then d = distance(name, list[i]) end
      if d <= best_distance then best, best_distance = list[i], d - 1 end
   end
   return best
end

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

local function refuse_name(key, list, where, other)
   local name = user_call.text(key)
   local near, option = check.nearest(name, list), where and where .. "." .. name or name
   local hint = near and ("Did you mean %s?"):format(near) or "The README lists all options"
   if other and other.by_name[name] then hint = "It belongs to " .. other.home end
   refuse(option, ("there is no option %q"):format(option), hint)
end

--- A table has no other keys than these names.
---@param t table
---@param list string[]
---@param where? string           what the table is, if not the options: "attachments[1]"
---@param other? smtp.OptionSet   options that another call takes
function check.names(t, list, where, other)
   local known = set_of(list)
   for key in next, t do
      if not known[key] then refuse_name(key, list, where, other) end
   end
end

-- ---- values ----

--- A list has the keys 1, 2, 3 and so on: the entries after a hole would be left out in silence.
---@param list table
---@param option string   its name
---@param hint? string    how it is written
function check.is_list(list, option, hint)
   local count = 0
   for key in next, list do
      if type(key) ~= "number" or key < 1 or key % 1 ~= 0 then
         refuse(option, ("%s is a list, and holds the key %s"):format(option,
            type(key) == "string" and ("%q"):format(key) or user_call.text(key)), hint)
      end
      count = count + 1
   end
   for i = 1, count do
      if rawget(list, i) == nil then
         refuse(option, ("%s is a list with a hole: it has no entry %d, and more behind it")
            :format(option, i), "Leave nil out of a list")
      end
   end
end

--- A value is nil or one of these words.
---@param name string   of the option
---@param value any
---@param words string[]
function check.is_word(name, value, words)
   if value == nil then return end
   for i = 1, #words do
      if value == words[i] then return end
   end
   refuse(name, ("%s = %s is not one of its words"):format(name, user_call.text(value)),
      ("Write \"%s\""):format(table.concat(words, "\", \"")), value)
end

--- A value is nil or has this type.
---@param name string   of the option
---@param value any
---@param expected string
function check.is_type(name, value, expected)
   local found = type(value)
   if value == nil or found == expected then return end
   refuse(name, ("%s must be a %s, and is a %s"):format(name, expected, found))
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
   for key, inner in next, value do result[key] = plain(inner, depth - 1) end
   return result
end

--- A copy of options and all tables in them, without metatables: no function of the caller's runs,
-- and no value changes, while this library reads them and sends.
---@param objects? table   the names of options that are objects: they stay as they are
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
      refuse(name, name .. " holds a line break or a NUL", "Remove it")
   end
end

function kinds.types(t, name, option)
   if not option.types[type(t[name])] then refuse(name, option.wrong) end
end

function kinds.pattern(t, name, option)
   if type(t[name]) == "string" and t[name]:find(option.pattern) then return end
   refuse(name, option.wrong, option.hint)
end

function kinds.whole(t, name, option)
   local number = number_of(t[name]) -- "25.0" is 25
   if not number or number < option.min or number > option.max or number % 1 ~= 0 then
      refuse(name, ("%s is not a number from %d to %d"):format(name, option.min, option.max), nil,
         t[name])
   end
   t[name] = math.floor(number)
end

-- A larger value was most likely meant in milliseconds.
function kinds.seconds(t, name, option)
   local value = t[name]
   local number = number_of(value)
   if not number or number ~= number or number <= 0 or number == math.huge then
      refuse(name, ("%s must be a positive number of seconds"):format(name), nil, value)
   end
   if number > option.max then
      refuse(name, ("%s = %s is more than %d seconds"):format(name, tostring(value), option.max),
         "Did you mean milliseconds? Times are in seconds", value)
   end
   t[name] = number
end

local function use_alias(t, name, alias)
   if t[name] ~= nil then
      refuse(alias, ("%s and %s mean the same, and both are given"):format(name, alias),
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
         refuse_name(name, names.all)
      end
   end
   return connection, check_values(message, names.message)
end

return check
