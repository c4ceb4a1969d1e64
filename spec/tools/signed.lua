--- Messages that are signed on their way.

local dkim = require "smtp.dkim"
local dkim_keys = require "spec.tools.dkim_keys"
local safe = require "smtp.safe"
local talk = require "spec.tools.talk"

local signed = {}

--- What surrounds a message.
signed.script = talk.snippets {
   until_body = [[
      C~ MAIL
      S: 250 ok
      C: RCPT TO:<bob@there.example>
      S: 250 ok
      C: DATA
      S: 354 go
      MESSAGE
   ]],
   rest = [[
      S: 250 ok
      <bye>
   ]],
}

--- The key that signs.
signed.key = dkim_keys.rfc.ed25519

--- What arrived, dots taken out.
function signed.arrived(peer)
   return (("\r\n" .. peer.body):gsub("\r\n%.\r\n$", "\r\n"):gsub("\r\n%.", "\r\n"):gsub("^\r\n", ""))
end

--- Sends a signed message.
---@return table peer
---@return table|nil receipt
---@return table|nil err
function signed.send(more, transcript)
   local peer = talk.peer(transcript or signed.script [[
      <hello 8BITMIME>
      <until_body>
      <rest>
   ]])
   local t = talk.options({ raw = false, dkim = { domain = "me.example", selector = "s", key = signed.key } }, peer)
   if not more.raw then t.date, t.message_id = 1764000000, "<1@me.example>" end
   for name, value in pairs(more) do t[name] = value end
   local receipt, err = safe.send(t)
   return peer, receipt, err
end

--- The signature that a message must have, made anew from what arrived at the time it names.
function signed.is_signed(text)
   local head = text:match("^(DKIM%-Signature: .-\r\n)[A-Z]%S*: ") or ""
   local unsigned = text:sub(#head + 1)
   local time = tonumber(head:match("t=(%d+)"))
   local again = dkim.sign(unsigned, { domain = "me.example", selector = "s", key = signed.key },
      function() return time end)
   return again == text
end

return signed
