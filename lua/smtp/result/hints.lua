--- What to change, in one sentence, for each kind of trouble.
-- @module smtp.result.hints

local ascii = require "smtp.ground.ascii"

-- ---- hints that the reason of an error decides ----

local by_reason = {
   protocol = {
      tls_on_plain_port = "The port speaks TLS from the first byte: set tls = \"implicit\"",
      injected = "Somebody between here and the server may be adding commands: do not send from "
         .. "here",
   },
   tls = {
      plaintext = "The port speaks plain SMTP: set tls = \"require\" (STARTTLS, as on ports 587 "
         .. "and 25)",
      version = "The server knows only older versions of TLS: it should be upgraded",
      starttls_refused = "Try later, or ask the server's operator: going on in clear text is never "
         .. "safe",
   },
   certificate = {
      expired = "The server's operator must renew it; until then tls_pin with tls_verify = false "
         .. "can hold on to its key",
      not_yet_valid = "Check this machine's clock",
      wrong_host = "Set host (or tls_host) to a name that the certificate is for",
      self_signed = "Give the certificate as tls_ca_file, or its key as tls_pin",
      unknown_issuer = "Give the issuer's certificate as tls_ca_file; the server may also have to "
         .. "send an intermediate certificate",
      pin_mismatch = "The server has another key than tls_pin: renewed, or not the server",
   },
   auth_insecure = {
      unverified = "Set secure = true in the transport once it has verified the server's "
         .. "certificate and name; auth_plaintext = true lets the password travel without that",
   },
   auth_rejected = {
      mechanism_too_weak = "The user needs another mechanism, or a password made for this "
         .. "application",
      server_not_authentic = "Somebody else may answer in the server's place: do not try the "
         .. "password with another mechanism",
      iterations = "scram_iterations sets the bounds: too few are unsafe, too many cost time; the "
         .. "server's operator can store the password with another number",
   },
   extension_unsupported = {
      smtputf8 = "Use an address with ASCII before @ (the domain does not matter), or a server "
         .. "that offers SMTPUTF8",
      ["8bitmime"] = "Encode the message as quoted-printable or base64 (text composed here always "
         .. "is)",
      requiretls = "Only a server that offers REQUIRETLS (after STARTTLS) promises never to pass "
         .. "the message on in clear text; without requiretls = true it is sent all the same",
      requiretls_unverified = "Set tls = \"require\" and leave tls_verify at true; a transport of "
         .. "your own says so by `secure`",
      deliverby_minimum = "Give deliver_by as many seconds, or { seconds =, mode = \"notify\" }, "
         .. "which has no minimum",
      futurerelease_maximum = "Ask for less, or keep the message and send it later",
   },
   data_refused = {
      bdat = "From now on this process sends to it by DATA, as it would from the first with "
         .. "extensions = { chunking = \"skip\" }",
   },
   recipients_refused = {
      too_many = "Send to fewer at once, or let recipients be \"any\": the message then goes out "
         .. "in as many transactions as it takes",
   },
   source = {
      eightbit = "Declare eightbit = true beside raw",
      bcc = "Remove it, and list its addresses in `to`",
      size = "Declare the size the source really has, or none",
   },
}

-- ---- hints that need more ----

local function foreign_protocol(text)
   if text:find("^HTTP/") then return "a web server" end
   if text:find("^%* ") then return "an IMAP server" end
   if text:find("^%+OK") then return "a POP3 server" end
   if text:find("^SSH%-") then return "an SSH server" end
end

