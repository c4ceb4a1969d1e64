--- Hints for servers that do not offer AUTH, refuse it or require it: by the kind of the error.
-- @module smtp.result.login_hints

local hello_hints = require "smtp.result.hello_hints"
local remedies = require "smtp.result.remedies"
local services = require "smtp.options.services"
local wording = require "smtp.result.wording"

local fill, join, is_submission = wording.fill, wording.join, wording.is_submission

local login_hints = {}

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

-- Where a server may offer AUTH. LMTP has no port for submission.
local function elsewhere(server)
   if server.protocol == "lmtp" then return nil end
   return is_submission(server) and remedies.check_host or remedies.submission
end

local function without_auth(err, server)
   local hint = is_operators[err.reason] and remedies[err.reason]
   hint = hint or elsewhere(server) or remedies.no_login_lmtp
   return join(hint, server.auth ~= "prefer" and remedies.prefer_auth)
end

function login_hints.auth_unsupported(err, server, offered)
   if err.reason == "helo_only" then return hello_hints.helo_only(err, server) end
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

function login_hints.auth_insecure(err, server)
   if err.reason == "encryption_required" then
      return err.tls and remedies.encrypted_already or remedies.set_tls
   end
   if has_own_mechanism(server) then return remedies.own_mechanism end
   if err.starttls_offered then return remedies.set_tls_for_secret end
   local is_lmtp = server.protocol == "lmtp"
   return is_lmtp and remedies.no_tls_for_secret_lmtp or remedies.no_tls_for_secret
end

function login_hints.auth_rejected(err)
   if err.reason ~= "rejected" then return nil end
   local is_token = err.mechanism == "OAUTHBEARER" or err.mechanism == "XOAUTH2"
   if is_token then return remedies.new_token end
   return err.mechanism == "EXTERNAL" and remedies.external or nil
end

-- AUTH is offered after TLS, and the caller does without TLS.
local function is_before_tls(err)
   return err.starttls_offered and not err.tls and #(err.offered or {}) == 0
end

local function sentences(hint, other)
   return other and hint .. ". " .. other or hint
end

-- Why the credentials were not used.
local function unused(err, server)
   if server.auth == "skip" then return remedies.skipped end
   if err.auth_reason == "helo_only" then
      return remedies.auth_impossible_ehlo .. ". " .. hello_hints.domain(server)
   end
   local cause = remedies.why_unavailable[err.auth_reason] or remedies.why_unavailable.other
   return sentences(fill(remedies.auth_impossible, { cause = cause }), elsewhere(server))
end

-- There are no credentials. The server may have no AUTH for them either.
local function missing_login(err, server, login, tls)
   local hint = join(login or remedies.give_credentials, tls)
   local is_elsewhere = not tls and #(err.offered or {}) == 0
   return sentences(hint, is_elsewhere and elsewhere(server))
end

function login_hints.auth_required(err, server)
   local tls = is_before_tls(err) and fill(remedies.tls_first, server)
   local provider = services.of_host(server.host) or {}
   local login = provider.login or err.enhanced == "5.7.57" and remedies.exchange_login
   if not server.credentials then return missing_login(err, server, login, tls) end
   if tls and server.auth ~= "skip" then return fill(remedies.auth_impossible, { cause = tls }) end
   return join(unused(err, server), not server.token and login, tls)
end

return login_hints
