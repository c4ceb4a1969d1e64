--- What a refusal means, in the words for the case at hand: reason, concerns, sentence, hint and
-- retry, from the tables of smtp.result.causes and smtp.result.reasons.
-- @module smtp.result.refusal

local decision = require "smtp.result.decision"
local reasons = require "smtp.result.reasons"
local services = require "smtp.options.services"

local refusal = {}

-- ---- the case at hand ----

local proof_of = { OAUTHBEARER = "token", XOAUTH2 = "token", EXTERNAL = "client certificate" }

-- With some providers the token is the user name as well: no line shows it.
local function login_of(server)
   local login = server.username
   return type(login) == "string" and login ~= "" and login ~= server.password and login or nil
end

local function words_of(value)
   return type(value) == "string" and value ~= "" and value or nil
end

-- What names the account beside a sender.
local function account_of(login, from)
   return login and login ~= from and login:find("@", 1, true) and login or "this login"
end

--- What the case says where pipelining is off ("skip").
---@param word? string   the word for it in smtp.Server.extensions
function refusal.waits(word)
   return word == "skip" and ", although each command waits for its reply" or nil
end

local NONE = {}
local HELLO = { lmtp = "LHLO" }

--- What is known of a conversation: for decision.find, and for the words of a hint.
---@param server table     host, port, protocol, username
---@param auth? table      state, mechanism, offered (a list), challenge
---@param domain? string   what EHLO said
---@param from? string     the sender
---@return table
function refusal.case(server, auth, domain, from)
   auth = auth or { offered = NONE }
   local logged_in, login = auth.state == "authenticated", login_of(server)
   return { host = server.host, lmtp = server.protocol == "lmtp",
      by = proof_of[auth.mechanism] or "password", logged_in = logged_in,
      may_log_in = not logged_in and #auth.offered > 0 and server.port ~= 25,
      login = login, account = logged_in and account_of(login, from) or nil,
      hello = HELLO[server.protocol], ehlo = domain and ("%q"):format(domain),
      once = type(server.token) == "function" and "", challenge = auth.challenge,
      waits = refusal.waits((server.extensions or NONE).pipelining),
      secret = proof_of[auth.mechanism], ["for"] = not logged_in and " without a login" or nil,
      from = words_of(from), to = nil, provider = services.of_host(server.host) }
end

-- ---- the words ----

-- "{from|this sender}" becomes the sender of this case, or "this sender".
local function fill(text, case)
   text = text:gsub("{([a-z]+)|([^}]*)}", function(name, other) return case[name] or other end)
   return (text:gsub("  +", " "):gsub(" $", ""):gsub(" ([,.:])", "%1"))
end

-- The address of this machine, and the list that it is on: " (192.0.2.1; zen.spamhaus.org)"
local function block_of(text)
   local list = text:match("[Uu]sing ([A-Za-z0-9-]+%.[A-Za-z0-9.-]*[A-Za-z])")
      or text:match("[Ll]isted [a-z][a-z] ([A-Za-z0-9-]+%.[A-Za-z0-9.-]*[A-Za-z])")
   local address = text:match("%f[0-9][0-9]+%.[0-9]+%.[0-9]+%.[0-9]+%f[^0-9]")
   if not list and not address then return nil end
   return (" (%s)"):format(table.concat({ address or list, address and list }, "; "))
end

local function provider_of(row, case)
   return case.provider or row and row.service and services.get(row.service)
end

-- A user name without a domain is a common cause.
local function login_hint(hint, case)
   if not case.login or case.login:find("@", 1, true) then return hint end
   return ("%s; many servers expect the full mail address as username, and %q has no @"):format(
      hint, case.login)
end

local function general_hint(reason, case)
   if case.waits and reason.waits then return reason.waits end
   if case.by == "token" and reason.token then return reason.token end
   if case.logged_in and reason.login then return reason.login end
   return case.may_log_in and reason.outside or reason.hint
end

