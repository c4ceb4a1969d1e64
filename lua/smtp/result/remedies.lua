--- What to change, in one sentence or two, for troubles that no reply of a server explains.
-- {name}: a value of the case at hand. smtp.result.hints chooses; spec/result/remedies_spec.lua
-- follows each remedy that names an option.
-- @module smtp.result.remedies

local resources = require "smtp.ground.resources"

local remedies = {}

--- Where the kind and the reason of an error decide.
remedies.of_reason = {
   protocol = {
      tls_on_plain_port = "The port uses TLS from the first byte: set tls = \"implicit\"",
      injected = "Something between this machine and the server may be adding commands: do not "
         .. "send over this network",
   },
   tls = {
      no_common_cipher = "The server may have no cipher, version or curve in common with this "
         .. "library: its operator has to allow TLS 1.3, or TLS 1.2 with AES-GCM (check with "
         .. "lua-smtp probe)",
      unknown_name = "The server has no certificate for this name: set host or tls_host to a name "
         .. "of the server",
   },
   certificate = {
      expired = "If the clock is wrong, set it; otherwise the server's operator must renew the "
         .. "certificate (until then, tls_verify = false with tls_pin accepts only its key)",
      not_yet_valid = "If the clock is wrong, set it; otherwise the server's operator must "
         .. "correct the certificate",
      wrong_host = "Set host (or tls_host) to one of these names, if that is the server you mean",
      self_signed = "Give the certificate as tls_ca_file, or set tls_verify = false with its key "
         .. "as tls_pin (lua-smtp probe shows it)",
      unknown_issuer = "The server's operator has to add the intermediate certificates; for a "
         .. "private CA, give its certificate as tls_ca_file",
      pin_mismatch = "If the key was renewed, set tls_pin to the new one (lua-smtp probe shows "
         .. "it); otherwise this is another server",
      weak = "The server's operator must make a new certificate; until then, tls_verify = false "
         .. "with tls_pin accepts only its key",
      revoked = "The server's operator must replace the certificate: do not send to this server",
      bad_purpose = "The server's operator must make a certificate for servers",
      untrusted = "Look at the certificate with lua-smtp probe; the server's operator may have "
         .. "to replace it",
   },
   auth_insecure = {
      unverified = "Set secure = true in the transport once it has verified the server's "
         .. "certificate and name; auth_plaintext = true lets the password travel without that",
   },
   auth_rejected = {
      mechanism_too_weak = "The user needs another mechanism, or a password made for this "
         .. "application",
      server_not_authentic = "Another server may answer in its place: do not try the password "
         .. "with another mechanism",
      iterations = "scram_iterations sets the bounds: too few are unsafe, too many cost time; "
         .. "the server's operator can store the password with another number",
   },
   extension_unsupported = {
      smtputf8 = "Use an address with ASCII before @ (the domain does not matter), or a server "
         .. "that offers SMTPUTF8",
      ["8bitmime"] = "Encode the message as quoted-printable or base64 (text composed here "
         .. "always is)",
      binarymime = "Use a server that offers BINARYMIME and CHUNKING, or encode binary parts as "
         .. "base64 and leave out extensions.binarymime",
      requiretls = "Only a server that offers REQUIRETLS (after STARTTLS) promises never to pass "
         .. "the message on in clear text; without requiretls = true it is sent all the same",
      requiretls_unverified = "Set tls = \"require\" and leave tls_verify at true; a transport "
         .. "of your own declares it by the field secure",
      deliverby_minimum = "Give deliver_by as many seconds, or { seconds =, mode = \"notify\" }, "
         .. "which has no minimum",
      futurerelease_maximum = "Ask for less, or keep the message and send it later",
   },
   data_refused = {
      bdat = "From now on this process sends to it by DATA, as it would from the first with "
         .. "extensions = { chunking = \"skip\" }",
   },
   recipients_refused = {
      too_many = "Send to fewer at once, or leave out recipients = \"all\": the message then "
         .. "goes out in as many transactions as necessary",
   },
   source = {
      eightbit = "Declare eightbit = true beside raw",
      bcc = "Remove it, and list its addresses in to",
      mbox = "Remove that line: an mbox file contains several messages, and each of them is sent "
         .. "without it",
      byte_order_mark = "Remove it: save the message as UTF-8 without a byte order mark",
      size = "Declare the size that the source really has, or none",
   },
   connect = {
      refused = "Check host and port = {port}: no server listens there, or a firewall refuses",
      unreachable = "Is this machine on the network, does a firewall refuse, and is host right?",
      no_ipv6 = "{host} has IPv6 addresses only, and this machine has no IPv6: use a name with "
         .. "an IPv4 address",
      source_address = "Remove source_address ({source_address}), or set it to an address of this "
         .. "machine",
   },
   system = {
      threads = "Raise the limit of processes (ulimit -u), or give an address as host",
      system = resources.LACK_HINT,
   },
   resolve = {
      unknown_host = "Check the spelling of host",
      resolve = "Check this machine's resolver and network; try again later",
   },
}

