--- What is measured inside a host. It writes its figures as lines "name value" to the file $RESULT.
--
-- A host is a table:
--
--    loop                 the option of this library
--    is_blocked           smtp.send blocks it: only ticks are counted
--    has_no_nested        its functions work only in its own coroutines: no send_many
--    options(t, kind)     changes the options of a message to a server of this kind
--    spawn(fn)            runs a function in a coroutine of the host
--    after(seconds, fn)   calls fn once, by a timer of the host
--    run(fn)              calls fn(finish) in the host, and runs it until finish is called

local core = require "smtp.core"
local safe = require "smtp.safe"

local measure = {}

local TICK = 0.005  -- seconds
local AT_ONCE = 200 -- messages
local ROUNDS = 3    -- of messages at once: the best counts

local function getenv(name)
   return (assert(os.getenv(name), name .. " is not set"))
end

-- The options of a message to the server of this kind.
local function options(host, kind, subject, more)
   local t = { host = "localhost", port = tonumber(getenv("PORT_" .. kind)), tls_ca_file = getenv "CA_FILE",
      tls = getenv "TLS", username = "ann", password = "sesame-hosts", from = "ann@me.example",
      to = "bob@there.example", subject = subject, text = "sent by a host\n", timeout = 30, loop = host.loop }
   for name, value in pairs(more or {}) do t[name] = value end
   return host.options and host.options(t, kind) or t
end

local function new_report()
   local file = assert(io.open(getenv "RESULT", "a"))
   file:setvbuf "line"
   return function(name, ...)
      file:write(name, " ", table.concat({ ... }, " "), "\n")
   end
end

-- Counts ticks of a host. A tick that comes late counts once for all that were due by then.
-- -> function: ends the count -> the share of ticks that were kept
local function count_ticks(host)
   local began, kept, last, is_over = core.now(), 0, 0, false
   local function wait_for_next()
      host.after(began + (last + 1) * TICK - core.now(), function()
         if is_over then return end
         last, kept = math.max(last + 1, math.floor((core.now() - began) / TICK)), kept + 1
         wait_for_next()
      end)
   end
   wait_for_next()
   return function()
      is_over = true
      return kept / math.max(1, math.floor((core.now() - began) / TICK))
   end
end

-- A name that is looked up for half a second (spec/tools/resolver.c), and is 127.0.0.1 then.
local SLOW_NAME = "500.4.test"

--- The share of ticks during one message to a server whose look-up is slow, and that thinks before each reply.
function measure.ticks(host, report)
   local stop = count_ticks(host)
   local began = core.now()
   local receipt, err = safe.send(options(host, "slow", getenv "SUBJECT", { host = SLOW_NAME, tls_host = "localhost" }))
   report("sent", receipt and receipt.auth.state or tostring(err))
   report("seconds", core.now() - began)
   report("ticks", stop())
end

--- The error of a server whose certificate is for another name.
function measure.wrong_name(host, report)
   local _, err = safe.send(options(host, "refused", "wrong name"))
   report("wrong_name", err and err.kind or "sent", err and err.reason or "")
   report("wrong_name_text", tostring(err))
end

--- The seconds until a server that drips is given up, which is to be after one.
function measure.drip(host, report)
   local stop, began = count_ticks(host), core.now()
   local _, err = safe.send(options(host, "drip", "drip", { timeout = 1 }))
   report("drip", err and err.kind or "sent", core.now() - began)
   report("drip_text", tostring(err))
   report("drip_ticks", stop())
end

-- Runs many messages at once, each by `spawn`. Then calls done(seconds of time, seconds of this process).
local function send_at_once(host, spawn, report, done)
   local left, began, clock = AT_ONCE, core.now(), os.clock()
   for i = 1, AT_ONCE do
      spawn(function()
         local _, err = safe.send(options(host, "prompt", "at once " .. i))
         if err then report("failed", tostring(err)) end
         left = left - 1
         if left == 0 then done(core.now() - began, os.clock() - clock) end
      end)
   end
end

local function send_many(host)
   local began, list = core.now(), {}
   for i = 1, AT_ONCE do list[i] = { from = "ann@me.example", to = "bob@there.example", text = "number " .. i } end
   local t = options(host, "prompt")
   t.from, t.to, t.subject, t.text = nil, nil, nil, nil
   local summary, err = safe.send_many(t, list, { connections = 20 })
   assert(summary, tostring(err))
   assert(summary.sent == AT_ONCE, summary.sent .. " were sent")
   return core.now() - began
end

--- The same messages by the scheduler of this library, which blocks its thread.
function measure.own(report)
   local host = {}
   local scheduler = require "smtp.runtime.scheduler"
   local jobs = {}
   send_at_once(host, function(fn) jobs[#jobs + 1] = fn end, report, function(seconds, cpu)
      report("own", seconds, cpu)
   end)
   assert(scheduler.run(jobs))
   report("own_many", send_many(host))
end

--- All measurements in a host, one after the other.
function measure.all(host)
   local report = new_report()
   for _ = 1, host.is_blocked and 0 or ROUNDS do measure.own(report) end
   host.run(function(finish)
      local round = 0
      local function next_round()
         round = round + 1
         send_at_once(host, host.spawn, report, function(seconds, cpu)
            report("at_once", seconds, cpu)
            if not host.has_no_nested then report("many", send_many(host)) end
            if round < ROUNDS then return next_round() end
            report "end"
            finish()
         end)
      end
      host.spawn(function()
         measure.ticks(host, report)
         if host.is_blocked then return finish() end
         measure.wrong_name(host, report)
         measure.drip(host, report)
         next_round()
      end)
   end)
end

return measure
