--- The arguments of `lua-smtp sendmail`, which are those of the program sendmail that Unix systems
-- have: letters with values beside them (-fann@example.org) or after them, several letters in one
-- word (-ti), addresses after the options.
-- @module smtp.cli.sendmail_arguments

local ascii = require "smtp.ground.ascii"
local errors = require "smtp.errors"
local flag_table = require "smtp.cli.flag_table"
local flags = require "smtp.cli.flags"

local arguments = {}

local function refuse(what, hint)
   errors.refuse("sendmail", what, hint)
end

-- ---- what is refused ----

local NO_QUEUE = "each message is sent at once, and this command has no queue"

-- Modes, by the letter after -b: what they would do, why this command cannot.
local modes = {
   a = { "speaks the protocol of ARPANET", "this command only sends mail" },
   s = { "speaks SMTP on standard input", "this command reads one message from it" },
   d = { "runs a server", "this command only sends mail" },
   p = { "lists the queue", NO_QUEUE },
   i = { "rebuilds the table of aliases", "this command has no aliases" },
   v = { "verifies addresses", "this command sends mail" },
   t = { "tests rules for addresses", "this command has none" },
   h = { "prints the state of hosts", "this command keeps none" },
}
modes.D, modes.l, modes.H = modes.d, modes.d, modes.h

local SEND_HINT = "Give the addresses of the recipients or -t, and the message on standard input"
local hints = { d = "For a server that receives mail in tests, use lua-smtp sink",
   p = "Where sendmail has --store FILE, use lua-smtp outbox list --store FILE",
   q = "Where sendmail has --store FILE, use lua-smtp outbox run --once --store FILE" }
hints.D, hints.l = hints.d, hints.d

local function refuse_mode(letter, shown)
   local mode = modes[letter]
   if not mode then refuse(("there is no mode -b%s"):format(letter), SEND_HINT) end
   refuse(("%s %s, but %s"):format(shown or "-b" .. letter, mode[1], mode[2]),
      hints[letter] or SEND_HINT)
end

-- ---- the letters ----

-- By letter: a function of the plan and the value. They are the options that have a meaning here.
local valued = {}

function valued.f(plan, value) plan.sender = value end
valued.r = valued.f
function valued.F(plan, value) plan.name = value end
function valued.R(plan, value) plan.options.dsn_ret = ascii.lower(value) end
function valued.V(plan, value) plan.options.dsn_envid = value end

function valued.N(plan, value)
   plan.options.dsn_notify = {}
   for word in value:gmatch("[^,]+") do
      table.insert(plan.options.dsn_notify, ascii.lower(ascii.trim(word)))
   end
end

function valued.b(_, value)
   if value ~= "m" then refuse_mode(value) end
end

function valued.o(plan, value)
   if value == "i" then plan.dot_ends = false end
end

-- Options of programs that keep mail themselves: configuration, macros, aliases, hops, logs.
local function ignore() end
for letter in ("ABCLOXdehp"):gmatch(".") do valued[letter] = ignore end

local switches = {}
function switches.t(plan) plan.from_header = true end
function switches.i(plan) plan.dot_ends = false end
function switches.v(plan) plan.options.trace = true end
function switches.q() refuse("-q sends what is in the queue, but " .. NO_QUEUE, hints.q) end
function switches.I() refuse_mode("i", "-I") end
for letter in ("GUmn"):gmatch(".") do switches[letter] = ignore end

-- One word of options: -ti, -fann@example.org, -f with its value in the next word.
-- -> the index of the next word
local function read_word(plan, args, i)
   local word, at = args[i], 2
   while at <= #word do
      local letter = word:sub(at, at)
      if valued[letter] then
         local value = at < #word and word:sub(at + 1) or args[i + 1]
         if not value then
            refuse(("-%s needs a value"):format(letter), ("Write -%s VALUE"):format(letter))
         end
         valued[letter](plan, value)
         return at < #word and i + 1 or i + 2
      end
      if not switches[letter] then
         refuse(("there is no option -%s"):format(letter), "See lua-smtp sendmail --help")
      end
      switches[letter](plan)
      at = at + 1
   end
   return i + 1
end

-- ---- all of them ----

local function add_recipients(plan, args, from, is_marked)
   for i = from, #args do
      if args[i]:find("^%-") and not is_marked then
         refuse(("the option %s comes after an address"):format(args[i]),
            "Write the options first; an address that begins with - follows --")
      end
      table.insert(plan.recipients, args[i])
   end
end

-- Is the value of this flag, --host or --host=NAME, the next word?
local function is_before_value(word)
   local name = word:sub(3):gsub("_", "-")
   for _, flag in ipairs(flag_table.flags "sendmail") do
      if flag.name == name then return flag.takes ~= nil end
   end
   return false
end

-- The flags before all other arguments, which say what they say in `lua-smtp send`. -> the index
-- after them
local function read_flags(plan, args)
   local words, i = {}, 1
   while args[i] and args[i]:find("^%-%-.") do
      words[#words + 1], i = args[i], i + 1
      if is_before_value(args[i - 1]) then words[#words + 1], i = args[i], i + 1 end
   end
   plan.options = flags.read(words, 1, flag_table.command "sendmail")
   return i
end

-- The letters. Programs add to them what they got from strangers (the fifth argument of mail() of
-- PHP): flags, which can name a file of accounts, are not among them. -> the index after them
local function read_letters(plan, args, i)
   while args[i] and args[i]:find("^%-.") and args[i] ~= "--" do
      if args[i]:find("^%-%-") then
         refuse(("the flag %s comes after %s"):format(args[i]:match("^[^=]*"), args[i - 1]),
            "Write flags that begin with -- before all other arguments")
      end
      i = read_word(plan, args, i)
   end
   return i
end

---@class smtp.SendmailPlan
---@field recipients string[]   as they were written; each may contain several addresses
---@field from_header boolean   -t: the recipients are those of the header
---@field dot_ends boolean      a line that is one dot ends the message
---@field sender string|nil     -f; "" is the null reverse path
---@field name string|nil       -F
---@field options table         the flags, as flags.read gives them, with -N, -R, -V and -v

--- Read the arguments. Raises a UsageError.
---@param args string[]
---@return smtp.SendmailPlan
function arguments.read(args)
   local plan = { recipients = {}, from_header = false, dot_ends = true }
   local i = read_letters(plan, args, read_flags(plan, args))
   local is_marked = args[i] == "--"
   add_recipients(plan, args, is_marked and i + 1 or i, is_marked)
   return plan
end

return arguments
