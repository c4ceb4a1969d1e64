--- What nginx says when something fails, in the words of a transport: a stable word, its text, and
-- what to change.
-- @module smtp.runtime.nginx.troubles

local ascii = require "smtp.ground.ascii"

local troubles = {}

troubles.CA_HINT = "Set lua_ssl_trusted_certificate in nginx.conf to a file with the issuer's "
   .. "certificate (/etc/ssl/certs/ca-certificates.crt has the public ones): without it nginx "
   .. "trusts nobody. If it is set: lua_ssl_verify_depth limits the length of chains (its default "
   .. "is 1), and the server may have to send an intermediate certificate"

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

local certificate_hints = {
   self_signed = "Add the certificate to the file that lua_ssl_trusted_certificate names in "
      .. "nginx.conf",
   unknown_issuer = troubles.CA_HINT,
   chain_too_long = troubles.CA_HINT,
   expired = "The server's operator must renew it",
}

local TLS_HINT = "The server may want a version of TLS that lua_ssl_protocols in nginx.conf does "
   .. "not name (write TLSv1.2 TLSv1.3), or its port speaks no TLS at this point; nginx's error "
   .. "log says more"

function troubles.is_address(name)
   return name:find(":", 1, true) ~= nil or name:find("^%d+%.%d+%.%d+%.%d+$") ~= nil
end

-- "20: unable to get local issuer certificate". The number may be left over from an earlier
-- handshake (lua-resty-core 0.1.25), so the words decide.
function troubles.of_handshake(said, name)
   local text = tostring(said):gsub("^%-?%d+: ", "")
   local reason = certificate_words[text]
   if reason == "wrong_host" and troubles.is_address(name or "") then
      return "certificate:wrong_host", text, "nginx compares names only, and this is an address: "
         .. "set tls_host to a name that the certificate is for"
   elseif reason then
      return "certificate:" .. reason, text, certificate_hints[reason]
   elseif text == "timeout" or text == "closed" then
      return text, text
   elseif text:find("certificate", 1, true) then
      return "certificate:untrusted", text, troubles.CA_HINT
   end
   return "tls:handshake", text, TLS_HINT
end

troubles.NO_ANSWER = "no answer from the resolver or the server"

function troubles.of_connect(said)
   local text = tostring(said)
   if said == troubles.NO_ANSWER then
      return "timeout", text,
         "Check host and port, resolver in nginx.conf, and that no firewall drops packets"
   end
   if text == "timeout" then return "timeout", text end
   if text:find("^no resolver defined") then
      return "resolve:no_resolver", text, "Set resolver in nginx.conf to the address of a name "
         .. "server, such as 127.0.0.53; nginx does not read /etc/resolv.conf"
   elseif text:find("could not be resolved", 1, true) or text:find("host not found", 1, true) then
      local unknown = ascii.lower(text):find("host not found", 1, true)
      return unknown and "resolve:unknown_host" or "resolve", text,
         "Check the spelling of host, and resolver in nginx.conf"
   end
   return "connect", text
end

function troubles.of_io(said)
   if said == "timeout" then return "timeout", "nothing moved in time" end
   return "closed", tostring(said)
end

return troubles
