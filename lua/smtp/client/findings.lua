--- What a conversation finds out about its server: remembered for later connections, and given to
-- receipts and errors. Only this module writes the memory of what servers offered.
-- @module smtp.client.findings

local auth = require "smtp.client.mechanisms"
local core = require "smtp.core"
local failure = require "smtp.result.failure"
local quirks = require "smtp.client.memory"
local receipt = require "smtp.result.receipt"

local findings = {}

-- Compares what the server offers with what it offered before, once for each connection.
local function note_offer(conv, facts)
   if conv.noted or facts.server == "" then return end
   conv.noted = true
   conv.downgrade = auth.downgrade(failure.place, conv.server, facts)
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
      parts = receipt.parts(conv, facts, quirks.extensions(conv.server))
      conv.parts = parts
   end
   if conv.server.pipelining == "eager" or not parts.pipelining then
      parts.pipelining = receipt.pipelining(parts, conv.session:grade())
   end
   return parts
end

--- The receipt of a message whose only recipient has it; nil where there is more to report.
---@return smtp.Receipt|nil
function findings.plain_receipt(conv, mail, transaction, started)
   local address, code, enhanced, text, end_code, end_enhanced, end_text = transaction:receipt()
   if not address then return nil end
   local parts = findings.parts(conv)
   return receipt.sole(parts, receipt.used(mail.needs, parts), mail.message_id, address,
      code, enhanced, text, end_code, end_enhanced, end_text, mail.size, core.now() - started)
end

--- The error that reports this trouble: see failure.new.
---@param trouble table
---@param mail? table
---@param recipients? table
---@return smtp.Error
function findings.error(conv, trouble, mail, recipients)
   local facts = conv.session and conv.session:facts()
   if facts then note_offer(conv, facts) end
   return failure.new(conv, facts, trouble, mail, recipients)
end

return findings
