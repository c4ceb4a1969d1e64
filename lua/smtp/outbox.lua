--- The outbox: a message that put has accepted is sent, or has failed with its reason, or is in
-- doubt with the moment of the crash; no recipient gets it twice because of this library.
--
--    local outbox = smtp.outbox { store = "/var/lib/app/mail.db", server = { host = … } }
--    local id = outbox:put { from = …, to = …, subject = …, text = … }
--    outbox:run { connections = 2 }
--
-- @module smtp.outbox

require "smtp.ground.modules"
local circuit = require "smtp.outbox.circuit"
local entries = require "smtp.outbox.entry"
local errors = require "smtp.errors"
local lapse = require "smtp.outbox.lapse"
local options = require "smtp.outbox.options"
local states = require "smtp.outbox.states"
local system = require "smtp.ground.resources"

local load_sqlite = system.loader "smtp.outbox.sqlite"
local load_work = system.loader "smtp.outbox.work"
local load_worker = system.loader "smtp.outbox.worker"

local Outbox = {}
local outbox_mt = { __index = Outbox, __name = "smtp.Outbox" }

--- Open an outbox.
---@param given smtp.OutboxOptions
---@return table|nil
---@return table|nil err   UsageError, SystemError
local function new(given)
   local settings, err = options.outbox(given)
   if not settings then return nil, err end
   local store = settings.store
   if type(store) == "string" then
      local sqlite
      sqlite, err = load_sqlite()
      if not sqlite then return nil, err end
      settings.path = store
      store, err = sqlite.open(store, settings.server)
      if not store then return nil, err end
   end
   return setmetatable({ settings = settings, store = store, now = os.time }, outbox_mt)
end

--- Accept a message: it is durable when this returns.
---@param message smtp.MessageOptions
---@param given? smtp.OutboxPut
---@return string|nil id
---@return table|nil err
function Outbox:put(message, given)
   local chosen, err = options.put(given, message)
   if not chosen then return nil, err end
   local outgoing
   outgoing, err = entries.compose(message, self.settings.server)
   if not outgoing then return nil, err end
   local record, pieces, is_new
   record, pieces, err = entries.record(outgoing, chosen.id, self.now(), chosen.at)
   if record then is_new, err = self.store:put(self.settings.name, record, pieces) end
   entries.release(outgoing)
   if is_new == nil then return nil, err end
   return chosen.id
end

--- Deliver: until stop is called, or as the argument says.
---@param given? smtp.OutboxRunOptions
---@return table|nil totals
---@return table|nil err
function Outbox:run(given)
   local run, err = options.run(given)
   if not run then return nil, err end
   local work
   work, err = load_work()
   if not work then return nil, err end
   self.stopped = false
   return work.run(self, run)
end

--- In init_worker_by_lua of nginx: deliver in timers, in one of the workers.
---@param given? smtp.OutboxStartOptions
---@return true|nil
---@return table|nil err
function Outbox:start(given)
   local run, err = options.start(given)
   if not run then return nil, err end
   local worker
   worker, err = load_worker()
   if not worker then return nil, err end
   return worker.start(self, run)
end

--- Let run, or start, finish what is in progress and end.
function Outbox:stop()
   self.stopped = true
   return true
end

-- For the runner, and replaced by the command, which asks for signals.
function Outbox:is_stopped()
   return self.stopped
end

-- ---- what is in it ----

--- The entry with this id; nil if there is none.
---@param id string
---@return smtp.OutboxEntry|nil
---@return table|nil err
function Outbox:get(id)
   local known, record, err
   known, err = options.id(id)
   if not known then return nil, err end
   record, err = self.store:get(self.settings.name, id)
   return record and entries.view(lapse.see(record, self.settings, self.now())), err
end

--- Entries in the order in which they were put.
---@param given? smtp.OutboxFilter
---@return smtp.OutboxEntry[]|nil
---@return table|nil err
function Outbox:list(given)
   local filter, err = options.list(given)
   if not filter then return nil, err end
   local list
   list, err = lapse.list(self, { state = filter.state, limit = filter.limit,
      after = filter.after, address = filter.to and entries.searched(filter.to) }, self.now())
   if not list then return nil, err end
   for i = 1, #list do list[i] = entries.view(list[i]) end
   return list
end

