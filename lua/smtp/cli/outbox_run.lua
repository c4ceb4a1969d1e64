--- lua-smtp outbox run: delivers, and says by its exit status what did not arrive.
-- @module smtp.cli.outbox_run

local exit_status = require "smtp.cli.exit_status"
local options_of = require "smtp.cli.outbox_options"
local output = require "smtp.cli.output"
local report = require "smtp.cli.outbox_report"
local socket = require "smtp.socket"
local trace = require "smtp.cli.trace"

local outbox_run = {}

-- ---- the exit status ----

-- sysexits.h: EX_NOUSER, EX_UNAVAILABLE, EX_IOERR, EX_TEMPFAIL, EX_NOPERM
local NO_USER, UNAVAILABLE, IN_DOUBT, LATER, NOT_PERMITTED = 67, 69, 74, 75, 77

local function count_failed(entry)
   local count = 0
   for _, one in ipairs(entry.recipients) do
      if one.state == "failed" then count = count + 1 end
   end
   return count
end

-- What became of a message for good. -> exit status | nil: all recipients have it
local function status_of(entry, err)
   if entry.state == "doubt" then
      return IN_DOUBT
   elseif entry.state ~= "failed" then
      return count_failed(entry) > 0 and NO_USER or nil
   end
   return err and not err.temporary and exit_status.of(err) or UNAVAILABLE -- tried for days
end

-- Of all messages: first what a person has to correct, last what the next run does by itself.
local function final_status(seen, totals, stats)
   if stats.paused == "account" then return NOT_PERMITTED end
   local waits = totals.queued > 0 or stats.paused
   return seen.doubt or seen.failed or waits and LATER or 0
end

-- ---- what is printed ----

-- Why messages wait that are due.
local function say_why(box, stats)
   if stats.why then return output.say("lua-smtp: waiting: " .. stats.why, io.stderr) end
   local count, due = stats.claimed + stats.ending, 0
   if count == 0 then return end
   for _, state in ipairs { "claimed", "ending" } do
      for _, entry in ipairs(box:list { state = state } or {}) do due = math.max(due, entry.due) end
   end
   output.say(("lua-smtp: waiting: another runner has %d message%s. If it has ended, run again "
      .. "after %s"):format(count, count == 1 and "" or "s", report.time_of(due)), io.stderr)
end

-- ---- the run ----

-- SIGTERM lets it finish what is in progress.
local function run_until_signal(box, settings)
   socket.finish_first(true)
   function box.is_stopped() return socket.caught() ~= nil end
   local totals, err = box:run(settings)
   socket.finish_first(false)
   return totals, err
end

-- The option on_result: it shows each message, and notes what did not arrive.
local function watch(seen, json)
   return function(entry, _, err)
      report.show(entry, json, report.line)
      local status = status_of(entry, err)
      local key = status == IN_DOUBT and "doubt" or "failed"
      seen[key] = seen[key] or status
      if entry.state == "sent" then seen.refused = seen.refused + count_failed(entry) end
   end
end

--- Deliver.
---@param options table   as flags.read gives them
---@param json? boolean
---@return number|nil     exit status
---@return table|nil err
function outbox_run.run(options, json)
   local settings, seen = options_of.run(options), { refused = 0 }
   options.trace = options.trace and trace.lines() or nil
   options.on_result = watch(seen, json)
   local box, err = options_of.open(options)
   if not box then return nil, err end
   if not box.store:due_at(box.settings.name) then report.say_others(box, "nothing waits") end
   local totals
   totals, err = run_until_signal(box, settings)
   if not totals then return nil, err end
   report.show(totals, json, function() report.totals(totals, seen.refused) end)
   local stats
   stats, err = report.stats_of(box)
   if not stats then return nil, err end
   local is_service = not (settings.once or settings.until_empty)
   if is_service or socket.caught() then return 0 end
   say_why(box, stats)
   return final_status(seen, totals, stats)
end

return outbox_run
