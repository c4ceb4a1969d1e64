--- Which remedy of smtp.result.remedies an error gets.
-- @module smtp.result.hints

local ascii = require "smtp.ground.ascii"
local first_bytes = require "smtp.result.first_bytes"
local interruptions = require "smtp.result.interruptions"
local remedies = require "smtp.result.remedies"
local services = require "smtp.options.services"

local hints = {}

--- Where the server may have the message.
hints.DOUBT = remedies.doubt

local function fill(text, values)
   return (text:gsub("{([a-z_]+)}", function(name) return tostring(values[name] or "") end))
end

-- The remedies that are given, as one hint; `false` and nil are left out.
local function join(...)
   local list = {}
   for i = 1, select("#", ...) do list[#list + 1] = select(i, ...) or nil end
   return list[1] and table.concat(list, "; ")
end

local by_kind = {}

-- Is the port one for submission already?
local function is_submission(server)
   return server.port == 587 or server.port == 465
end

-- ---- the first bytes ----

-- What there is of a greeting that did not end.
local function half(err)
   local text = first_bytes.greeting(err)
   local what = first_bytes.foreign(text)
   if what then return fill(remedies.foreign, { what = what }) end
   return text:find("^%d") and remedies.half_greeting or remedies.malformed
end

local function silence(err, server)
   if first_bytes.greeting(err) ~= "" then return half(err) end
   local what = first_bytes.silent_ports[server.port]
   if what and not server.socket then
      return fill(remedies.silent_port, { port = server.port, what = what })
   end
   if server.tls == "implicit" or server.socket then return remedies.silent_in_tls end
   return fill(remedies.silent, server)
end

function by_kind.protocol(err)
   if err.stage ~= "greeting" then return nil end
   local what = first_bytes.foreign(err.text or "")
      or first_bytes.foreign(first_bytes.greeting(err))
   return what and fill(remedies.foreign, { what = what }) or remedies.malformed
end

-- ---- connections ----

function by_kind.timeout(err, server, _, trouble)
   if err.stage == "greeting" then return silence(err, server) end
   if err.stage == "resolve" then return remedies.resolver_slow end
   if err.stage == "connect" then
      return server.socket and remedies.socket_slow or remedies.connect_slow
   end
   local is_silent = err.stage == "tls" and server.tls == "implicit" and server.port ~= 465
   return fill(is_silent and remedies.silent_handshake or remedies.slow,
      { option = trouble.option or "timeout" })
end

function by_kind.connect(_, server)
   return server.socket and remedies.connect_socket or fill(remedies.connect, server)
end

function by_kind.disconnected(err, server)
   if err.code then return nil end
   if err.stage == "greeting" then
      if first_bytes.greeting(err) ~= "" then return half(err) end
      return server.tls == "implicit" and remedies.mute_in_tls or remedies.mute
   end
   if err.stage == "tls" then
      return server.tls == "implicit" and remedies.closed_in_tls or remedies.closed_after_starttls
   end
   local hint = remedies.closed[err.stage]
   return hint and fill(hint, { hello = interruptions.verb(server, "ehlo") })
end

-- ---- EHLO ----

local function domain_hint(server)
   return fill(remedies.domain, { hello = interruptions.verb(server, "ehlo") })
end

-- A server that does not know LHLO may know EHLO, and the other way round.
local function unknown_hello(err, server)
   if first_bytes.is_inspected(err) then return remedies.firewall end
   local is_lmtp = server.protocol == "lmtp"
   local is_known_port = is_submission(server) or server.port == 25
   local is_named = (err.text or ""):find("LHLO", 1, true)
   if not is_lmtp and is_known_port and not is_named then return remedies.not_smtp end
   local other, this = "lmtp", "smtp"
   if is_lmtp then other, this = this, other end
   return fill(remedies.other_protocol, { protocol = ascii.upper(other), word = other,
      this = ascii.upper(this) })
end

-- A refusal that says nothing of the name.
local function refused(err, server)
   if err.code and err.code < 500 then return remedies.refused_for_now end
   if server.protocol == "lmtp" then return remedies.ask end
   return is_submission(server) and remedies.refused_login or remedies.refused
end

function by_kind.greeting_refused(err, server)
   if first_bytes.is_ftp(err) then return fill(remedies.foreign, { what = "an FTP server" }) end
   local code = err.stage == "ehlo" and err.code or 0
   if code == 500 or code == 502 then return unknown_hello(err, server) end
   local hint = err.reason == "helo" and domain_hint(server)
   if code > 500 and code <= 504 then
      return (hint and hint .. ". " or "") .. unknown_hello(err, server)
   end
   return hint or refused(err, server)
end

-- The server accepted HELO. With 500, 502 and 504 something on the way may have changed EHLO.
local function helo_only(err, server)
   if first_bytes.is_inspected(err) then return join(remedies.firewall, remedies.no_firewall) end
   if not err.code then return nil end
   if err.code == 501 or err.code > 504 then return domain_hint(server) end
   return fill(remedies.no_ehlo, { cause = is_submission(server) and "the server is very old"
      or "port is not the one for submission (587 or 465)" })
end

-- ---- TLS ----

local by_tls = {}

function by_tls.client_certificate(server)
   return server.tls_cert and remedies.own_certificate or remedies.client_certificate
end

function by_tls.plaintext(server)
   return server.tls == "implicit" and remedies.plaintext or remedies.plaintext_after
end

function by_tls.starttls_refused(_, err)
   return err.code < 500 and remedies.starttls_later or remedies.starttls_refused
end

function by_tls.version(server)
   return server.tls_min_version == "1.3" and remedies.min_version or remedies.old_tls
end

function by_kind.tls(err, server)
   local find = by_tls[err.reason]
   return find and find(server, err) or err.reason == "handshake" and remedies.broken_tls or nil
end

-- Certificates of which the reason does not say enough.
local certificate_cases = { root = remedies.unknown_root, nameless = remedies.nameless }

function by_kind.certificate(_, _, _, trouble)
   return certificate_cases[trouble.case]
end

-- A password that may not travel in clear text is not sent without TLS either.
function by_kind.tls_unsupported(err, server)
   if err.reason == "helo_only" then return helo_only(err, server) end
   if first_bytes.is_inspected(err) then return remedies.firewall end
   return join(is_submission(server) and remedies.no_tls_there or remedies.no_tls,
      not server.credentials and remedies.prefer_tls)
end

function by_kind.tls_required(err, server)
   if server.tls == "skip" then return remedies.set_tls end
   if err.auth_reason == "helo_only" then return domain_hint(server) end
   return is_submission(server) and remedies.no_tls_there or remedies.no_tls
end

-- ---- AUTH ----

-- The first of the mechanisms that the server offers with this state, see mechanisms.explain.
local function first(offered, state)
   for i = 1, #offered do
      if offered[i].state == state then return offered[i].name end
   end
end

-- What is missing for mechanisms in this state, and whether auth_mechanisms decides it.
local missing = {
   { "saslprep_unavailable" }, { "crypto_unavailable" }, { "needs_token", true },
   { "needs_password", true }, { "only_named", true },
}

-- The server offers mechanisms, and none of them can be used.
local function no_common(err, server, offered)
   for i = 1, #missing do
      local state = missing[i][1]
      local name = first(offered, state)
      if name and not (missing[i][2] and server.auth_mechanisms) then
         return fill(remedies[state], { mechanism = name })
      end
   end
   return server.auth_mechanisms and not err.bound and remedies.no_mechanism
end

-- Reasons where the server's operator has to do something, and the port is not to blame.
local is_operators = { rejected_command = true, not_advertised_after_tls = true,
   empty_list = true }

local function without_auth(err, server)
   local hint = is_operators[err.reason] and remedies[err.reason]
      or is_submission(server) and remedies.check_host or remedies.submission
   return join(hint, server.auth ~= "prefer" and remedies.prefer_auth)
end

function by_kind.auth_unsupported(err, server, offered)
   if err.reason == "helo_only" then return helo_only(err, server) end
   if err.reason == "not_advertised" and err.starttls_offered and not err.tls then
      return fill(remedies.auth_after_tls, server)
   end
   local hint = err.reason == "no_common_mechanism" and no_common(err, server, offered)
   return hint or err.bound and remedies.bound or without_auth(err, server)
end

local function has_own_mechanism(server)
   for _, entry in ipairs(server.auth_mechanisms or {}) do
      if entry.object then return true end
   end
end

function by_kind.auth_insecure(err, server)
   if err.reason == "encryption_required" then
      return err.tls and remedies.encrypted_already or remedies.set_tls
   end
   if has_own_mechanism(server) then return remedies.own_mechanism end
   return err.starttls_offered and remedies.set_tls_for_secret or remedies.no_tls_for_secret
end

function by_kind.auth_rejected(err)
   if err.reason ~= "rejected" then return nil end
   local is_token = err.mechanism == "OAUTHBEARER" or err.mechanism == "XOAUTH2"
   if is_token then return remedies.new_token end
   return err.mechanism == "EXTERNAL" and remedies.external or nil
end

-- AUTH is offered after TLS, and the caller does without TLS.
local function is_before_tls(err)
   return err.starttls_offered and not err.tls and #(err.offered or {}) == 0
end

-- Why the credentials were not used.
local function unused(err, server)
   if server.auth == "skip" then return remedies.skipped end
   if err.auth_reason == "helo_only" then
      return remedies.auth_impossible_ehlo .. ". " .. domain_hint(server)
   end
   local cause = remedies.why_unavailable[err.auth_reason] or remedies.why_unavailable.other
   local hint = fill(remedies.auth_impossible, { cause = cause })
   return hint .. ". " .. (is_submission(server) and remedies.check_host or remedies.submission)
end

function by_kind.auth_required(err, server)
   local tls = is_before_tls(err) and fill(remedies.tls_first, server)
   local provider = services.of_host(server.host) or {}
   local login = provider.login or err.enhanced == "5.7.57" and remedies.exchange_login
   if not server.credentials then return join(login or remedies.give_credentials, tls) end
   if tls and server.auth ~= "skip" then return fill(remedies.auth_impossible, { cause = tls }) end
   return join(unused(err, server), not server.token and login, tls)
end

-- ---- messages ----

function by_kind.extension_unsupported(err)
   return fill(remedies.extension, { keyword = ascii.upper(err.reason), reason = err.reason })
end

function by_kind.message_too_large(err)
   local is_over = err.limit and err.size and err.size > err.limit
   return is_over and fill(remedies.send_at_most, { limit = ("%d"):format(err.limit) })
      or remedies.send_less
end

-- RFC 3463 3.8: delivery is not allowed, as to hosts elsewhere for a client that has not logged in.
-- Many servers refuse them without any words, too.
function by_kind.recipients_refused(err, server)
   local may_log_in = not server.credentials and server.port ~= 25 and #(err.offered or {}) > 0
   if not may_log_in or (err.code or 0) < 500 then return nil end
   return (err.enhanced == "5.7.1" or err.text == "") and remedies.relay_login or nil
end

function by_kind.auth_temporary()
   return remedies.later
end

-- ---- all of them ----

-- Options about certificates and a transport of the caller's exclude each other.
local is_of_trust = { expired = true, self_signed = true, unknown_issuer = true, weak = true,
   untrusted = true }

local function of_reason(err, server)
   if err.kind == "certificate" and server.transport and is_of_trust[err.reason] then
      return remedies.own_trust
   end
   local texts = remedies.of_reason[err.kind]
   local text = texts and texts[err.reason]
   if server.socket and err.kind == "connect" then return nil end
   return text and fill(text, server)
end

local is_unexplained = { refused = true, not_all = true }

-- Refusals that no row of smtp.result.causes knows.
local function of_refusal(err)
   if not is_unexplained[err.reason] or not err.code then return nil end
   if err.code < 500 then return remedies.later end
   if err.code == 530 then return remedies.login_too_little end
   if err.stage == "data" then return remedies.refused_early end
   return remedies.of_concerns[err.concerns] or remedies.of_refusal[err.kind]
end

--- The hint for an error, or nil.
---@param err table    an error object
---@param server smtp.Server
---@param offered table[]   findings.mechanisms
---@param trouble table     `case`, `option`
function hints.find(err, server, offered, trouble)
   -- The code is that of EHLO: nothing is offered where the server refused it.
   if err.kind == "extension_unsupported" and err.code then return helo_only(err, server) end
   local find = by_kind[err.kind]
   if trouble.case and not server.transport then return find(err, server, offered, trouble) end
   return of_reason(err, server) or find and find(err, server, offered, trouble)
      or of_refusal(err)
end

return hints
