--- What is certain of a failure, whatever its texts: who has the message, whether another attempt
-- helps, and what the server said. The modules that explain it are loaded with the first failure.
-- If they cannot be read then, the error lacks only the explanations.
-- @module smtp.result.verdict

local errors = require "smtp.errors"
local system = require "smtp.ground.resources"

local load_refusal = system.loader "smtp.result.refusal"

local verdict = {}

--- "mail.example.com:25", or the path of a unix socket.
function verdict.place(server)
   if server.socket then return server.socket end
   local name = server.host:find(":", 1, true) and "[" .. server.host .. "]" or server.host
   return ("%s:%d"):format(name, server.port)
end

-- ---- when another attempt helps ----

-- bdat: without BDAT; chunk: without the harmless chunk; reset_refused: another connection needs no
-- RSET.
local retry_by_reason = { bdat = "now", chunk = "now", reset_refused = "now",
   tls_flood = "later" }

-- Time changes nothing, whatever the code says.
local never = { tls_required = true, auth_required = true }

local retry_by_kind = { connect = "later", resolve = "later", timeout = "later",
   disconnected = "now", protocol = "now", system = "later" }

local function retry_without_code(trouble)
   if trouble.reason == "injected" or trouble.reason == "unknown_host" then return "never" end
   if trouble.kind == "protocol" and trouble.stage == "greeting" then return "never" end
   -- After many failed logins some servers close the connection in place of an answer for a while.
   if trouble.kind == "disconnected" and trouble.stage == "auth" then return "later" end
   return retry_by_kind[trouble.kind] or "never"
end

local function retry_of(trouble)
   local class, by_reason = math.floor((trouble.code or 0) / 100), retry_by_reason[trouble.reason]
   local is_idle = trouble.idle and trouble.kind == "disconnected"
   if by_reason == "now" then return "now" end
   if trouble.retry then return trouble.retry end
   if by_reason or is_idle then return "later" end
   if never[trouble.kind] or class == 5 then return "never" end
   return class == 4 and "later" or retry_without_code(trouble)
end

-- ---- what became of the recipients ----

local is_refused = { refused = true, deferred = true }

-- Without the tables of causes: what the codes say.
local function name_by_code(recipients)
   for i = 1, #recipients do
      local one = recipients[i]
      if is_refused[one.state] and one.code then
         one.reason, one.retry = "refused", one.code < 500 and "later" or "never"
      end
   end
end

--- Add reason, concerns, retry and hint to each recipient that was refused.
---@param recipients table[]
---@param server table   host, port, protocol, username
---@param auth? table    state, mechanism, offered
function verdict.name_recipients(recipients, server, auth)
   local refusal = load_refusal()
   if not refusal then return name_by_code(recipients) end
   refusal.name_recipients(recipients, refusal.case(server, auth))
end

local function count(recipients, state)
   local n = 0
   for i = 1, #recipients do
      if recipients[i].state == state then n = n + 1 end
   end
   return n
end

--- Put in an error what each recipient has.
---@param err table   with `what`
---@param recipients table[]
function verdict.add_recipients(err, recipients)
   local unknown, accepted = count(recipients, "unknown"), count(recipients, "accepted")
   err.recipients = recipients
   err.sent = accepted > 0 and "partly" or unknown > 0 and "maybe" or "no"
   if unknown > 0 then
      err.retry = "doubt"
      err.hint = "Check whether the message arrived before you send it again"
      err.what = err.what .. "; the message may have been delivered"
   end
   if accepted > 0 then
      err.what = ("%s; %d of %d recipients have it"):format(err.what, accepted, #recipients)
   end
end

--- A copy of the error, for one of several messages that fail for the same reason: its caller may
-- change it.
---@param err smtp.Error
---@return smtp.Error
function verdict.own(err)
   local own = {}
   for name, value in next, err do own[name] = value end
   return errors.new(own.kind, own)
end

--- A copy of the error, for a message that some of its recipients have had before.
---@param err smtp.Error
---@param recipients table
---@return smtp.Error
function verdict.partly(err, recipients)
   local own = verdict.own(err)
   verdict.name_recipients(recipients, err)
   verdict.add_recipients(own, recipients)
   return errors.new(own.kind, own)
end

-- ---- a trouble ----

-- Some servers refuse EHLO and close the connection: their reply says why.
local function quote_ehlo(trouble, reply)
   local is_silent = trouble.kind == "disconnected" and trouble.stage == "ehlo" and not trouble.code
   if not reply or not is_silent then return end
   trouble.kind, trouble.reason = "greeting_refused", "refused"
   trouble.sentence, trouble.is_note = "refused EHLO and closed the connection", nil
   trouble.code, trouble.enhanced, trouble.text = reply.code, reply.enhanced, reply.text
end

local is_interrupted = { disconnected = true, timeout = true }

-- The end of the connection may have cut what the server said, and a proxy says more than is read.
local function masked_text(conv, trouble)
   if not conv.transcript.secrets[1] then return trouble.text end
   return conv.transcript:mask(trouble.text, is_interrupted[trouble.kind] or trouble.code == 421
      or trouble.stage == "connect")
end

--- Make a trouble ready for an error: its kind is final, and its text is without secrets.
---@param conv smtp.Conversation
---@param trouble table
---@param facts? table   session:facts(), where there is a session
function verdict.settle(conv, trouble, facts)
   quote_ehlo(trouble, facts and facts.ehlo_reply)
   trouble.text = masked_text(conv, trouble)
end

--- Put a trouble in an error.
---@param err table
---@param conv smtp.Conversation
---@param trouble table   with its sentence
function verdict.add_trouble(err, conv, trouble)
   local server = conv.server
   err.reason, err.concerns, err.stage = trouble.reason, trouble.concerns, trouble.stage
   err.code, err.enhanced, err.text = trouble.code, trouble.enhanced, trouble.text
   err.host, err.port, err.address = server.host, server.port, conv.address
   err.tried = conv.tried
   err.cause, err.tls, err.retry = trouble.cause, conv.tls and true or false, retry_of(trouble)
   err.what = verdict.place(server) .. (trouble.is_note and ": " or " ") .. trouble.sentence
end

--- The error for a trouble whose explanation cannot be read now: see failure.new.
---@param conv smtp.Conversation
---@param trouble table
---@param facts? table
---@param recipients? table[]
---@param lack smtp.Error   why it cannot be read
---@return smtp.Error
function verdict.unexplained(conv, trouble, facts, recipients, lack)
   local err = { transcript = {} }
   verdict.settle(conv, trouble, facts)
   if not trouble.sentence then
      trouble.sentence = ("the attempt failed at the stage %s (reason: %s)"):format(
         trouble.stage or "connect", trouble.reason)
      trouble.is_note = true
   end
   verdict.add_trouble(err, conv, trouble)
   if recipients then
      name_by_code(recipients)
      verdict.add_recipients(err, recipients)
   end
   if trouble.kind == "system" then err.hint = err.hint or system.LACK_HINT end
   err.hint = (err.hint and err.hint .. ". " or "") .. "No explanation is available: " .. lack.what
   return errors.new(trouble.kind, err)
end

return verdict
