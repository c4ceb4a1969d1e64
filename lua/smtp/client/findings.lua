--- What a conversation finds out about its server: compared with what the server offered on earlier
-- connections, and given to receipts and errors.
-- @module smtp.client.findings

local ascii = require "smtp.ground.ascii"
local bounded = require "smtp.ground.bounded"
local core = require "smtp.core"
local names = require "smtp.options.names"
local receipt = require "smtp.result.receipt"
local system = require "smtp.ground.resources"
local verdict = require "smtp.result.verdict"

local load_evidence = system.loader "smtp.client.evidence"
local mechanisms = system.late "smtp.client.mechanisms" -- credentials bring it

local findings = {}

-- ---- what a server offered before ----

local offers = bounded.new(1000) -- names of mechanisms, by server
local changes = 0                -- grows with each name
-- By server: { offer =, tls =, changes = } of the last time that nothing was missing.
local complete = setmetatable({}, { __mode = "k" })

-- Names that are not known would fill the memory.
local function is_known(server, name)
   for _, entry in ipairs(server.mechanisms) do
      if entry.name == name then return true end
   end
   return names.mechanisms.by_name[name] ~= nil
end

local function compare(server, facts)
   local now, known, gone = {}, {}, {}
   for name in facts.mechanisms:gmatch("[^ \t-\r]+") do
      now[name], known[name] = true, is_known(server, name) or nil
   end
   local key = ("%s %s %s %s"):format(facts.tls, server.socket or server.host,
      tostring(server.port), server.proxy and server.proxy.url or "")
   local earlier = offers:get(key) or offers:set(key, {})
   for name in next, earlier do
      if not now[name] then gone[#gone + 1] = name end
   end
   for name in next, known do
      if not earlier[name] then earlier[name], changes = true, changes + 1 end
   end
   if not gone[1] then
      complete[server] = { offer = facts.mechanisms, tls = facts.tls, changes = changes }
      return nil
   end
   table.sort(gone, ascii.before)
   complete[server] = nil
   return gone
end

-- Mechanisms that this server offered on an earlier connection of this process, and now no more: a
-- sign of a man in the middle, or of a changed server (RFC 4954 9). Remembers those of now, as far
-- as this library knows them.
local function downgrade(server, facts)
   if server.transport and not server.host_given then return nil end -- it names no server
   if offers.empty and facts.mechanisms == "" then return nil end
   local last = complete[server]
   if last and last.offer == facts.mechanisms and last.tls == facts.tls
      and last.changes == changes then
      return nil
   end
   return compare(server, facts)
end

-- Compares once for each connection.
local function note_offer(conv, facts)
   if conv.noted or facts.server == "" then return end
   conv.noted = true
   conv.downgrade = downgrade(conv.server, facts)
end

-- ---- for receipts and errors ----

--- The mechanisms that the server offers, and why each is not in use: see mechanisms.explain.
---@return table[]                what became of each
---@return table<string, string>   the same in words, by name
function findings.mechanisms(conv)
   local list = conv.session:mechanisms()
   return list, mechanisms.explain(list, conv.server, conv.login.unusable)
end

-- The state of authentication, after the offer was noted.
local function auth_of(conv, facts)
   local texts
   if facts.auth == "unavailable" then texts = select(2, findings.mechanisms(conv)) end
   return receipt.auth(conv, facts, texts)
end

--- The state of authentication now.
---@return smtp.AuthState
function findings.auth(conv)
   local facts = conv.session:facts()
   note_offer(conv, facts)
   return auth_of(conv, facts)
end

-- By server: the parts of the newest connection without AUTH on which no mechanism was missing, and
-- what they depend on. The next connections most likely find the same.
local newest = setmetatable({}, { __mode = "k" })

local function new_parts(conv, offer)
   local facts, server = conv.facts or conv.session:facts(), conv.server
   note_offer(conv, facts)
   local parts = receipt.parts(conv, facts, auth_of(conv, facts),
      core.capabilities(facts.capabilities))
   newest[server] = offer and conv.noted and not conv.downgrade
      and { template = receipt.template(parts), offer = offer,
      tls = facts.tls, words = conv.words, address = conv.address, changes = changes } or nil
   return parts
end

-- The parts of this connection, those of the newest one if it found the same.
local function parts_of(conv)
   local known = newest[conv.server]
   local offer = conv.session:offer(known and known.offer)
   if not known or known.offer ~= offer or known.words ~= conv.words
      or known.address ~= conv.address or known.changes ~= changes then
      return new_parts(conv, offer)
   end
   conv.noted = true
   return receipt.same_parts(known.template, conv.words, conv.tls and receipt.tls(conv, known.tls))
end

--- What all receipts of this connection share: see receipt.parts.
function findings.parts(conv)
   local parts = conv.parts
   if not parts then
      parts = parts_of(conv)
      conv.parts = parts
   end
   parts.pipelining = receipt.pipelining(parts, conv.session:grade())
   return parts
end

--- The receipt of a message.
---@param seconds number
---@param recipients table   from transaction:receipt, as are the following values
---@return smtp.Receipt
function findings.receipt(conv, message, seconds, recipients, accepted, refused, reply)
   local parts = conv.parts
   if not parts or not parts.pipelining then parts = findings.parts(conv) end
   local used, size = parts.none, message.size -- of most messages
   if message.needs ~= receipt.no_needs then used = receipt.used(message.needs, parts) end
   if not message.plain then size = receipt.size(message) end
   return receipt.new(parts, used, message.message_id, size, seconds, recipients, accepted,
      refused, reply)
end

--- The receipt of a message that session:carry has sent, which are the values from `seconds` on.
---@return smtp.Receipt
function findings.plain_receipt(conv, eightbit, message_id, size, seconds, recipients, accepted,
   refused, reply)
   local parts = conv.parts
   if not parts or not parts.pipelining then parts = findings.parts(conv) end
   local used = parts.none
   if eightbit then used = receipt.used(receipt.eightbit_needs, parts) end
   return receipt.new(parts, used, message_id, size, seconds, recipients, accepted, refused, reply)
end

--- The trouble of the session, with what only the conversation knows.
---@param trouble? table   of a transaction
---@return table|nil
function findings.trouble(conv, trouble)
   trouble = trouble or conv.session:trouble()
   if not trouble then return nil end
   if conv.tls_trouble and trouble.kind == "tls" and trouble.reason == "handshake" then
      return conv.tls_trouble
   end
   if trouble.kind == "source" then trouble.cause = conv.cause end
   trouble.idle = conv.idle
   return trouble
end

--- The error that reports this trouble: see failure.new. It explains nothing where the modules for
-- that cannot be read now.
---@param trouble table
---@param message? table
---@param recipients? table
---@return smtp.Error
function findings.error(conv, trouble, message, recipients)
   local session, facts = conv.session, nil
   if session then
      trouble, facts = findings.trouble(conv, trouble), session:facts()
      note_offer(conv, facts)
   end
   local evidence, lack = load_evidence()
   if evidence then return evidence.error(conv, facts, trouble, message, recipients) end
   return verdict.unexplained(conv, trouble, facts, recipients, lack)
end

return findings
