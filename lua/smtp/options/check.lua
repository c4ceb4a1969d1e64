--- Checks that options share. Each returns true, or nil and a UsageError that names the option.
-- @module smtp.options.check

local errors = require "smtp.errors"
local guard = require "smtp.options.user_call"

local check = {}

local usage = errors.usage

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

local function nearest(name, names)
   local best, best_distance = nil, math.max(2, math.floor(#name / 3))
   for i = 1, #names do
      -- So many letters must change at least: a long name is not compared letter by letter.
      local d = math.abs(#name - #names[i])
      if d <= best_distance then d = distance(name, names[i]) end
      if d <= best_distance then best, best_distance = names[i], d - 1 end
   end
   return best
end

--- The name in a list that a wrong one was meant to be, nil where none is near.
check.nearest = nearest

local sets = setmetatable({}, { __mode = "k" })

-- Made once for each list.
local function set_of(names)
   local set = sets[names]
   if set then return set end
   set = {}
   for i = 1, #names do set[names[i]] = true end
   sets[names] = set
   return set
end

--- No other names than these in a table of options.
---@param t table
---@param names string[]
---@param where? string   what the table is, if not the options themselves: "attachments[1]"
function check.names(t, names, where)
   local known = set_of(names)
   for key in next, t do
      if not known[key] then
         local name = guard.text(key)
         local near, option = nearest(name, names), where and where .. "." .. name or name
         return nil, usage(option, ("there is no option %q"):format(option),
            near and ("Did you mean %s?"):format(near) or "The README lists all options")
      end
   end
   return true
end

--- A list: its keys are 1, 2, 3 and so on. What stands behind a hole would be left out in silence.
---@param list table
---@param option string   its name
---@param hint? string    how it is written
function check.is_list(list, option, hint)
   local count = 0
   for key in next, list do
      if type(key) ~= "number" or key < 1 or key % 1 ~= 0 then
         return nil, usage(option, ("%s is a list, and holds the key %s"):format(option,
            type(key) == "string" and ("%q"):format(key) or guard.text(key)), hint)
      end
      count = count + 1
   end
   for i = 1, count do
      if rawget(list, i) == nil then
         return nil, usage(option,
            ("%s is a list with a hole: it has no entry %d, and more behind it"):format(option, i),
            "Leave nil out of a list")
      end
   end
   return true
end

--- One of these words, or nothing.
function check.is_word(t, name, words)
   if t[name] == nil then return true end
   for i = 1, #words do
      if t[name] == words[i] then return true end
   end
   return nil, usage(name, ("%s = %s is not one of its words"):format(name, guard.text(t[name])),
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

--- A copy of options, with all that stands in them, without metatables: nothing of the caller's
-- runs, or changes, while we look at them and send.
---@param objects? table   the names of those that are objects: they stay as they are
function check.plain(t, objects)
   local result = {}
   for name, value in next, t do
      result[name] = objects and objects[name] and value or plain(value, DEPTH)
   end
   return result
end

return check