--- Replies that no row of smtp.result.causes knows, where their status shows what they are about.
remedies.of_concerns = {
   sender = "Check the address in from (or envelope.from); if it is right, ask the server's "
      .. "operator for the reason",
   recipient = "Check the address of the recipient; if it is right, ask the server's operator for "
      .. "the reason",
   message = "Check the header and the content of the message, or ask the server's operator for "
      .. "the reason",
   server = "Send again later, or ask the server's operator for the reason",
}

--- Replies without known words or a known status: by the kind of the error.
remedies.of_refusal = {
   sender_refused = "Check the address in from (or envelope.from), and whether this server or "
      .. "login may use it; if both are right, ask the server's operator for the reason",
   recipients_refused = remedies.of_concerns.recipient,
   data_refused = "The server may take the message for spam: check its header and content, or ask "
      .. "the server's operator for the reason",
   reply = "Ask the server's operator for the reason",
}

remedies.later = "Send again later; if the server refuses it again, ask its operator for the "
   .. "reason"
remedies.ask = "Ask the server's operator for the reason"
remedies.refused_early = "The server has not received the message yet: it may not accept this "
   .. "sender, these recipients or this machine; ask its operator for the reason"
remedies.login_too_little = "This login succeeded and does not suffice: ask the server's operator "
   .. "whether the user may send by SMTP"

--- Connections.
remedies.connect = "Check host and port = {port}: no server listens there, or a firewall refuses"
remedies.connect_socket = "Check socket: does the server run, and may this user write to it?"
remedies.connect_slow = "Check host and port, and that no firewall drops packets"
remedies.socket_slow = "The server accepts no more connections there: is it busy?"
remedies.resolver_slow = "The name server does not answer: check this machine's resolver"

--- The first bytes.
remedies.foreign = "This is {what}: check host and port"
remedies.malformed = "This may not be an SMTP server: check host and port"
remedies.silent_port = "Port {port} is usually {what}, which waits for the client: SMTP uses "
   .. "port 587 or 465"
remedies.half_greeting = "Only a part of the greeting came: the server may be overloaded; try "
   .. "again later"
remedies.silent = "The port may use TLS from the first byte: set tls = \"implicit\" (usual on "
   .. "port 465); or check port = {port}; some servers delay the greeting on purpose: raise "
   .. "reply_timeout"
remedies.silent_in_tls = "Some servers delay the greeting on purpose: raise reply_timeout; "
   .. "otherwise check host and port"
remedies.mute = "The port may use TLS from the first byte (set tls = \"implicit\"), or the server "
   .. "refuses the address of this machine or takes no more connections: try again later"
remedies.mute_in_tls = "Try again later, with fewer connections; the server may refuse the address "
   .. "of this machine"
remedies.refused = "The server may accept no mail from this machine: send through your provider's "
   .. "server with a login, or ask the server's operator"
remedies.refused_login = "The server may accept no connections from the address of this machine: "
   .. "check host and port, or ask the server's operator"
remedies.refused_for_now = "Try again later, with fewer connections; the server may not accept the "
   .. "address of this machine"
remedies.silent_handshake = "The port may not use TLS from the first byte: set tls = \"require\" "
   .. "(STARTTLS); or raise {option} if the server is only slow"
remedies.slow = "Raise {option} if the server is only slow; otherwise try again later"