-- The server, or its options, may have been corrected since: this is what the newest attempt found.
local function pause_line(pause, now)
   return ("since %s: %s; next attempt in %d s, or at once after outbox:retry(id)"):format(
      os.date("%Y-%m-%d %H:%M:%S", pause.since), (pause.what:gsub("%.$", "")),
      math.max(0, pause.due - now))
end

--- Counts by state, the oldest message that is due, and why nothing is sent, if that is so.
---@return smtp.OutboxStats|nil
---@return table|nil err
function Outbox:stats()
   local now = self.now()
   local counts, oldest = lapse.count(self, now)
   if not counts then return nil, oldest end
   local pause, err = circuit.pause(self.store, self.settings.name)
   if err then return nil, err end
   local stats = { name = self.settings.name, queued = 0, claimed = 0, ending = 0, sent = 0,
      failed = 0, doubt = 0, cancelled = 0, due = oldest and oldest <= now and oldest or nil,
      paused = pause and pause.kind, since = pause and pause.since,
      why = pause and pause_line(pause, now) }
   for state, count in next, counts do stats[state] = count end
   return stats
end

-- ---- decisions ----

local ID_SHOWN_MAX = 255 -- bytes: no message has a longer one

local function no_entry(id)
   local shown = errors.cut(id, ID_SHOWN_MAX, "…")
   return errors.new("usage", { option = "id", value = id,
      hint = "List the messages to see their ids",
      what = ("the outbox has no message with the id %s"):format(shown) })
end

local busy = { claimed = true, ending = true }

local function refusal(record, word, hint, now)
   local until_when = busy[record.state] and (" (a runner has it for %d s more)"):format(
      math.max(0, record.due - now)) or ""
   return errors.new("usage", { option = "id", value = record.id, hint = hint,
      what = ("the message %s cannot be %s: its state is %s%s"):format(record.id, word,
         record.state, until_when) })
end

-- Change an entry as `decide` says. Another process may change it at the same time: then once more.
local function change(self, id, word, hint, decide)
   local known, wrong = options.id(id)
   if not known then return nil, wrong end
   while true do
      local record, err = self.store:get(self.settings.name, id)
      if err then return nil, err end
      if not record then return nil, no_entry(id) end
      local now = self.now()
      local seen = lapse.see(record, self.settings, now)
      local result = decide(seen, now)
      if not result then return nil, refusal(seen, word, hint, now) end
      result.from, result.lease = record.state, seen ~= record and record.due or nil
      result.history = seen.history:sub(#record.history + 1) .. result.history
      local done
      done, err = self.store:commit(self.settings.name, { result }, {})
      if not done then return nil, err end
      if done[1] then return true end
   end
end

--- Send it now, and again to recipients that have failed. It also ends a pause of the outbox.
---@return true|nil
---@return table|nil err
function Outbox:retry(id)
   local hint = "A message in doubt needs resolve; one that is being sent needs nothing"
   local done, err = change(self, id, "sent now", hint, function(record, now)
      if not busy[record.state] then return states.retried(record, now) end
   end)
   if not done then return nil, err end
   return circuit.close(self.store, self.settings.name)
end

--- Do not send it to recipients that do not have it yet.
---@return true|nil
---@return table|nil err
function Outbox:cancel(id)
   return change(self, id, "cancelled", "Only a message that waits can be cancelled",
      function(record, now)
         if record.state ~= "ending" then return states.cancelled(record, now) end
      end)
end

--- The way out of doubt: recipients in doubt have the message ("sent"), or get it now ("unsent").
---@param word "sent"|"unsent"
---@return true|nil
---@return table|nil err
function Outbox:resolve(id, word)
   if word ~= "sent" and word ~= "unsent" then
      return nil, errors.usage("resolve", 'resolve: expected "sent" or "unsent"',
         'Write outbox:resolve(id, "sent")')
   end
   return change(self, id, "resolved", "Only a message in doubt needs it", function(record, now)
      if not busy[record.state] then return states.resolved(record, word, now) end
   end)
end

--- Close the store.
function Outbox:close()
   return self.store:close()
end

-- outbox.put(message) gives the message in the place of the outbox.
for name, method in next, Outbox do
   local run = errors.guarded(method)
   Outbox[name] = function(self, ...)
      if getmetatable(self) == outbox_mt then return run(self, ...) end
      return nil, errors.needs_colon("outbox", name)
   end
end

return { new = new, methods = Outbox }
