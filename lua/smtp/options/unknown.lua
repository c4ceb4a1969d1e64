--- A name that is not among the names of the options, or of the fields of an option: the error that
-- names the option that was probably meant.
-- @module smtp.options.unknown

local foreign = require "smtp.options.foreign"
local refuse = require("smtp.errors").refuse
local user_call = require "smtp.options.user_call"

local unknown = {}

-- The row of distances that follows `last` in the table of the distance between a and b; `before`
-- is the row before `last`.
local function next_row(a, b, i, last, before)
   local row = { [0] = i }
   for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      row[j] = math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + cost)
      if before and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
         row[j] = math.min(row[j], before[j - 2] + 1)
      end
   end
   return row
end

-- How many letters must change, or change places with their neighbours, to make one of the other.
local function distance(a, b)
   local row, last = {}, nil
   for j = 0, #b do row[j] = j end
   for i = 1, #a do row, last = next_row(a, b, i, row, last), row end
   return row[#b]
end

local SHORT = 5 -- letters; most names with fewer are near to each other

-- How many letters of a wrong name may differ; 0: no name is similar.
local function reach(name)
   return #name < SHORT and 1 or math.floor(#name / 3)
end

-- Is it worth a comparison? A short name has the first letter of the one that was meant.
local function is_candidate(name, other)
   return #name >= SHORT or #name > 1 and name:byte() == other:byte()
end

--- The name in a list that a wrong one was probably meant to be; nil if none is similar.
---@param name string
---@param list string[]
---@param max? integer   the largest distance of a similar name
---@return string|nil
---@return integer max    its distance, or `max`
function unknown.nearest(name, list, max)
   local best = nil
   max = max or reach(name)
   for i = 1, #list do
      -- At least this many letters must change: a long name is not compared letter by letter.
      local d = math.abs(#name - #list[i])
      if d <= max and is_candidate(name, list[i]) then
         d = distance(name, list[i])
         if d <= max then best, max = list[i], d - 1 end
      end
   end
   return best, best and max + 1 or max
end

-- "replyTo" is reply_to.
local function same_letters(name, list)
   local plain = foreign.plain(name)
   for i = 1, #list do
      if foreign.plain(list[i]) == plain then return list[i] end
   end
end

local FOREIGN_MIN = 7 -- letters; there are hundreds of names elsewhere

-- What to write in the place of a name that is similar to one here or, if it is long, elsewhere.
local function similar(name, list, section)
   local near, max = unknown.nearest(name, list)
   local other = #name > FOREIGN_MIN
      and unknown.nearest(name, foreign.names(section), near and max - 1 or max)
   if other then return foreign.find(section, other) end
   return near and ("Did you mean %s?"):format(near)
end

--- "a", "a and b", "a, b and c"
---@param list string[]
---@return string
function unknown.listed(list)
   if #list < 2 then return list[1] or "" end
   return table.concat(list, ", ", 1, #list - 1) .. " and " .. list[#list]
end

local LISTED_MAX = 16 -- names in a hint

local function all_names(list)
   if #list > LISTED_MAX then return 'lua/README.md lists all options' end
   return #list == 1 and "The only name is " .. list[1]
      or "The names are " .. unknown.listed(list)
end

local FORM = 'Write each option with its name: { to = "bob@example.net" }'

-- The hint for a name that belongs to another call, or that other libraries use.
local function elsewhere(key, section, other)
   if other and other.by_name[key] then return "It belongs to " .. other.home end
   local hint, option = foreign.find(section, key)
   if option and other and other.by_name[option] then
      return ("%s; it belongs to %s"):format(hint, other.home)
   end
   return hint
end

-- Words that people add to the name of an option.
local is_filler = { email = true, mail = true, smtp = true, server = true, sender = true,
   user = true, my = true, message = true, msg = true, list = true, str = true, string = true,
   option = true, address = true, addr = true, name = true, value = true, the = true, data = true }

-- "recipientEmail", "message_body" -> "recipient", "body"
local function without_fillers(name)
   local words, kept = name:gsub("([a-z0-9])([A-Z])", "%1_%2"), {}
   for word in words:gmatch("[^_%- ]+") do
      if not is_filler[foreign.plain(word)] then kept[#kept + 1] = word end
   end
   local rest = table.concat(kept, "_")
   return rest ~= "" and rest ~= name and rest or nil
end

local function hint_for(key, list, section, other)
   if type(key) ~= "string" then return section == "options" and FORM or all_names(list) end
   local hint, near = elsewhere(key, section, other), same_letters(key, list)
   if hint then return hint end
   if near then return ("Did you mean %s?"):format(near) end
   local core = without_fillers(key)
   hint, near = core and elsewhere(core, section, other), core and same_letters(core, list)
   return hint or near and ("Did you mean %s?"):format(near) or similar(key, list, section)
      or all_names(list)
end

--- Raise the UsageError of a name that an option does not have.
---@param key any                 the name
---@param list string[]           the names that there are
---@param where? string           what the table is, if not the options: "attachments[1]"
---@param other? smtp.OptionSet   options that another call takes
---@param section? string         of smtp.options.foreign_fields; "options" if there is no `where`
function unknown.refuse(key, list, where, other, section)
   local name = user_call.text(key)
   local option = where and where .. "." .. name or name
   refuse(option, ("there is no option %q"):format(option),
      hint_for(key, list, section or not where and "options", other))
end

return unknown