--- Proxies.
remedies.proxy = {
   unreachable = "Check the host and the port in the option proxy: does the proxy listen there?",
   login = "Check the user and the password in the option proxy; in them, write / ? # : @ % as "
      .. "%2F %3F %23 %3A %40 %25",
   no_login = "Write the login into the option proxy: {scheme}://USER:PASSWORD@{place}",
   no_password = "The proxy requires a login of another kind than a user and a password: ask its "
      .. "operator for one",
   not_allowed = "The operator of the proxy has to allow connections to {host}, port {port}; many "
      .. "proxies allow port 443 only",
   no_way = "The proxy could not connect to {host}, port {port}: check host and port; the proxy "
      .. "may also be in a network that cannot reach it",
   is_http = "This is an HTTP proxy: begin the option proxy with http://",
   is_socks = "This is a SOCKS proxy: begin the option proxy with socks5://",
   closed = "Check the host and the port in the option proxy, and which of socks5:// and http:// "
      .. "it has to begin with",
   is_smtp = "A mail server answers there, not a proxy: check the option proxy, or remove it",
   foreign = "Check the scheme, the host and the port in the option proxy",
   slow = "The proxy, or the server that it connects to, does not answer: check the option proxy "
      .. "(does it begin with the right one of socks5:// and http://?), host and port; raise "
      .. "{option} if the proxy is only slow",
}

--- TLS.
remedies.starttls_later = "Try again later, or ask the server's operator; this library does not "
   .. "go on in clear text after a refusal"
remedies.starttls_refused = "The server's operator has to correct that; this library does not go "
   .. "on in clear text after a refusal"
remedies.plaintext = "The port speaks plain SMTP first: set tls = \"require\" (STARTTLS)"
remedies.plaintext_after = "The TLS of this server is not set up: ask its operator, or use port "
   .. "465 with tls = \"implicit\""
remedies.broken_tls = "The TLS of this server may be outdated, or not set up: its operator has to "
   .. "correct that"
remedies.old_tls = "The server supports only older versions of TLS: its operator has to upgrade "
   .. "it"
remedies.min_version = "The server does not support TLS 1.3: set tls_min_version = \"1.2\""
remedies.closed_after_starttls = "The TLS of this server may not be set up (no certificate?): "
   .. "ask its operator, or use port 465 with tls = \"implicit\""
remedies.closed_in_tls = "The port may speak plain SMTP: set tls = \"require\"; otherwise ask "
   .. "the server's operator"
remedies.client_certificate = "The server requires a client certificate: give tls_cert and "
   .. "tls_key"
remedies.own_certificate = "The server does not accept the certificate in tls_cert"
remedies.unknown_root = "Is an antivirus or a proxy in between, or is the CA private? Give the "
   .. "certificate of that CA as tls_ca_file"
remedies.own_trust = "The transport that you gave verifies certificates: give it the certificate "
   .. "of the issuer, or have the server's operator renew the certificate"
remedies.nameless = "Its operator must make it anew with a subjectAltName (a common name does "
   .. "not count); until then, tls_verify = false with tls_pin accepts only its key"
remedies.no_tls = "Use the port for submission (587, or 465 with tls = \"implicit\")"
remedies.no_tls_there = "The server's operator has to set up TLS; port 465 with tls = "
   .. "\"implicit\" may have it"
remedies.no_tls_lmtp = "The operator of this LMTP server has to set up TLS"
remedies.prefer_tls = "tls = \"prefer\" sends without TLS where it is not offered"
remedies.set_tls = "Set tls = \"require\""

--- What EHLO revealed.
remedies.domain = "The server may not accept the name in {hello}: set domain to the full host "
   .. "name of this machine, such as \"mail.example.org\""
remedies.firewall = "A firewall in between rewrites the dialogue: have its inspection of SMTP "
   .. "switched off, or use port 465 with tls = \"implicit\""
remedies.no_firewall = "without a firewall, set domain to the full host name of this machine"
remedies.no_ehlo = "A firewall may change the command, or {cause}; if neither is so, set domain "
   .. "to the full host name of this machine"
remedies.other_protocol = "This may be an {protocol} server: set protocol = \"{word}\"; if it "
   .. "refuses that as well, it speaks neither {this} nor {protocol}: check host and port"
remedies.again = "Send again; if it is closed again, ask the server's operator"
remedies.closed = {
   ehlo = "The server may not accept the address of this machine or the name in {hello} (domain): "
      .. "try again later, with fewer connections",
   starttls = remedies.again,
   auth = "After many failed logins some servers close the connection for a while: check username "
      .. "and password, and try again later",
   mail = remedies.again, rcpt = remedies.again, data = remedies.again,
   body = "The server may have a limit for the size of a message or the time it takes: send less, "
      .. "or try again later",
}
remedies.closed_here = "Call connection:close when the other call has returned"
remedies.not_smtp = "A firewall may change the command, or this is not an SMTP server: check host "
   .. "and port"

