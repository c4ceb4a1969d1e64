--- Outboxes for specs: a store in a file that goes away, a sink in the same process, and a clock
-- that stands still until someone waits.

local circuit = require "smtp.outbox.circuit"
local smtp = require "smtp.safe"

local outboxes = {}

local paths = {}

-- A folder in memory: each put waits for the disk otherwise.
local function is_there(folder)
   local ok, _, errno = os.rename(folder, folder)
   return ok or errno == 13 or errno == 16
end

local MEMORY = is_there "/dev/shm" and "/dev/shm/"

--- The path of a store that does not exist yet.
function outboxes.path()
   local path = os.tmpname()
   os.remove(path)
   if MEMORY then path = MEMORY .. path:match("[^/]*$") end
   paths[#paths + 1] = path
   return path
end

--- Remove what the stores of a case have left: after_each(outboxes.clean).
function outboxes.clean()
   for i = 1, #paths do
      for _, ending in ipairs { "", "-wal", "-shm" } do os.remove(paths[i] .. ending) end
   end
   paths = {}
end

--- Give an outbox this clock: it waits by setting it to the time at which there is something to do.
function outboxes.with_clock(box, clock)
   local name = box.settings.name
   box.now = function() return clock.time end
   box.sleep = function(seconds)
      local due, pause = box.store:due_at(name), circuit.pause(box.store, name)
      due = math.max(due or 0, pause and pause.due or 0)
      clock.time = math.max(clock.time + math.ceil(seconds), due)
   end
   return box
end

--- An outbox to a sink. -> { box, sink, clock = { time = }, path, results }
---@param options? table   of smtp.outbox; `server`: more options of the connection
---@param sink? table      options of the sink
function outboxes.new(options, sink)
   local case = { clock = { time = 1000000 }, results = {}, connections = 0 }
   case.sink = assert(smtp.sink(sink or {}))
   case.server = { host = "relay.example", tls = "skip", transport = function()
      case.connections = case.connections + 1
      return case.sink:transport()
   end }
   local given = { on_result = function(entry, receipt, err)
      case.results[#case.results + 1] = { entry = entry, receipt = receipt, err = err }
   end }
   for name, value in pairs(options or {}) do given[name] = value end
   for name, value in pairs(given.server or {}) do case.server[name] = value end
   given.server, given.store = case.server, given.store or outboxes.path()
   case.path, case.given = given.store, given
   case.box = outboxes.with_clock(assert(smtp.outbox(given)), case.clock)
   return case
end

--- Another outbox on the same store and clock, as another process has it.
function outboxes.beside(case, changes)
   local given = {}
   for name, value in pairs(case.given) do given[name] = value end
   for name, value in pairs(changes or {}) do given[name] = value or nil end
   return outboxes.with_clock(assert(smtp.outbox(given)), case.clock)
end

--- Options of a message to these recipients.
function outboxes.message(...)
   return { from = "ann@example.org", to = { ... }, subject = "Hello", text = "Hi there\n",
      date = 0, message_id = "<m@example.org>" }
end

--- The states of an entry's recipients in one line.
function outboxes.states(entry)
   local list = {}
   for i, one in ipairs(entry.recipients) do list[i] = one.state end
   return table.concat(list, " ")
end

return outboxes