-- The hint of the reason, with what is known of the provider.
local function full_hint(name, provider, case)
   local reason = reasons[name]
   local hint, own = general_hint(reason, case), provider[reason.provider or ""]
   if own and reason.provider == "login" then return case.by == "token" and hint or own end
   if own then return ("%s (%s: %s)"):format(hint, provider.title, own) end
   if reason.others then return hint .. reason.others end
   return name == "rejected" and login_hint(hint, case) or hint
end

-- nil: smtp.result.hints knows one for the mechanism that was used.
local function hint_of(name, row, case)
   if row and row.hint then return fill(row.hint, case) end
   if name == "rejected" and case.by == "client certificate" then return nil end
   local provider = provider_of(row, case) or {}
   case.scope = provider.scope and (" (for %s: %s)"):format(provider.title, provider.scope)
   return fill(full_hint(name, provider, case), case)
end

-- The error in the JSON of an OAuth server: RFC 7628 3.2.2, RFC 6750 3.1, and as numbers Google's
-- (developers.google.com/gmail/imap/xoauth2-protocol).
local by_status = { invalid_token = "token_expired", ["400"] = "token_expired",
   ["401"] = "token_expired", insufficient_scope = "token_scope", invalid_scope = "token_scope",
   ["403"] = "token_scope" }

-- The reason that the row has, or a more exact one that the server's JSON has.
local function reason_of(row, case)
   local status = row.reason == "rejected" and case.by == "token" and case.challenge
      and case.challenge:match('"status"[ \t\r\n]*:[ \t\r\n]*"?([0-9a-z_]+)')
   return by_status[status or ""] or row.reason
end

--- What a reply means, or nil where no row of the table fits.
---@param stage string   where it came
---@param reply table    code, enhanced, text
---@param case table     from refusal.case
---@return table|nil     { reason =, concerns =, retry =, sentence =, hint = }
function refusal.explain(stage, reply, case)
   local known = case.known -- a recipient and its message have the same reply
   if known and known.stage == stage and known.code == reply.code and known.text == reply.text
      and known.to == case.to then
      return known.meaning
   end
   local row, meaning = decision.find(stage, reply, case), nil
   if row then
      local name = reason_of(row, case)
      local reason = reasons[name]
      case.list = block_of(reply.text or "")
      meaning = { reason = name, concerns = reason.concerns, retry = reason.retry,
         sentence = fill(row.sentence or reason.sentence, case), hint = hint_of(name, row, case) }
   end
   case.known = { stage = stage, code = reply.code, text = reply.text, to = case.to,
      meaning = meaning }
   return meaning
end

--- Does this trouble say that the server does not accept pipelining?
---@param trouble table
function refusal.is_of_pipelining(trouble)
   local row = decision.find(trouble.stage, trouble)
   return row ~= nil and row.reason == "pipelining"
end

-- ---- recipients ----

local is_refused = { refused = true, deferred = true }

-- The reply is one to RCPT, or one to the message for this recipient (LMTP), or for all.
local function stage_of(one, case, trouble)
   if case.lmtp and not (trouble and trouble.stage == "rcpt") then return "final" end
   local is_same = trouble and trouble.code == one.code and trouble.text == one.text
   return is_same and trouble.stage or "rcpt"
end

--- Add reason, concerns, retry and hint to each recipient that was refused.
---@param recipients table[]
---@param case table       from refusal.case
---@param trouble? table   of their message
function refusal.name_recipients(recipients, case, trouble)
   for i = 1, #recipients do
      local one = recipients[i]
      if is_refused[one.state] and one.code then
         local stage = stage_of(one, case, trouble)
         case.to = one.address
         local meaning = refusal.explain(stage, one, case) or {}
         one.reason = meaning.reason or "refused"
         one.concerns = meaning.concerns or decision.concerns(stage, one)
         one.retry = meaning.retry or one.code < 500 and "later" or "never"
         one.hint = meaning.hint
      end
   end
   case.to = nil
end

-- ---- troubles ----

