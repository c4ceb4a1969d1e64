--- What nginx says when something fails, in the words of a transport: a stable word, its text, and
-- what to change.
-- @module smtp.runtime.nginx.troubles

local ascii = require "smtp.ground.ascii"

local troubles = {}

--- What to change, where nginx.conf decides.
local hints = {
   ca = "Set lua_ssl_trusted_certificate in nginx.conf to a file with the issuer's certificate "
      .. "(public ones: /etc/ssl/certs/ca-certificates.crt); if it is set, the server may lack an "
      .. "intermediate certificate, or lua_ssl_verify_depth is too small",
   self_signed = "Add the certificate to the file that lua_ssl_trusted_certificate names in "
      .. "nginx.conf",
   expired = "If the clock is wrong, set it; otherwise the server's operator must renew the "
      .. "certificate",
   wrong_host = "Set host (or tls_host) to a name that the certificate is for",
   wrong_address = "nginx compares names only, and this is an address: set tls_host to a name that "
      .. "the certificate is for",
   weak = "The server's operator must make a new certificate",
   plain_port = "Port {port} probably speaks plain SMTP: set tls = \"require\"",
   tls = "Probably the server supports only versions of TLS that lua_ssl_protocols in nginx.conf "
      .. "leaves out (write TLSv1.2 TLSv1.3), or only older ones, which its operator has to "
      .. "upgrade; nginx's error log says more",
   no_answer = "Check host and port, resolver in nginx.conf, and that no firewall drops packets; "
      .. "nginx tries one address only: if this machine has no IPv6, add ipv6=off to resolver",
   no_resolver = "Set resolver in nginx.conf to the address of a name server, such as 127.0.0.53; "
      .. "nginx does not read /etc/resolv.conf",
   dead_resolver = "The name server that resolver in nginx.conf names did not answer: check its "
      .. "address",
   unknown_host = "Check the spelling of host, and resolver in nginx.conf",
   unreachable = "Is this machine on the network, and does a firewall refuse? nginx tries one "
      .. "address only: if this machine has no IPv6, add ipv6=off to resolver in nginx.conf",
}
troubles.hints = hints

-- OpenSSL's sentences, some of which were spelled otherwise before version 3.
local certificate_words = {
   ["certificate host mismatch"] = "wrong_host",
   ["certificate does not match host name"] = "wrong_host",
   ["hostname mismatch"] = "wrong_host",
   ["IP address mismatch"] = "wrong_host",
   ["certificate has expired"] = "expired",
   ["certificate is not yet valid"] = "not_yet_valid",
   ["self-signed certificate"] = "self_signed",
   ["self signed certificate"] = "self_signed",
   ["self-signed certificate in certificate chain"] = "unknown_issuer",
   ["self signed certificate in certificate chain"] = "unknown_issuer",
   ["unable to get issuer certificate"] = "unknown_issuer",
   ["unable to get local issuer certificate"] = "unknown_issuer",
   ["unable to verify the first certificate"] = "unknown_issuer",
   ["certificate chain too long"] = "chain_too_long",
   ["certificate revoked"] = "revoked",
   ["unsupported certificate purpose"] = "bad_purpose",
   ["unsuitable certificate purpose"] = "bad_purpose",
   ["EE certificate key too weak"] = "weak",
   ["CA certificate key too weak"] = "weak",
   ["CA signature digest algorithm too weak"] = "weak",
}

local certificate_hints = { self_signed = hints.self_signed, unknown_issuer = hints.ca,
   chain_too_long = hints.ca, expired = hints.expired, weak = hints.weak,
   wrong_host = hints.wrong_host }

function troubles.is_address(name)
   return name:find(":", 1, true) ~= nil or name:find("^%d+%.%d+%.%d+%.%d+$") ~= nil
end

local is_about_time = { expired = true, not_yet_valid = true }

local function tls_hint(implicit)
   if not implicit or implicit == 465 then return hints.tls end
   return (hints.plain_port:gsub("{port}", tostring(implicit)))
end

-- "20: unable to get local issuer certificate". The number may be left over from an earlier
-- handshake (lua-resty-core 0.1.25), so the words decide.
---@param said any          what nginx said
---@param name? string      what the certificate must be for
---@param implicit? number  the port where TLS comes from the first byte
function troubles.of_handshake(said, name, implicit)
   local text = tostring(said):gsub("^%-?%d+: ", "")
   local reason = certificate_words[text]
   if reason == "wrong_host" and troubles.is_address(name or "") then
      return "certificate:wrong_host", text, hints.wrong_address
   elseif reason then
      local clock = is_about_time[reason]
         and os.date("!, and this machine's clock says %Y-%m-%d") or ""
      return "certificate:" .. reason, text .. clock, certificate_hints[reason]
   elseif text == "timeout" or text == "closed" then
      return text, ""
   elseif text:find("^ssl set client ") then -- its key is another one's
      return "tls:client_certificate", text
   elseif text:find("certificate", 1, true) then
      return "certificate:untrusted", text, hints.ca
   end
   return "tls:handshake", text, tls_hint(implicit)
end

troubles.NO_ANSWER = "no answer from the resolver or the server"

local function of_resolver(text)
   if text:find("^no resolver defined") then
      return "resolve:no_resolver", text, hints.no_resolver
   elseif text:find("(110:", 1, true) then
      return "resolve", text, hints.dead_resolver
   end
   local unknown = ascii.lower(text):find("host not found", 1, true)
   return unknown and "resolve:unknown_host" or "resolve", text, hints.unknown_host
end

local is_of_resolver = { "^no resolver defined", "could not be resolved", "host not found" }

function troubles.of_connect(said)
   local text = tostring(said)
   if said == troubles.NO_ANSWER then return "timeout", text, hints.no_answer end
   if text == "timeout" then return text, "", hints.no_answer end
   for i = 1, #is_of_resolver do
      if text:find(is_of_resolver[i]) then return of_resolver(text) end
   end
   if text:find("unreachable", 1, true) or text:find("no route", 1, true) then
      return "connect:unreachable", text, hints.unreachable
   end
   return text == "connection refused" and "connect:refused" or "connect", text
end

function troubles.of_io(said)
   if said == "timeout" or said == "closed" then return said, "" end
   return said == "connection reset by peer" and "reset" or "closed", tostring(said)
end

return troubles
