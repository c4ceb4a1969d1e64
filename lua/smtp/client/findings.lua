--- What a conversation finds out about its server: remembered for later connections, and given to
-- receipts and errors. Only this module writes the memory of what servers offered.
-- @module smtp.client.findings

local mechanisms = require "smtp.client.mechanisms"
local failure = require "smtp.result.failure"
local receipt = require "smtp.result.receipt"

local findings = {}

-- Compares what the server offers with what it offered before, once for each connection.
local function note_offer(conv, facts)
   if conv.noted or facts.server == "" then return end
   conv.noted = true
   conv.downgrade = mechanisms.downgrade(conv.server, facts)
end

--- The state of authentication now.
---@return smtp.AuthState
function findings.auth(conv)
   local facts = conv.session:facts()
   note_offer(conv, facts)
   return receipt.auth(conv, facts)
end

--- What all receipts of this connection share: see receipt.parts.
function findings.parts(conv)
   local parts = conv.parts
   if not parts then
      local facts = conv.session:facts()
      note_offer(conv, facts)
      parts = receipt.parts(conv, facts, conv.words)
      conv.parts = parts
   end
   if not parts.pipelining then
      parts.pipelining = receipt.pipelining(parts, conv.session:grade())
   end
   return parts
end

--- The receipt of a message that one transaction has brought to all recipients whom the server
-- accepts; nil where there is more to report, as there is of a message that the server refused.
---@return smtp.Receipt|nil
function findings.receipt(conv, mail, transaction, started)
   local recipients, accepted, refused, reply = transaction:receipt()
   if not recipients then return nil end
   local parts = conv.parts
   if not parts or not parts.pipelining then parts = findings.parts(conv) end
   return receipt.new(parts, receipt.used(mail.needs, parts), mail.message_id, mail.size,
      conv.moved - started, recipients, accepted, refused, reply)
end

--- The error that reports this trouble: see failure.new.
---@param trouble table
---@param mail? table
---@param recipients? table
---@return smtp.Error
function findings.error(conv, trouble, mail, recipients)
   local session = conv.session
   if not session then return failure.new(conv, nil, nil, trouble, mail, recipients) end
   local facts, offered = session:facts(), {}
   note_offer(conv, facts)
   if facts.mechanisms ~= "" then offered = conv:mechanisms() end
   return failure.new(conv, facts, offered, trouble, mail, recipients)
end

return findings
