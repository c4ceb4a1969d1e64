--- The arguments of a command as options.
-- @module smtp.cli.flags

local ascii = require "smtp.ground.ascii"
local flag_table = require "smtp.cli.flag_table"
local system = require "smtp.ground.resources"

local addresses = system.late "smtp.cli.addresses"
local unknown_flag = system.late "smtp.cli.unknown_flag"

local flags = {}

local booleans = { yes = true, ["true"] = true, on = true, ["1"] = true,
   no = false, ["false"] = false, off = false, ["0"] = false }

-- ---- one flag ----

local Reader = {}
Reader.__index = Reader

local function new_reader(command)
   local self = { command = command, options = {}, by_name = {}, by_short = {} }
   for _, flag in ipairs(flag_table.flags(command.name, command.action)) do
      self.by_name[flag.name] = flag
      if flag.short then self.by_short[flag.short] = flag end
   end
   return setmetatable(self, Reader)
end

local function refuse(flag, what, hint)
   unknown_flag.fail(flag.name, ("--%s %s"):format(flag.name, what), hint)
end

local function read_boolean(flag, text)
   local value = booleans[ascii.lower(text)]
   if value == nil then
      refuse(flag, ("needs yes or no, got %q"):format(text),
         ("Write --%s, or --no-%s to switch it off"):format(flag.name, flag.name))
   end
   return value
end

local function read_pair(flag, text)
   local low, high = text:match("^([0-9]+),([0-9]+)$")
   if low then return { low, high } end
   refuse(flag, ("needs two numbers, got %q"):format(text), ("Write --%s %s"):format(flag.name,
      flag.default))
end

local function add(flag, value, list)
   if flag.addresses and value:find(",", 1, true) then
      addresses.add(value, list, flag.name)
   else
      list[#list + 1] = value
   end
end

local function refuse_again(flag)
   if not flag.takes then refuse(flag, "is switched on and off", "Keep one of the two") end
   refuse(flag, flag.alias and ("means --%s, which is given too"):format(flag.alias)
      or "is given twice", "Keep one of them: it takes one value")
end

-- One more value of a flag that may be given several times.
function Reader:add(flag, name, value)
   local list = self.options[name] or {}
   if type(list) ~= "table" then list = { list } end
   add(flag, value, list)
   self.options[name] = flag.single and #list == 1 and list[1] or list
end

--- Keep the value of a flag.
function Reader:set(flag, value)
   local options, name = self.options, (flag.option or flag.alias or flag.name):gsub("%-", "_")
   if flag.pair then value = read_pair(flag, value) end
   if flag.list then
      self:add(flag, name, value)
   elseif options[name] == nil or options[name] == value and not flag.takes then
      options[name] = value
   else
      refuse_again(flag)
   end
end

-- The argument after a flag is its value, unless it is a flag itself. The value is not shown: it
-- may be a password.
function Reader:next_value(flag, value, shown)
   local other = value and (self.by_name[value:match("^%-%-([a-z0-9-]+)$")]
      or self.by_short[value:match("^%-([A-Za-z])$")])
   if value and not other then return value end
   local words = flag.words and not flag.open and table.concat(flag.words, "|")
   local hint = ("Write %s %s"):format(shown, words or flag.takes)
   if other then hint = ("%s, or --%s=%s"):format(hint, flag.name, value) end
   unknown_flag.fail(flag.name, shown .. " needs a value"
      .. (other and (", and %s is another flag"):format(value) or ""), hint)
end

-- ---- the forms of an argument ----

-- --no-NAME -> the flag that it switches off, or nil
function Reader:switched_off(name)
   local flag = not self.by_name[name] and self.by_name[name:match("^no%-(.+)$")]
   return flag and (flag.off or not flag.takes) and flag or nil
end

-- "--trace", "--trace=no", "--help=all"
function Reader:switch(flag, value)
   local is_on = value == nil
   if value and flag.name ~= "help" then is_on = read_boolean(flag, value) end
   self:set(flag, is_on or flag.name == "help" and value)
end

-- "--name", "--name=value", "--no-name"; -> the number of arguments that it takes
function Reader:long(args, i)
   local name, equals, value = args[i]:match("^%-%-([^=]*)(=?)(.*)$")
   name, value = name:gsub("_", "-"), equals == "=" and value or nil
   local off, flag = self:switched_off(name), self.by_name[name]
   if off and not value then
      self:set(off, false)
   elseif not flag then
      unknown_flag.refuse(args[i], name, self.command)
   elseif not flag.takes then
      self:switch(flag, value)
   else
      self:set(flag, value or self:next_value(flag, args[i + 1], "--" .. name))
      return value and 1 or 2
   end
   return 1
end

-- "-n", "-fann@x", "-nf ann@x"; -> the number of arguments that it takes
function Reader:short(args, i)
   local letters = args[i]:sub(2)
   local long = letters:match("^[^=]*")
   if #long > 1 and self.by_name[long] then
      unknown_flag.fail(long, ("-%s has one dash"):format(long), ("Write --%s"):format(long))
   end
   for at = 1, #letters do
      local letter = letters:sub(at, at)
      local flag = self.by_short[letter]
      if not flag then unknown_flag.refuse_short(letter, args[i], self.command) end
      if flag.takes then
         local rest = letters:sub(at + 1)
         self:set(flag, rest ~= "" and rest or self:next_value(flag, args[i + 1], "-" .. letter))
         return rest ~= "" and 1 or 2
      end
      self:set(flag, true)
   end
   return 1
end

-- An argument without a flag.
function Reader:place(text)
   local place = self.command.place
   local flag = self.by_name[place] or place and { name = place, takes = "VALUE" }
   local is_url = text:find("://", 1, true)
   if not flag or flag.name == "to" and (is_url or not text:find("@", 1, true)) then
      unknown_flag.refuse_argument(text, self.command)
   elseif not self.by_name[place] and self.options[place] then
      unknown_flag.fail(place, ("the argument %q is one too many"):format(text), "Give one")
   end
   self:set(flag, text)
end

--- Read the arguments from args[from] to the last one. Raises a UsageError.
---@param args string[]
---@param from number
---@param command table    of flag_table.commands; that of an action has its name as `action`
---@return table options   by name, with _ for -
function flags.read(args, from, command)
   local reader, i = new_reader(command), from
   while i <= #args do
      local argument = args[i]
      if argument == "--" then
         for j = i + 1, #args do reader:place(args[j]) end
         break
      elseif argument:find("^%-%-") then
         i = i + reader:long(args, i)
      elseif argument:find("^%-.") then
         i = i + reader:short(args, i)
      else
         reader:place(argument)
         i = i + 1
      end
   end
   return reader.options
end

return flags
