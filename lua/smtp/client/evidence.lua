--- What a conversation that failed shows of its server, for the error that reports it. It is loaded
-- with the first failure: see smtp.client.findings.
-- @module smtp.client.evidence

local core = require "smtp.core"
local failure = require "smtp.result.failure"
local mechanisms = require "smtp.client.mechanisms"

local evidence = {}

--- The error that reports this trouble: see failure.new.
---@param conv smtp.Conversation   its offer is noted
---@param facts? table             session:facts(), where there is a session
---@param trouble table
---@param message? table
---@param recipients? table
---@return smtp.Error
function evidence.error(conv, facts, trouble, message, recipients)
   if not facts then return failure.new(conv, { offered = {} }, trouble, message, recipients) end
   local session = conv.session
   local seen = { facts = facts, capabilities = core.capabilities(facts.capabilities),
      news = session:news(0) or {}, offered = session:mechanisms() }
   seen.dialogue, seen.is_open = session:transcript()
   seen.mechanisms = mechanisms.explain(seen.offered, conv.server, conv.login.unusable)
   return failure.new(conv, seen, trouble, message, recipients)
end

return evidence
