--- What other libraries and programs call an option (nodemailer, smtplib, LuaSocket, Symfony, curl,
-- swaks, msmtp …), and what this library calls it.
--
-- A row is { the option here, how to write it, names elsewhere … }. The option is false if this
-- library has none. Names are compared without their case and without _ and -.
-- @module smtp.options.foreign

local ascii = require "smtp.ground.ascii"

local foreign = {}

local SECRET_FILE = 'Write password = function() … end, which reads it when it is needed'
local UTF8 = "Remove it: texts are UTF-8, and this library chooses how to encode them"
local VERIFY = 'Write tls_ca_file = "ca.pem" to trust a CA of your own; tls_verify = false turns '
   .. 'all checks of the certificate off'
local IMPLICIT = 'Write tls = "implicit" (TLS from the first byte, port 465) or tls = "require" '
   .. '(STARTTLS, port 587)'
local MANY = 'Write smtp.send_many(options, messages, { connections = 2, rate = 10 })'
local AUTOMATIC = "Remove it: err.retry reports whether another attempt helps, and when"

-- Options of smtp.send: of the connection, and of a message.
local options = {
   { "host", 'Write host = "mail.example.org"', "hostname", "address", "addr", "smtpserver",
      "smtphost", "smtp", "mailserver", "mailhost", "relay", "relayhost", "smarthost", "mx", "ip",
      "gateway", "remotehost", "serverhost", "serveraddress", "hosts", "outgoing",
      "smtpaddress", "mta" },
   { "host", 'Write host = "mail.example.org"; the name in its certificate is tls_host',
      "servername" },
   { "port", "Write port = 587", "smtpport", "serverport", "portnumber", "remoteport" },
   { "url", 'Write url = "smtp://user@mail.example.org:587"', "uri", "smtpurl", "connectionurl",
      "connectionstring", "serverurl", "mailerdsn" },
   { "socket", 'Write socket = "/run/smtp.sock"', "unixsocket", "socketpath", "sockpath", "unix",
      "path" },
   { "protocol", 'Write protocol = "lmtp"', "lmtp", "uselmtp", "proto", "scheme" },
   { "service", 'Write service = "gmail"', "provider", "wellknown", "preset" },
   { "domain", 'Write domain = "host.example.org", the name that EHLO sends', "name", "helo",
      "ehlo", "hello", "localhost", "heloname", "ehloname", "helodomain", "ehlodomain", "helohost",
      "localname", "localhostname", "localdomain", "fqdn", "clientname", "myhostname", "heloehlo" },
   { "source_address", 'Write source_address = "192.0.2.1"', "localaddress", "localaddr", "bind",
      "bindaddress", "bindaddr", "bindto", "interface", "localinterface", "sourceip", "sourceaddr",
      "localip", "sourceport" },
   { "tls", IMPLICIT, "ssl", "secure", "usessl", "smtps", "issecure", "isssl", "ssltls", "tlsssl",
      "implicittls", "enablessl", "sslenable", "secureconnection", "encryption", "encrypt",
      "security", "smtpsecure", "connectionsecurity", "tlsmode", "sslmode", "tlsonconnect", "tlsc",
      "sslcontext", "context", "wrapper" },
   { "tls", 'Write tls = "require" (STARTTLS)', "starttls", "usestarttls", "tlsstarttls", "usetls",
      "forcetls", "requirestarttls", "enablestarttls", "starttlspolicy", "sslreqd", "mandatorytls",
      "tlsrequired" },
   { "tls", 'Write tls = "prefer" (STARTTLS where the server offers it)', "opportunistictls",
      "opportunistic", "autotls", "smtpautotls", "tlsoptional", "trytls", "trystarttls" },
   { "tls", 'Write tls = "skip"', "ignoretls", "notls", "nossl", "nostarttls", "disabletls",
      "disablessl", "disablestarttls", "tlsdisabled" },
   { "tls_verify", VERIFY, "insecure", "rejectunauthorized", "verify", "verifypeer", "verifyhost",
      "verifyssl", "sslverify", "sslverifypeer", "sslverifyhost", "verifymode", "verifycert",
      "verifycerts", "verifycertificate", "checkcertificate", "validatecert", "validatecerts",
      "tlscertcheck", "skipverify", "insecureskipverify", "nocheckcertificate", "allowselfsigned",
      "allowinvalidcertificates", "tlsinsecure", "opensslverifymode", "checkhostname", "noverify" },
   { "tls_ca_file", 'Write tls_ca_file = "ca.pem"', "cafile", "ca", "cacert", "cacerts", "cabundle",
      "capem", "sslca", "sslcafile", "rootca", "trustfile", "tlstrustfile", "tlsca", "tlscacert",
      "cafilename", "truststore" },
   { "tls_ca_path", 'Write tls_ca_path = "/etc/ssl/certs"', "capath", "cadir", "sslcapath" },
   { "tls_cert", 'Write tls_cert = "cert.pem" and tls_key = "key.pem"', "cert", "certfile",
      "certificate", "clientcert", "clientcertificate", "sslcert", "localcert", "certpem",
      "tlscertfile", "pfx" },
   { "tls_key", 'Write tls_cert = "cert.pem" and tls_key = "key.pem"', "key", "keyfile",
      "privatekey", "clientkey", "sslkey", "localpk", "keypem", "tlskeyfile" },
   { "tls_host", 'Write tls_host = "mail.example.org", the name in the certificate', "sni",
      "tlssni", "peername", "tlsservername", "tlsname", "hostnameverify" },
   { "tls_pin", 'Write tls_pin = "…", the SHA-256 of the public key in base64', "pin",
      "fingerprint", "tlsfingerprint", "peerfingerprint", "pinnedpubkey", "pinnedkey" },
   { "tls_min_version", 'Write tls_min_version = "1.2"', "tlsversion", "sslversion", "minversion",
      "mintlsversion", "tlsprotocol", "sslprotocol", "tlsprotocols", "secureprotocol", "tlsv1",
      "ciphers", "tlspriorities" },
   { "username", 'Write username = "ann@example.org"', "login", "uname", "smtpuser",
      "smtpusername", "authuser", "authusername", "authid", "account", "logon", "mailuser",
      "userid", "auserid" },
   { "username", "Write username = … and password = …", "credentials", "creds", "authentication",
      "httpauth", "userpwd", "userpass", "basicauth", "apikey" },
   { "password", "Write password = …", "pass", "passwd", "pwd", "passphrase", "passw", "secret",
      "smtppass", "smtppasswd", "smtppassword", "authpass", "authpassword", "mailpassword",
      "apppassword", "pword" },
   { "password", SECRET_FILE, "passwordfile", "passfile", "passwdfile", "passwordeval",
      "passwordcommand", "passwordenv", "netrc", "keyring" },
   { "token", "Write token = …, an access token for OAuth 2", "oauth", "oauth2", "xoauth",
      "xoauth2", "oauthbearer", "accesstoken", "bearer", "bearertoken", "oauthtoken",
      "oauth2bearer", "oauth2token", "authtoken" },
   { "token", "Write token = function() … end, which gets a new access token", "refreshtoken",
      "clientid", "clientsecret", "oauth2provider", "accessurl" },
   { "authzid", 'Write authzid = "…"', "authorizationid", "identity", "saslauthzid", "asuser" },
   { "auth_mechanisms", 'Write auth_mechanisms = { "PLAIN", "LOGIN" }', "authmethod",
      "authmethods", "authtype", "authtypes", "authmechanism", "authmech", "authmode", "mechanism",
      "mechanisms", "mech", "mechs", "sasl", "saslmech", "saslmechanism", "loginoptions",
      "authenticators", "allowedmechanisms" },
   { "auth_plaintext", "Write auth_plaintext = true, if a password may travel unencrypted",
      "allowplaintext", "allowinsecureauth", "allowplain", "allowunencryptedauth" },
   { "auth", 'Write auth = "skip"', "noauth", "disableauth", "smtpauth", "useauth", "authoptional"
      },
   { "connect_timeout", "Write connect_timeout = 15, in seconds", "connectiontimeout",
      "conntimeout", "connecttimeoutms", "connectiontimeoutms", "dnstimeout" },
   { "reply_timeout", "Write reply_timeout = 60, in seconds", "readtimeout", "sockettimeout",
      "greetingtimeout", "commandtimeout", "responsetimeout", "idletimeout", "replytimeoutms",
      "readtimeoutms", "sendtimeout", "writetimeout" },
   { "timeout", "Write timeout = 300, in seconds", "timeoutms", "timeouts", "timeoutseconds",
      "timeoutsec", "maxtime", "deadline", "smtptimeout", "ttl" },
   { "trace", "Write trace = true", "debug", "debuglevel", "setdebuglevel", "verbose", "verbosity",
      "logger", "log", "logging", "logfile", "onlog", "smtpdebug", "debugoutput", "showdialog",
      "transactionlog", "loglevel", "hook" },
   { "proxy", 'Write proxy = "socks5://proxy.example.org:1080" or "http://proxy.example.org:3128"',
      "proxyurl", "proxyhost", "proxyserver", "httpproxy", "httpsproxy", "socks", "socks5",
      "socks4", "socksproxy", "socks5hostname" },
   { "transport", "Write transport = …, an object with the methods of a cosocket", "create",
      "connection", "connector", "stream", "sock", "getsocket" },
   { "loop", 'Write loop = "cqueues", "luv" or "copas"', "eventloop", "async", "nonblocking",
      "scheduler", "reactor", "poller", "ioloop" },
   { "keepalive", "Write keepalive = { idle = 60, size = 32 }", "pool", "connectionpool",
      "persistent", "persist", "reuse", "reuseconnection", "smtpkeepalive", "poolsize" },
   { false, MANY, "maxconnections", "connections", "concurrency", "parallel", "ratelimit", "rate",
      "ratedelta", "maxmessages", "window", "perconnection", "onresult", "progress", "messages" },
   { false, AUTOMATIC, "retries", "retry", "maxretries", "retrycount", "attempts", "backoff" },
   { "from", 'Write from = "Ann <ann@example.org>"', "fromaddr", "fromaddress", "fromemail",
      "fromname", "fromheader", "author", "fromuser", "msgfrom", "senderemail", "sendername",
      "senderaddress", "senderaddr", "sendermail" },
   { "envelope", 'Write from = "ann@example.org", or envelope = { from = … } where the envelope '
      .. "differs from the header", "mailfrom", "envelopefrom", "envfrom", "returnpath", "sendfrom",
      "bouncesto", "bounceaddress", "bounce", "reversepath", "envelopesender", "smtpfrom" },
   { "to", 'Write to = "bob@example.net", or a list', "recipient", "recip", "recips", "rcpt",
      "rcpts", "rcptto", "mailrcpt", "dest", "dests", "destination", "destinations", "receiver",
      "receivers", "toaddr", "toaddrs", "toaddress", "toaddresses", "toemail", "toemails", "toname",
      "mailto", "sendto", "addressee", "addressees", "target", "email", "emails" },
   { "envelope", 'Write to = …, or envelope = { to = … } where the envelope differs '
      .. "from the header", "envelopeto", "enveloperecipients", "envelopercpt", "smtprcpt" },
   { "cc", 'Write cc = "bob@example.net"', "carboncopy", "copyto", "ccaddress", "ccrecipients",
      "mailcc" },
   { "bcc", 'Write bcc = "bob@example.net"', "blindcopy", "blindcarboncopy", "bccaddress",
      "bccrecipients", "mailbcc" },
   { "reply_to", 'Write reply_to = "ann@example.org"', "reply", "replyaddress", "replytoaddress",
      "replyemail", "respondto", "answerto" },
   { "subject", 'Write subject = "…"', "title", "subj", "topic", "subjectline" },
   { "text", 'Write text = "…" (raw = … for a whole message with its header)', "body", "message",
      "msg", "content", "contents", "plain", "plaintext", "textplain", "textbody", "bodytext",
      "bodyplain", "plainbody", "textcontent", "messagetext", "mailbody", "mailtext", "textpart",
      "note" },
   { "text", "Write from, to, subject and text, each as an option of its own", "mail", "mesg",
      "mailoptions", "messageoptions", "maildata" },
   { "html", 'Write html = "<p>…</p>"', "htmlbody", "bodyhtml", "texthtml", "htmlcontent",
      "htmlmessage", "htmltext", "htmlpart", "ishtml", "amp" },
   { "raw", "Write raw = … (a string, an open file or a function that returns pieces), or text, "
      .. "html and attachments", "source", "data", "mime", "rfc822", "eml", "emlfile", "rawmessage",
      "messagefile", "mailobj", "mimemessage", "uploadfile", "rfc822message", "input" },
   { "attachments", 'Write attachments = { { path = "report.pdf" } }', "attachment", "attach",
      "attached", "files", "file", "filename", "filenames", "images", "inline", "inlines", "embeds",
      "embedded", "parts", "alternatives" },
   { "calendar", "Write calendar = …, the iCalendar text", "icalevent", "ical", "ics", "invite",
      "event", "icalendar" },
   { "headers", 'Write headers = { ["X-Name"] = "value" }', "header", "customheaders",
      "customheader", "extraheaders", "additionalheaders", "addheader", "xheaders",
      "messageheaders", "xmailer", "mailer", "useragent" },
   { "headers", 'Write headers = { ["Disposition-Notification-To"] = "ann@example.org" }',
      "dispositionnotificationto", "readreceipt", "confirmreadingto", "returnreceipt" },
   { "message_id", 'Write message_id = "<…@example.org>"', "msgid", "mid" },
   { "references", 'Write references = { "<…@example.org>" }', "refs", "thread" },
   { "date", "Write date = os.time()", "senddate", "sentat", "timestamp", "datetime" },
   { "hold_until", "Write hold_until = …, if the server offers FUTURERELEASE", "sendat", "schedule",
      "scheduledat", "delay", "delayuntil" },
   { "priority", 'Write priority = "high"', "importance", "xpriority", "urgency", "urgent" },
   { "list_unsubscribe", 'Write list_unsubscribe = { "https://example.org/u/7", one_click = true }',
      "unsubscribe", "unsubscribeurl", "list", "oneclick" },
   { "dsn", 'Write dsn = { notify = { "failure", "delay" }, ret = "hdrs" }', "notify", "ret",
      "envid", "dsnnotify", "dsnret", "dsnenvid", "dsnreturn", "deliveryreceipt",
      "deliverynotification", "rcptoptions", "deliverystatus" },
   { "dkim", "Write dkim = { domain = …, selector = …, key = … }", "dkimkey", "dkimdomain",
      "dkimselector", "dkimprivatekey", "dkimprivate", "sign", "signing", "signer" },
   { "extensions", 'Write extensions = { smtputf8 = "skip" }', "smtputf8" },
   { "extensions", 'Write extensions = { chunking = "skip" }', "chunking", "bdat" },
   { "extensions", 'Write extensions = { binarymime = "prefer" }', "binarymime" },
   { "extensions", 'Write extensions = { ["8bitmime"] = "skip" }', "8bitmime", "eightbitmime",
      "use8bitmime" },
   { "extensions", 'Write extensions = { dsn = "prefer" }, by the keywords of EHLO',
      "ehlokeywords", "capabilities", "mailextensions" },
   { false, UTF8, "charset", "encoding", "transferencoding", "contenttransferencoding",
      "contenttype", "mimetype", "textencoding", "mimeversion", "wordwrap" },
}