-- Which of the reasons of a kind may the table replace?
local is_open = {
   greeting_refused = { refused = true, helo = true }, sender_refused = { refused = true },
   recipients_refused = { refused = true, not_all = true }, data_refused = { refused = true },
   auth_rejected = { rejected = true, mechanism_too_weak = true },
   auth_temporary = { temporary = true }, disconnected = { shutting_down = true },
   message_too_large = { too_large = true }, reply = { refused = true },
}

-- The sentence of a trouble whose reason is not known.
local function general_sentence(trouble, case, count)
   if trouble.kind == "sender_refused" then return fill("refused the sender {from|}", case) end
   if trouble.kind ~= "recipients_refused" or trouble.reason == "not_all" then
      return trouble.sentence
   end
   return count > 1 and ("accepted none of %d recipients"):format(count)
      or fill("did not accept the recipient {to|}", case)
end

-- Is this the reason of all recipients, and not one of theirs?
local function is_common(meaning, recipients)
   for i = 1, #recipients do
      local reason = recipients[i].reason
      if reason and reason ~= meaning.reason then return false end
   end
   return #recipients == 1 or meaning.concerns ~= "recipient"
end

-- Some sentences say more than that of the reason.
local function keeps_sentence(trouble, meaning, recipients)
   if trouble.kind == "recipients_refused" then
      return trouble.reason == "not_all" or not is_common(meaning, recipients or {})
   end
   return trouble.kind == "message_too_large" or meaning.reason == "temporary"
end

-- What is known where no row of the table fits.
local function name_unknown(trouble, case)
   local reason = reasons[trouble.reason]
   if reason then
      trouble.concerns, trouble.retry = reason.concerns, reason.retry
   elseif trouble.code then
      trouble.concerns = trouble.kind == "auth_rejected" and "account"
         or decision.concerns(trouble.stage, trouble)
   end
   if trouble.reason == "rejected" then trouble.hint = hint_of("rejected", nil, case) end
end

-- Of several refusals one decides, see smtp.Options.recipients. The core has chosen by the codes;
-- the words of another one may say more about when to try again.
local function choose_reply(trouble, recipients, all)
   local wanted, decider = all and "never" or "later", nil
   for i = 1, #recipients do
      local one = recipients[i]
      local is_chosen = one.code == trouble.code and one.text == trouble.text
      if is_chosen and one.retry == wanted then return end
      if one.reason and (not decider or decider.retry ~= wanted and one.retry == wanted) then
         decider = one
      end
   end
   if not decider then return end
   trouble.code, trouble.enhanced, trouble.text = decider.code, decider.enhanced, decider.text
end

local function name_trouble(trouble, case, recipients)
   local open = is_open[trouble.kind]
   if not open or not open[trouble.reason] then return end
   trouble.sentence = general_sentence(trouble, case, recipients and #recipients or 0)
   local meaning = trouble.code and refusal.explain(trouble.stage, trouble, case)
   if not meaning then return name_unknown(trouble, case) end
   if not keeps_sentence(trouble, meaning, recipients) then trouble.sentence = meaning.sentence end
   trouble.reason, trouble.concerns = meaning.reason, meaning.concerns
   trouble.retry = trouble.retry or meaning.retry
   if trouble.kind ~= "message_too_large" then trouble.hint = meaning.hint end
end

--- Put reason, concerns, sentence, hint and retry in a trouble that a reply of the server made, and
-- what is known of each recipient in the recipients.
---@param trouble table         kind, reason, stage, code, enhanced, text, …
---@param case table            from refusal.case
---@param recipients? table[]   those of the transaction
---@param all? boolean          all of them or none are to get the message
function refusal.name(trouble, case, recipients, all)
   if recipients then
      refusal.name_recipients(recipients, case, trouble)
      if trouble.kind == "recipients_refused" and trouble.reason ~= "too_many" then
         choose_reply(trouble, recipients, all)
      end
      case.to = #recipients == 1 and recipients[1].address or nil
   end
   name_trouble(trouble, case, recipients)
end

return refusal