--- AUTH.
remedies.no_mechanism = "Name one that the server offers in auth_mechanisms, or leave that "
   .. "option out"
remedies.only_named = "If this mechanism is strong enough for you, name it: auth_mechanisms = { "
   .. "\"{mechanism}\" }"
remedies.needs_token = "Give token, for {mechanism}"
remedies.needs_password = "Give password, for {mechanism}"
remedies.saslprep_unavailable = "Install GNU libidn (Debian: libidn12)"
remedies.crypto_unavailable = "SCRAM and CRAM-MD5 need smtp.crypto, and the OpenSSL it was built "
   .. "for"
remedies.rejected_command = "The server's operator has to switch AUTH on (Postfix: "
   .. "smtpd_sasl_auth_enable = yes) or not offer it"
remedies.not_advertised_after_tls = "The server's operator has to offer AUTH inside TLS"
remedies.empty_list = "The server's operator has to name mechanisms for AUTH"
remedies.submission = "Use the server's port for submission (587 or 465)"
remedies.no_login_lmtp = "Most LMTP servers have no AUTH: leave out username and "
   .. "password (or token)"
remedies.check_host = "Check that host is a server for submission"
remedies.prefer_auth = "auth = \"prefer\" sends without authentication where AUTH is not "
   .. "available"
remedies.auth_after_tls = "The server offers STARTTLS and tls = \"{tls}\": AUTH usually appears "
   .. "only after TLS; set tls = \"require\", or auth = \"prefer\" to send without "
   .. "authentication"
remedies.bound = "Without -PLUS the exchange would be open to a man in the middle; if the server "
   .. "is known to be at fault, name auth_mechanisms without -PLUS"
remedies.encrypted_already = "The connection is encrypted already: ask the server's operator"
remedies.own_mechanism = "Set tls = \"require\"; a mechanism of your own that does not reveal "
   .. "the secret declares plaintext = false"
remedies.set_tls_for_secret = "Set tls = \"require\"; only where the network is trusted, "
   .. "auth_plaintext = true lets the password travel in clear text"
remedies.no_tls_for_secret = "The server offers no TLS here: use port 465 with tls = "
   .. "\"implicit\"; only where the network is trusted, auth_plaintext = true lets the password "
   .. "travel in clear text"
remedies.no_tls_for_secret_lmtp = "The server offers no TLS here: its operator has to set it up; "
   .. "only where the network is trusted, auth_plaintext = true lets the password travel in clear "
   .. "text"
remedies.new_token = "Get a new token; token may be a function that does so"
remedies.external = "The server does not accept the client certificate (or authzid)"
remedies.give_credentials = "Give username and password (and leave auth at \"require\")"
remedies.exchange_login = "Give token (Microsoft 365 and Outlook.com accept no passwords; scope "
   .. "https://outlook.office.com/SMTP.Send), or username and password for another Exchange server"
remedies.skipped = "The credentials are not used, because auth = \"skip\": leave auth out"
remedies.auth_impossible = "AUTH was not possible: {cause}"
remedies.auth_impossible_ehlo = "AUTH was not possible, because the server refused EHLO"
remedies.tls_first = "the server offers STARTTLS, and tls = \"{tls}\": AUTH usually appears only "
   .. "after TLS, so set tls = \"require\""
remedies.relay_login = "The server offers AUTH, and may relay after a login: give username and "
   .. "password"

--- Messages.
remedies.extension = "Use a server that offers {keyword}, or extensions = { [\"{reason}\"] = "
   .. "\"prefer\" }"
remedies.send_at_most = "Send at most {limit} bytes: fewer or smaller attachments, or a link to "
   .. "them"
remedies.send_less = "Send less: fewer or smaller attachments, or a link to them"

--- Why AUTH was not possible.
remedies.why_unavailable = {
   not_advertised = "the server does not offer it",
   not_advertised_after_tls = "the server offered it before TLS but not after it",
   empty_list = "the server offers it without any mechanism",
   no_common_mechanism = "the server offers no mechanism that may be used",
   rejected_command = "the server offers it but does not support the command",
   helo_only = "the server refused EHLO",
   other = "see mechanisms",
}

return remedies
