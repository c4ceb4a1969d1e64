--- Counters of mail for Prometheus, in nginx: one shared dict for all workers.
--
--    smtp.send { observe = require("metrics").observe, … }
--
-- The labels are words of the library's own, never text from outside, so that their number is
-- small and nothing in them has to be escaped.
local metrics = {}

local counters = ngx.shared.smtp_metrics

local function add(name, labels, value)
   counters:incr(("smtp_%s_total{%s}"):format(name, labels), value or 1, 0)
end

local on = {}

function on.connected(event)
   add("connections", ('reused="%s"'):format(event.reused))
end

function on.stage(event)
   if not event.ended then return end
   add("stages", ('stage="%s"'):format(event.ended))
   add("stage_seconds", ('stage="%s"'):format(event.ended), event.took)
end

function on.done(event)
   on.stage(event)
   add("bytes", 'direction="sent"', event.sent_bytes)
   add("bytes", 'direction="heard"', event.heard_bytes)
   if event.kind then
      add("broken", ('kind="%s",reason="%s"'):format(event.kind, event.reason))
   end
end

function on.result(event)
   local kind, reason = event.kind or "sent", event.reason or ""
   add("messages", ('kind="%s",reason="%s"'):format(kind, reason))
   add("message_seconds", ('kind="%s",reason="%s"'):format(kind, reason), event.seconds)
   add("recipients", 'state="accepted"', event.accepted)
   add("recipients", 'state="refused"', event.refused)
end

--- For the option `observe`.
function metrics.observe(event)
   if on[event.name] then on[event.name](event) end
end

--- Answers a request with all counters, in the text format of Prometheus.
function metrics.show()
   local keys, family = counters:get_keys(0), nil
   table.sort(keys)
   ngx.header.content_type = "text/plain; version=0.0.4"
   for _, key in ipairs(keys) do
      local name = key:match "^[a-z_]+"
      if name ~= family then ngx.say("# TYPE ", name, " counter") end
      family = name
      ngx.say(key, " ", counters:get(key))
   end
end

return metrics
