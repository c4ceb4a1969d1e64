--- The option `loop`: how this library waits in the event loop of the host; and its default.
-- @module smtp.options.loop

local check = require "smtp.options.check"
local errors = require "smtp.errors"
local system = require "smtp.ground.resources"
local user_call = require "smtp.options.user_call"

local loops = {}

local names = { "cqueues", "luv", "copas" }

local FORM = 'Write loop = "cqueues", "luv" or "copas", or loop = { wait = function(fd, events, '
   .. "seconds) … end, sleep = function(seconds) … end }"

local default -- what smtp.loop.use set

local function load(name)
   check.is_word("loop", name, names)
   local adapter, why, lack = system.load("smtp.loop." .. name)
   if adapter then return adapter end
   if lack then error(system.error(why), 0) end
   errors.refuse("loop", ("loop = %q needs the Lua module %s: %s"):format(
      name, name, why), ("Install it for this Lua (Debian: lua-%s), load it first, or remove loop")
      :format(name))
end

--- Check a value of the option.
---@param value any
---@return table|false|nil   smtp.Loop; false: the call blocks; nil: not given
function loops.read(value)
   if value == nil or value == false then return value end
   if type(value) == "string" then value = load(value) end
   if type(value) ~= "table" then
      check.refuse_value("loop", "a name or a table of functions", value, FORM)
   end
   local loop = { check = user_call.field(value, "check"),
      resumes = user_call.field(value, "resumes") }
   for _, name in ipairs { "wait", "sleep" } do
      loop[name] = user_call.field(value, name)
      if type(loop[name]) ~= "function" then
         errors.refuse("loop", ("loop has no function %s"):format(name), FORM)
      end
   end
   if loop.check ~= nil and type(loop.check) ~= "function" then
      errors.refuse("loop", "check of loop is not a function",
         "Leave check out, or write a function that returns what to do instead, if anything")
   end
   return loop
end

--- Set the default for calls without the option.
---@param value any
function loops.use(value)
   default = loops.read(value) or nil
end

-- -> nil | what to do instead of this call | nil, what is wrong with the function itself
local function misplaced(loop)
   if not loop.check then return nil end
   local ok, advice = pcall(loop.check)
   if not ok then return nil, "check of loop raised an error: " .. user_call.text(advice) end
   if not advice or type(advice) == "string" then return advice end
   return nil, "check of loop returned " .. user_call.type_name(advice) .. ", not a text"
end

--- The event loop of a server's connections.
---@param server smtp.Server
---@return table|nil loop   smtp.Loop
---@return table|nil err    a UsageError: the call is outside of that loop
function loops.of(server)
   local loop = server.loop
   if loop == nil then loop = default end
   if not loop then return nil end
   local advice, fault = misplaced(loop)
   if fault then return nil, errors.usage("loop", fault, "Correct check, or remove it") end
   if not advice then return loop end
   if server.transport then return nil end -- the transport waits as it likes
   return nil, errors.usage("loop", "loop: this call is not in a coroutine of that event loop",
      advice .. "; or write loop = false, and the call blocks")
end

return loops
