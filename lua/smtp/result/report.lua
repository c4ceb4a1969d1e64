--- What the core and the driver know, as receipts and errors for people.
-- @module smtp.result.report

local ascii = require "smtp.ground.ascii"
local auth = require "smtp.client.mechanisms"
local core = require "smtp.core"
local errors = require "smtp.errors"
local hints = require "smtp.result.hints"
local quirks = require "smtp.client.memory"
local transcript = require "smtp.result.transcript"

local report = {}

--- "mail.example.com:25", or the path of a unix socket.
function report.place(server)
   if server.socket then return server.socket end
   local name = server.host:find(":", 1, true) and "[" .. server.host .. "]" or server.host
   return ("%s:%d"):format(name, server.port)
end

local function words(text)
   local list = {}
   for word in text:gmatch("[^ \t-\r]+") do list[#list + 1] = word end
   return list
end

local function read_capabilities(facts)
   local found = {}
   for line in facts.capabilities:gmatch("[^\n]+") do
      local keyword, rest = line:match("^([^ \t-\r=]+)[ \t=]*(.-)[ \t]*$")
      if keyword then
         keyword = keyword:gsub("[a-z]", ascii.upper)
         found[keyword] = found[keyword] and found[keyword] .. " " .. rest or rest
      end
   end
   return found
end

local newest_text, newest_found -- most connections are to the same server

--- EHLO's keywords, upper case, to their parameters ("" where there are none).
function report.capabilities(facts)
   if newest_text ~= facts.capabilities then
      newest_text, newest_found = facts.capabilities, read_capabilities(facts)
   end
   local found = {}
   for keyword, rest in next, newest_found do found[keyword] = rest end
   return found
end

local function keywords(conv, facts)
   local list = {}
   for line in facts.capabilities:gmatch("[^\n]+") do
      list[#list + 1] = line:match("^[^ \t-\r=]+")
   end
   if #list == 0 then return "nothing" end
   return conv.transcript:mask(table.concat(list, ", "))
end

-- "PLAIN: answered 504; GSSAPI: not known here"
local function why_not(names, reasons)
   local list = {}
   for i = 1, #names do list[i] = names[i] .. ": " .. reasons[names[i]] end
   return table.concat(list, "; ")
end

local CHALLENGE_MAX = 9216 -- SMTP_CHALLENGE_MAX: more of it is not kept

local function challenge(conv, facts)
   local text = facts.challenge
   return conv.transcript:mask(text, text and #text > CHALLENGE_MAX - 4)
end

local function untried(conv, names, reasons)
   local list = {}
   for i = 1, #names do
      if reasons[names[i]]:find("^not tried") then list[#list + 1] = names[i] end
   end
   local facts = conv.session:facts()
   return (" (AUTH %s%s%s%s)"):format(facts.mechanism or "",
      conv.refusal and ": " .. conv.transcript:mask(conv.refusal) or "",
      facts.challenge and ": " .. challenge(conv, facts) or "",
      #list > 0 and "; not tried: " .. table.concat(list, ", ") or "")
end

local function earlier(conv)
   local gone = conv.downgrade
   return gone and "; on an earlier connection it offered " .. table.concat(gone, ", ") or ""
end

local function hello(conv)
   return conv.server.protocol == "lmtp" and "LHLO" or "EHLO"
end

-- Why an extension was wanted, or what the server says of it.
local function missing(conv, reason, facts)
   local offered = reason:match("^(.*)_m[ai][xn]imum$")
   if offered then
      local keyword = ascii.upper(offered)
      return (" (%s offered %s %s)"):format(hello(conv), keyword,
         report.capabilities(facts)[keyword])
   elseif reason == "requiretls_unverified" then
      return ""
   end
   return ", and " .. (conv.mail.needs[reason] or ("extensions[%q] = \"require\""):format(reason))
end

local function detail(conv, trouble, facts)
   local kind, reason = trouble.kind, trouble.reason
   local names, reasons = auth.reasons(conv, facts, trouble.code)
   if reason == "helo_only" then
      return ""
   elseif kind == "tls_unsupported" then
      return (", and tls = \"require\" (%s offered %s)"):format(hello(conv), keywords(conv, facts))
   elseif reason == "no_common_mechanism" then
      local offer = conv.transcript:mask(why_not(names, reasons))
      return (" (it offers %s)"):format(offer) .. earlier(conv)
   elseif kind == "auth_unsupported" and reason ~= "rejected_command" then
      return (", and auth = %q (%s offered %s)"):format(conv.server.auth, hello(conv),
         keywords(conv, facts))
         .. earlier(conv)
   elseif kind == "auth_rejected" then
      return untried(conv, names, reasons)
   elseif kind == "extension_unsupported" then
      return missing(conv, reason, facts)
   elseif kind == "message_too_large" and not trouble.code then
      return (" (%d octets; its limit is %d)"):format(conv.mail.size, facts.size_max)
   elseif kind == "recipients_refused" or kind == "sender_refused" or kind == "data_refused" then
      return ""
   elseif kind == "timeout" or kind == "disconnected" or kind == "protocol" then
      return (" (stage %s)"):format(trouble.stage)
   end
   return ""
end

local retry_by_kind = {
   connect = "later", resolve = "later", timeout = "later", disconnected = "now", protocol = "now",
   system = "later",
}

local function retry_of(trouble)
   local class = math.floor((trouble.code or 0) / 100)
   if trouble.reason == "bdat" then return "now" end -- it will be done without
   if trouble.reason == "reset_refused" then return "now" end -- another connection needs no RSET
   if trouble.idle and trouble.kind == "disconnected" then return "later" end
   if trouble.reason == "quota" or trouble.reason == "tls_flood" then return "later" end
   -- Time changes nothing, whatever the code says.
   if trouble.kind == "tls_required" or trouble.kind == "auth_required" then return "never" end
   if class == 4 then return "later" end
   if class == 5 then return "never" end
   if trouble.reason == "injected" or trouble.reason == "unknown_host" then return "never" end
   if trouble.kind == "protocol" and trouble.stage == "greeting" then return "never" end
   return retry_by_kind[trouble.kind] or "never"
end

local function count(recipients, state)
   local n = 0
   for i = 1, #recipients do
      if recipients[i].state == state then n = n + 1 end
   end
   return n
end

--- What the server offers no more, see auth.downgrade; once for each connection.
function report.note_offer(conv, facts)
   if not conv.noted and facts.server ~= "" then
      conv.noted = true
      conv.downgrade = auth.downgrade(report.place, conv.server, facts)
   end
   return conv.downgrade
end

--- The state of authentication, for people.
---@param facts? table   of the conversation's session, where they are at hand
function report.auth(conv, facts)
   facts = facts or conv.session:facts()
   local reasons = facts.auth == "unavailable" and select(2, auth.reasons(conv, facts)) or nil
   return { state = facts.auth, mechanisms = reasons,
      mechanism = facts.auth == "authenticated" and facts.mechanism or nil,
      reason = facts.auth_reason, offered = words(facts.mechanisms),
      downgrade = report.note_offer(conv, facts) }
end

-- What became of each recipient of a message that failed.
local function tell_of(err, recipients)
   local unknown, accepted = count(recipients, "unknown"), count(recipients, "accepted")
   err.recipients = recipients
   err.sent = accepted > 0 and "partly" or unknown > 0 and "maybe" or "no"
   if unknown > 0 then
      err.retry = "doubt"
      err.what = err.what .. "; the message may have been delivered"
   end
   if accepted > 0 then
      err.what = ("%s; %d of %d recipients have it"):format(err.what, accepted, #recipients)
   end
end

--- The same error, of a message that some of its recipients have had before.
function report.partly(err, recipients)
   local own = {}
   for name, value in next, err do own[name] = value end
   tell_of(own, recipients)
   return errors.new(own.kind, own)
end

--- A server may repeat a secret in any reply.
function report.masked(conv, answers)
   for i = 1, #answers do answers[i].text = conv.transcript:mask(answers[i].text) end
   return answers
end

-- The end of the connection may have cut what the server said.
local function masked_text(conv, trouble)
   local kind = trouble.kind
   return conv.transcript:mask(trouble.text, kind == "disconnected" or kind == "timeout"
      or trouble.code == 421)
end

--- An error from trouble: { kind, reason, stage, sentence, code, enhanced, text }.
---@param conv table         server, session (or nil), address, tls
---@param trouble table
---@param recipients? table  of the transaction that failed
---@return table
function report.error(conv, trouble, recipients)
   local server = conv.server
   local facts = conv.session and conv.session:facts()
   local lines = conv.transcript:lines(conv.session)
   -- Of several messages in flight nobody knows whose command it was.
   local stage = server.pipelining ~= "eager" and trouble.stage or nil
   local err = {
      reason = trouble.reason, stage = trouble.stage, code = trouble.code,
      enhanced = trouble.enhanced, text = masked_text(conv, trouble), host = server.host,
      port = server.port, address = conv.address, cause = trouble.cause,
      tls = conv.tls and true or false, retry = retry_of(trouble),
      transcript = lines, command = transcript.last_command(lines, stage),
   }
   local what = ("%s %s"):format(report.place(server), trouble.sentence)
   if facts then
      err.offered = words(facts.mechanisms)
      err.offered_before_tls = words(facts.mechanisms_before_tls)
      err.starttls_offered = facts.starttls_offered
      err.auth_reason, err.mechanism = facts.auth_reason, facts.mechanism
      err.bound = facts.bound
      if trouble.stage == "auth" then err.challenge = challenge(conv, facts) end
      err.downgrade = report.note_offer(conv, facts)
      local code = trouble.stage == "auth" and trouble.code
      err.mechanisms = select(2, auth.reasons(conv, facts, code))
      err.capabilities = report.capabilities(facts)
      if trouble.kind == "message_too_large" then
         err.limit, err.size = facts.size_max, conv.mail.size
      end
      if trouble.reason == "smtputf8" then err.value = conv.mail.utf8_address end
      what = what .. detail(conv, trouble, facts)
   end
   err.what = what
   if recipients then tell_of(err, recipients) end
   err = errors.new(trouble.kind, err)
   err.hint = trouble.hint or hints.find(err, server)
   return err
end

local function split(recipients)
   local accepted, refused = {}, {}
   for i = 1, #recipients do
      local one = recipients[i]
      if one.state == "accepted" then
         accepted[#accepted + 1] = one.address
      else
         refused[#refused + 1] = one
      end
   end
   return accepted, refused
end

--- Of the extensions that a message needs: which were used?
---@param needs table   by keyword
---@param parts table   report.parts
function report.used(needs, parts)
   if next(needs) == nil then return parts.none end
   local state = {}
   for keyword in next, needs do
      local offered = parts.capabilities[ascii.upper(keyword)] and parts.words[keyword] ~= "skip"
      state[keyword] = offered and "used" or "unavailable"
   end
   if state.binarymime == "used" and state.chunking == "used" then
      state["8bitmime"] = nil
   elseif state.binarymime then
      state.binarymime = "unavailable"
   end
   return state
end

local function server_parts(conv)
   local facts = conv.session:facts()
   local tls = { state = facts.tls }
   for name, value in next, conv.tls or {} do tls[name] = value end
   return { auth = report.auth(conv, facts), tls = tls, capabilities = report.capabilities(facts),
      words = quirks.extensions(conv.server), none = {}, -- for extensions, see report.used
      server = { host = conv.server.host, port = conv.server.port, address = conv.address,
         name = facts.server:match("^[^ \t-\r]+") } }
end

-- What is really done of the option, by what the server offers and by experience.
local function pipelining(conv, parts)
   if not parts.capabilities.PIPELINING or parts.words.pipelining == "skip" then return "off" end
   return conv.session:grade() == "safe" and "safe" or "eager"
end

--- What all receipts of a connection share: auth, tls, capabilities, server, pipelining.
function report.parts(conv)
   local parts = conv.parts
   if not parts then
      parts = server_parts(conv)
      conv.parts = parts
   end
   if conv.server.pipelining == "eager" or not parts.pipelining then
      parts.pipelining = pipelining(conv, parts)
   end
   return parts
end

--- The receipt of a message that at least one recipient gets. Those of one connection share what
-- they say of the server.
function report.receipt(conv, mail, result, seconds)
   local accepted, refused = split(result.recipients)
   local parts = report.parts(conv)
   return { recipients = result.recipients, accepted = accepted, refused = refused,
      reply = report.masked(conv, { result.reply })[1], message_id = mail.message_id,
      size = mail.size, seconds = seconds, auth = parts.auth, tls = parts.tls,
      server = parts.server, capabilities = parts.capabilities, pipelining = parts.pipelining,
      extensions = report.used(mail.needs, parts) }
end

--- The same where the only recipient has it: `code` and so on are what the server said of him, and
-- `end_code` and so on what it said of the message.
---@param parts table   report.parts
---@param used table    report.used
function report.sole(parts, used, message_id, address, code, enhanced, text, end_code, end_enhanced,
   end_text, size, seconds)
   return {
      recipients = { { address = address, state = "accepted", code = code, enhanced = enhanced,
         text = text } },
      accepted = { address }, refused = {},
      reply = { code = end_code, enhanced = end_enhanced, text = end_text },
      message_id = message_id, size = size, seconds = seconds, auth = parts.auth, tls = parts.tls,
      server = parts.server, capabilities = parts.capabilities, extensions = used,
      pipelining = parts.pipelining,
   }
end

--- The receipt of a message whose only recipient has it; nil where there is more to report.
function report.plain_receipt(conv, mail, transaction, started)
   local address, code, enhanced, text, end_code, end_enhanced, end_text = transaction:receipt()
   if not address then return nil end
   local parts = report.parts(conv)
   return report.sole(parts, report.used(mail.needs, parts), mail.message_id, address,
      code, enhanced, text, end_code, end_enhanced, end_text, mail.size, core.now() - started)
end

return report
