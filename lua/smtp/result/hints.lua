--- Which remedy of smtp.result.remedies an error gets.
-- @module smtp.result.hints

local ascii = require "smtp.ground.ascii"
local first_bytes = require "smtp.result.first_bytes"
local hello_hints = require "smtp.result.hello_hints"
local interruptions = require "smtp.result.interruptions"
local login_hints = require "smtp.result.login_hints"
local proxy_hints = require "smtp.result.proxy_hints"
local remedies = require "smtp.result.remedies"
local wording = require "smtp.result.wording"

local fill, join, is_submission = wording.fill, wording.join, wording.is_submission

local hints = {}

local by_kind = { greeting_refused = hello_hints.refused }

for kind, find in next, login_hints do by_kind[kind] = find end

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

-- Where a server may offer TLS.
local function elsewhere(server)
   if server.protocol == "lmtp" then return remedies.no_tls_lmtp end
   return is_submission(server) and remedies.no_tls_there or remedies.no_tls
end

-- A password that may not travel in clear text is not sent without TLS either.
function by_kind.tls_unsupported(err, server)
   if err.reason == "helo_only" then return hello_hints.helo_only(err, server) end
   if first_bytes.is_inspected(err) then return remedies.firewall end
   return join(elsewhere(server), not server.credentials and remedies.prefer_tls)
end

function by_kind.tls_required(err, server)
   if server.tls == "skip" and err.starttls_offered ~= false then return remedies.set_tls end
   if err.auth_reason == "helo_only" then return hello_hints.domain(server) end
   return elsewhere(server)
end

-- ---- messages ----

function by_kind.extension_unsupported(err, server)
   if err.reason == "chunking" and server.extensions.chunking ~= "require" then -- BINARYMIME's
      return remedies.of_reason.extension_unsupported.binarymime
   end
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
   if not may_log_in or not err.code or err.code < 500 then return nil end
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
   if err.kind == "extension_unsupported" and err.code then
      return hello_hints.helo_only(err, server)
   end
   if server.proxy and proxy_hints.is_about(err) then
      return proxy_hints.find(err, server, trouble)
   end
   local find = by_kind[err.kind]
   if trouble.case and not server.transport then return find(err, server, offered, trouble) end
   return of_reason(err, server) or find and find(err, server, offered, trouble)
      or of_refusal(err)
end

return hints