-- Names that mean something else than the option of this library whose letters they have.
options.exact = { requireTLS = 'Write tls = "require" (STARTTLS): requiretls is the '
   .. "extension of RFC 8689" }

-- The fields of tables in options, and the options of other functions.
local sections = require "smtp.options.foreign_fields"
sections.options, foreign.rows = options, options

--- A name without its case, and without _, - and blanks.
---@param name string
---@return string
function foreign.plain(name)
   return (ascii.lower(name):gsub("[_%s-]", ""))
end

--- What to write in the place of a name that other libraries use.
---@param section? string   "options", or a table of foreign_fields
---@param name string
---@return string|nil hint             nil: no other library that is known uses it
---@return string|false|nil option     the option of this library
function foreign.find(section, name)
   local rows, plain = sections[section] or {}, foreign.plain(name)
   local exact = rows.exact and rows.exact[name]
   if exact then return exact end
   for i = 1, #rows do
      for j = 3, #rows[i] do
         if rows[i][j] == plain then return rows[i][2], rows[i][1] end
      end
   end
end

--- All names of a section that other libraries use.
---@param section? string
---@return string[]
function foreign.names(section)
   local rows, list = sections[section] or {}, {}
   for i = 1, #rows do
      for j = 3, #rows[i] do list[#list + 1] = rows[i][j] end
   end
   return list
end

return foreign