-- A greeting that did not end may still have begun.
local function silence(err, server)
   local newest = err.transcript[#err.transcript]
   if newest and newest:find("^S") then
      return "Only a part of the greeting came: the server may be overloaded, or something on the "
         .. "way holds its words back; try again later"
   end
   if server.tls == "implicit" then return nil end
   return ("Nothing came at all: the port may expect TLS from the first byte; set "
      .. "tls = \"implicit\" (usual on port 465), or check port = %s"):format(tostring(server.port))
end

local by_kind = {}

function by_kind.protocol(err)
   local other = err.stage == "greeting" and err.text and foreign_protocol(err.text)
   return other and ("This is %s: check host and port"):format(other)
end

function by_kind.timeout(err, server)
   if err.stage == "greeting" then return silence(err, server) end
   if err.stage == "resolve" then
      return "The name server does not answer: check this machine's resolver"
   elseif err.stage == "connect" then
      return server.socket and "The server takes no more connections there: is it busy?"
         or "Check host and port, and that no firewall drops packets"
   end
end

function by_kind.connect(_, server)
   if server.socket then return "Check socket, that the server runs, and who may write to it" end
   return ("Check host and port = %s: nobody listens there, or a firewall refuses"):format(
      server.port)
end

-- What EHLO says was domain's, or this machine's name.
local DOMAIN = "The server may not accept the name in EHLO: set domain to the full host name of "
   .. "this machine, such as \"mail.example.org\""
local DOMAIN_OF = { smtp = DOMAIN, lmtp = DOMAIN:gsub("EHLO", "LHLO") }

-- A server that does not know LHLO may know EHLO, and the other way round.
function by_kind.greeting_refused(err, server)
   local unknown = err.stage == "ehlo" and err.code and err.code >= 500 and err.code <= 504
   local hint = err.reason == "helo" and DOMAIN_OF[server.protocol] or nil
   if not unknown then return hint end
   local other = server.protocol == "lmtp" and "smtp" or "lmtp"
   return (hint and hint .. ". " or "")
      .. ("This may be an %s server: check host and port, or set protocol = %q"):format(
         ascii.upper(other), other)
end

-- Is the port one for submission already?
local function is_submission(server)
   return server.port == 587 or server.port == 465
end

-- The server took HELO. With 500 and 502 something on the way may have spoilt EHLO.
local function helo_only(err, server)
   if not err.code then return nil end
   local port = is_submission(server) and "the server is very old"
      or "port is not the one for submission (587 or 465)"
   return DOMAIN .. "; where the server does not support EHLO at all, a firewall may change the "
      .. "command, or " .. port
end

function by_kind.resolve()
   return "Check the spelling of host, and this machine's resolver"
end

function by_kind.disconnected(err, server)
   if err.stage == "greeting" and not err.code then return silence(err, server) end
   if err.stage == "ehlo" and not err.code then
      return "The server may not accept the address of this machine or the name in EHLO (domain): "
         .. "try again later, with fewer connections"
   end
end

function by_kind.tls(err, server)
   if err.reason ~= "client_certificate" then return nil end
   return server.tls_cert and "The server does not accept the certificate in tls_cert"
      or "The server wants to see a certificate of the client's: give tls_cert and tls_key"
end

function by_kind.tls_unsupported(err, server)
   if err.reason == "helo_only" then return helo_only(err, server) end
   return "Use the port for submission (587, or 465 with tls = \"implicit\"); tls = \"prefer\" "
      .. "sends without TLS where it is not offered"
end

-- The first of the mechanisms that the server offers with this state, see mechanisms.explain.
local function first(offered, state)
   for i = 1, #offered do
      if offered[i].state == state then return offered[i].name end
   end
end

-- What is missing for mechanisms in this state: the hint, and whether auth_mechanisms settles it.
local missing = {
   { "saslprep_unavailable", "Install GNU libidn (Debian: libidn12)" },
   { "crypto_unavailable",
      "SCRAM and CRAM-MD5 need smtp.crypto, and the OpenSSL it was built for" },
   { "needs_token", "Give token, for %s", true },
   { "needs_password", "Give password, for %s", true },
   { "only_named", "Name it, if its weakness is no matter: auth_mechanisms = { %q }", true },
}

-- The server offers mechanisms, and none of them can be used.
local function no_common(err, server, offered)
   for i = 1, #missing do
      local name = first(offered, missing[i][1])
      if name and not (missing[i][3] and server.auth_mechanisms) then
         return missing[i][2]:format(name)
      end
   end
   if server.auth_mechanisms and not err.bound then
      return "Name one that it offers in auth_mechanisms, or leave that option out"
   end
end

-- What its operator has to do, where the port is not to blame.
local operator = {
   rejected_command = "The server's operator has to switch AUTH on (Postfix: "
      .. "smtpd_sasl_auth_enable = yes) or not offer it",
   not_advertised_after_tls = "The server's operator has to offer AUTH inside TLS",
   empty_list = "The server's operator has to name mechanisms for AUTH",
}

local function without_auth(err, server)
   local hint = operator[err.reason] or not is_submission(server)
      and "Use the server's port for submission (587 or 465)"
      or "Check that host is a server for submission"
   return server.auth == "prefer" and hint
      or hint .. "; auth = \"prefer\" sends without authentication where AUTH is not available"
end

function by_kind.auth_unsupported(err, server, offered)
   if err.reason == "helo_only" then return helo_only(err, server) end
   if err.reason == "not_advertised" and err.starttls_offered and not err.tls then
      return ("The server offers STARTTLS and tls = %q: AUTH usually appears only after TLS; set "
         .. "tls = \"require\", or auth = \"prefer\" to send without"):format(server.tls)
   end
   local hint = err.reason == "no_common_mechanism" and no_common(err, server, offered)
   if hint then return hint end
   if err.bound then
      return "Without -PLUS the exchange would be open to somebody in between; where the server is "
         .. "known to be at fault, name auth_mechanisms without -PLUS"
   end
   return without_auth(err, server)
end

function by_kind.auth_insecure(err, server)
   if err.reason == "encryption_required" then
      return err.tls and "The connection is encrypted already: ask the server's operator"
         or "Set tls = \"require\""
   end
   for _, entry in ipairs(server.auth_mechanisms or {}) do
      if entry.object then
         return "Set tls = \"require\"; a mechanism of your own that does not show the secret says "
            .. "so by plaintext = false"
      end
   end
   return "Set tls = \"require\"; only where the network is trusted, auth_plaintext = true lets "
      .. "the password travel in clear text"
end

function by_kind.auth_rejected(err, server)
   if err.reason ~= "rejected" then return nil end
   if err.mechanism == "OAUTHBEARER" or err.mechanism == "XOAUTH2" then
      return type(server.token) == "function" and "Check the user, and the token's scope"
         or "Get a new token; token may be a function that does so"
   elseif err.mechanism == "EXTERNAL" then
      return "The server does not accept the client certificate (or authzid)"
   end
end

-- AUTH is offered after TLS, and the caller does without TLS.
local function is_before_tls(err)
   return err.starttls_offered and not err.tls and #(err.offered or {}) == 0
end

local why_unavailable = {
   not_advertised = "the server does not offer it",
   not_advertised_after_tls = "the server offered it before TLS but not after it",
   empty_list = "the server offers it without any mechanism",
   no_common_mechanism = "the server offers no mechanism that may be used",
   rejected_command = "the server offers it and then does not know the command",
}

-- Why the credentials were not used.
local function unused(err, server)
   if server.auth == "skip" then
      return "The credentials are not used, because auth = \"skip\": leave auth out"
   elseif err.auth_reason == "helo_only" then
      return "AUTH was not possible, because the server refused EHLO. " .. DOMAIN
   end
   local hint = "AUTH was not possible: " .. (why_unavailable[err.auth_reason] or "see mechanisms")
   return is_submission(server) and hint
      or hint .. "; use the server's port for submission (587 or 465)"
end

function by_kind.auth_required(err, server)
   local tls = is_before_tls(err) and ("the server offers STARTTLS, and tls = %q: AUTH usually "
      .. "appears only after TLS, so set tls = \"require\""):format(server.tls)
   if not server.credentials then
      return "Give username and password (and leave auth at \"require\")"
         .. (tls and "; " .. tls or "")
   elseif tls and server.auth ~= "skip" then
      return "AUTH was not possible: " .. tls
   end
   return unused(err, server) .. (tls and "; " .. tls or "")
end

function by_kind.tls_required(err, server)
   if server.tls == "skip" then return "Set tls = \"require\"" end
   if err.auth_reason == "helo_only" then return DOMAIN end
   return "The server did not offer STARTTLS here: use its port for submission (587, or 465 with "
      .. "tls = \"implicit\")"
end

function by_kind.extension_unsupported(err)
   return ("Use a server that offers %s, or extensions = { [%q] = \"prefer\" }"):format(
      ascii.upper(err.reason), err.reason)
end

function by_kind.message_too_large(err)
   local is_over = err.limit and err.size and err.size > err.limit
   return is_over and ("Send at most %d octets: fewer or smaller attachments, or a link to them")
      :format(err.limit) or "Send less: fewer or smaller attachments, or a link to them"
end

-- RFC 3463 3.8: delivery is not allowed, as to hosts elsewhere for a client that has not logged in.
function by_kind.recipients_refused(err, server)
   if err.enhanced == "5.7.1" and not server.credentials and #(err.offered or {}) > 0 then
      return "The server offers AUTH, and may relay for who logs in: give username and password"
   end
end

--- The hint for an error, or nil.
---@param err table    an error object
---@param server smtp.Server
---@param offered table[]   findings.mechanisms
local function find(err, server, offered)
   -- The code is that of EHLO: nothing is offered where the server refused it.
   if err.kind == "extension_unsupported" and err.code then return helo_only(err, server) end
   local texts, look = by_reason[err.kind], by_kind[err.kind]
   return texts and texts[err.reason] or look and look(err, server, offered)
end

return { find = find }
