--- Records of messages, receipts and errors, for specs of what becomes of a message.
local encoding = require "smtp.outbox.encoding"
local retry = require "smtp.outbox.retry"
local states = require "smtp.outbox.states"

local records = {}

records.NOW = 5000

-- A record with recipients in these states; those that are queued are open.
function records.record_of(...)
   local list, open, to = {}, {}, {}
   for i, state in ipairs { ... } do
      list[i] = { address = "u" .. i .. "@x.example", state = state }
      if state == "queued" then open[#open + 1], to[#to + 1] = i, list[i].address end
   end
   return { number = 1, id = "m", claim = 7, state = "claimed", attempts = 0, since = 1000,
      list = list, open = open, to = to, recipients = encoding.encode(list), ending = "", history = "" }
end

records.settings = { retry = retry.read(nil) }

function records.states_of(result)
   local words = {}
   for i, one in ipairs(encoding.decode(result.recipients)) do words[i] = one.state end
   return result.state .. ": " .. table.concat(words, " ")
end

local function verdicts(...)
   local list = {}
   for i, one in ipairs { ... } do
      local state, code, word = one:match("^(%w+) ?(%d*) ?(%w*)$")
      list[i] = { state = state, code = tonumber(code), text = code ~= "" and "said" or nil,
         retry = word ~= "" and word or nil }
   end
   return list
end

function records.receipt(...)
   return { recipients = verdicts(...), reply = { code = 250, text = "ok" },
      server = { host = "h", port = 25, address = "192.0.2.1" } }
end

function records.failure(word, ...)
   return { recipients = verdicts(...), retry = word, kind = "k", reason = "r", what = "w" }
end

function records.after(record, got, err, own)
   return states.after_attempt(record, got, err, own or records.settings, records.NOW)
end

return records
