--- Errors about a conversation: what went wrong, and what is known of the server.
-- @module smtp.result.failure

local ascii = require "smtp.ground.ascii"
local core = require "smtp.core"
local errors = require "smtp.errors"
local hints = require "smtp.result.hints"
local interruptions = require "smtp.result.interruptions"
local refusal = require "smtp.result.refusal"
local verdict = require "smtp.result.verdict"

local failure = {}

-- ---- what the line says after the sentence, by the kind of the error ----

local function keywords(conv, facts)
   local list = {}
   for line in facts.capabilities:gmatch("[^\n]+") do
      list[#list + 1] = line:match("^[^ \t-\r=]+")
   end
   if #list == 0 then return "nothing" end
   return conv.transcript:mask(table.concat(list, ", "))
end

local function earlier(conv)
   local gone = conv.downgrade
   return gone and "; on an earlier connection it offered " .. table.concat(gone, ", ") or ""
end

local function hello(conv)
   return interruptions.verb(conv.server, "ehlo")
end

local detail = {}

function detail.tls_unsupported(err, conv, facts)
   if err.reason == "helo_only" then return "" end
   return (", but tls = \"require\" (%s offered %s)"):format(hello(conv), keywords(conv, facts))
end

function detail.auth_unsupported(err, conv, facts, offered)
   if err.reason == "helo_only" or err.reason == "rejected_command" then return "" end
   if err.reason == "no_common_mechanism" then
      local list = {} -- "PLAIN: answered 504; GSSAPI: not known here"
      for i = 1, #offered do list[i] = offered[i].name .. ": " .. offered[i].text end
      return (" (it offers %s)"):format(conv.transcript:mask(table.concat(list, "; ")))
         .. earlier(conv)
   end
   return (", but auth = %q (%s offered %s)"):format(conv.server.auth, hello(conv),
      keywords(conv, facts)) .. earlier(conv)
end

local untried = { untried = true, unbound = true } -- states of mechanisms

-- The mechanism, what it said, and what was not tried.
function detail.auth_rejected(_, conv, facts, offered)
   local list = {}
   for i = 1, #offered do
      if untried[offered[i].state] then list[#list + 1] = offered[i].name end
   end
   return (" (AUTH %s%s%s)"):format(facts.mechanism or "",
      conv.login.refusal and ": " .. conv.transcript:mask(conv.login.refusal) or "",
      #list > 0 and "; not tried: " .. table.concat(list, ", ") or "")
end

-- Why the extension is needed, or what the server offers of it.
function detail.extension_unsupported(err, conv, _, _, message)
   local reason = err.reason
   if reason == "helo_only" or reason == "requiretls_unverified" then return "" end
   local offered = reason:match("^(.*)_m[ai][xn]imum$")
   if offered then
      local keyword = ascii.upper(offered)
      return (" (%s offered %s %s)"):format(hello(conv), keyword, err.capabilities[keyword])
   end
   return ", and " .. (message.needs[reason] or ("extensions[%q] = \"require\""):format(reason))
end

function detail.message_too_large(err)
   if err.code then return "" end
   return (" (%d bytes; its limit is %d)"):format(err.size, err.limit)
end

-- Reasons whose line names the command: here a reply broke the protocol.
local is_reply = { malformed = true, tls_on_plain_port = true, mixed_codes = true, too_long = true,
   unexpected = true }

function detail.protocol(err, conv)
   return is_reply[err.reason] and interruptions.place(conv.server, err.stage) or ""
end

-- ---- the error ----

-- The newest command of this stage, of any where none of it is kept.
local function newest_command(news, stage)
   local newest
   for i = #news - 2, 1, -3 do
      if news[i] == "C" and news[i + 2] == stage then return news[i + 1] end
      newest = newest or news[i] == "C" and news[i + 1] or nil
   end
   return newest
end

-- The lines of the dialogue, without secrets, and the command that the trouble is about.
local function add_dialogue(err, conv, seen, stage)
   local lines = err.transcript
   err.command = newest_command(seen.news, stage)
   for line in seen.dialogue:gmatch("[^\n]+") do lines[#lines + 1] = line end
   if conv.transcript.secrets[1] then conv.transcript:mask_lines(lines, seen.is_open) end
end

local function add_facts(err, conv, seen, trouble, message)
   local facts = seen.facts
   err.capabilities = seen.capabilities
   err.mechanisms, err.mechanism = seen.mechanisms, facts.mechanism
   err.offered, err.offered_before_tls = facts.offered, facts.offered_before_tls
   err.starttls_offered = facts.starttls_offered
   err.auth_reason, err.bound, err.downgrade = facts.auth_reason, facts.bound, conv.downgrade
   if trouble.stage == "auth" then -- the core may have cut it
      err.challenge = conv.transcript:mask(facts.challenge,
         #(facts.challenge or "") > core.limits.challenge - 4)
   end
   if message and trouble.kind == "message_too_large" then
      err.limit, err.size = facts.size_max, message.size
   end
   if message and trouble.reason == "smtputf8" then err.value = message.utf8_address end
end

local is_interrupted = { disconnected = true, timeout = true }

-- A reply has its sentence already.
local function describe(conv, trouble, message)
   if trouble.code and not is_interrupted[trouble.kind] then return end
   interruptions.describe(conv, trouble, message)
end

local function case_of(conv, facts, err, trouble)
   local case = refusal.case(conv.server, facts and { state = facts.auth,
      mechanism = facts.mechanism, offered = err.offered, challenge = err.challenge },
      conv.domain, trouble.from)
   if conv.words and not conv.in_lockstep then
      case.waits = refusal.waits(conv.words.pipelining)
   end
   return case
end

local function add_detail(err, trouble, ...)
   local say = detail[trouble.kind]
   if say then err.what = err.what .. say(err, ...) end
end

-- The message belongs to the command that announces it.
local command_stage = { body = "data", final = "data" }

--- The error that reports a conversation's trouble.
---@param conv smtp.Conversation   its offer is noted
---@param seen table         what findings.error takes of the session; without one: { offered = {} }
---@param trouble table      kind, reason, stage, code, enhanced, text, hint, cause, idle, sentence
--   ("refused EHLO"; where `is_note`, one that has another subject than the server)
---@param message? table        the message that the trouble is about
---@param recipients? table  the recipients of the transaction that failed
---@return smtp.Error
function failure.new(conv, seen, trouble, message, recipients)
   local err, facts = { transcript = {} }, seen.facts
   verdict.settle(conv, trouble, facts)
   describe(conv, trouble, message)
   if facts then
      -- Of several messages in flight, the one whose command it was is not known.
      local stage = conv.server.pipelining ~= "eager" and trouble.stage or nil
      add_dialogue(err, conv, seen, command_stage[stage] or stage)
      add_facts(err, conv, seen, trouble, message)
   end
   local case = case_of(conv, facts, err, trouble)
   refusal.name(trouble, case, recipients, message and message.needs_all_recipients)
   verdict.add_trouble(err, conv, trouble)
   if facts then add_detail(err, trouble, conv, facts, seen.offered, message) end
   if recipients then verdict.add_recipients(err, recipients) end
   err = errors.new(trouble.kind, err)
   err.hint = err.hint or trouble.hint or hints.find(err, conv.server, seen.offered, trouble)
   return err
end

return failure
