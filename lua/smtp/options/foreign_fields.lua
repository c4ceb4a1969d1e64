--- What other libraries and programs call the fields of a table in an option, and the options of
-- functions other than smtp.send: rows as in smtp.options.foreign.
-- @module smtp.options.foreign_fields

local fields = {}

--- Fields of an attachment.
fields.attachment = {
   { "path", 'Write path = "report.pdf"', "file", "filepath", "fullpath", "href", "url" },
   { "content", "Write content = …, a string", "data", "body", "bytes", "string", "text", "raw",
      "buffer", "contents", "value", "payload" },
   { "source", "Write source = function() … end, which returns pieces and nil at the end", "stream",
      "reader", "read", "fn", "handle", "fh", "fp", "io" },
   { "size", "Write size = …, the number of bytes that source gives", "length", "len", "bytesize" },
   { "filename", 'Write filename = "report.pdf"', "name", "fname", "title", "displayname" },
   { "content_type", 'Write content_type = "application/pdf"', "type", "mime", "mimetype",
      "mediatype" },
   { "cid", 'Write cid = "logo", and src="cid:logo" in html', "id", "inline", "inlineid", "embed" },
   { "disposition", 'Write disposition = "inline"', "contentdisposition", "isinline" },
   { false, "Remove it: attachments travel as base64", "encoding", "contenttransferencoding",
      "transferencoding", "charset", "headers" },
}

--- Fields of an address.
fields.address = {
   { "address", 'Write { name = "Ann", address = "ann@example.org" }', "email", "mail", "addr",
      "mailbox", "emailaddress", "mailaddress", "to", "rcpt" },
   { "name", 'Write { name = "Ann", address = "ann@example.org" }', "displayname", "label",
      "fullname", "personal", "title" },
}

fields.envelope = {
   { "from", 'Write from = "ann@example.org"', "mailfrom", "sender", "returnpath", "mail",
      "reversepath", "envelopefrom" },
   { "to", 'Write to = { "bob@example.net" }', "rcpt", "rcptto", "recipient", "recipients", "cc",
      "bcc", "dest", "destination", "forwardpath" },
   { false, "Write it as an option of the message, next to envelope", "dsn", "size", "requiretls",
      "smtputf8", "use8bitmime" },
}

fields.dsn = {
   { "envid", 'Write envid = "order-7"', "id", "envelopeid", "messageid" },
   { "ret", 'Write ret = "full" or ret = "hdrs"', "return", "returntype", "returncontent" },
   { "notify", 'Write notify = { "failure", "delay" }', "on", "events", "when", "conditions",
      "success", "failure", "delay", "never" },
   { false, 'Write envelope = { to = { { address = …, orcpt = … } } }', "recipient", "orcpt" },
}

fields.dkim = {
   { "domain", 'Write domain = "example.org"', "domainname", "d", "sdid", "host" },
   { "selector", 'Write selector = "2026"', "keyselector", "s", "selectorname" },
   { "key", "Write key = …, the text of a PEM file or its path", "privatekey", "keyfile", "pem",
      "keypath", "keydata", "private", "privatekeyfile", "privkey", "k" },
   { "canonicalization", 'Write canonicalization = "relaxed/relaxed"', "canonicalisation", "canon",
      "c", "headercanonicalization", "bodycanonicalization" },
   { "identity", 'Write identity = "@example.org"', "i", "auid", "agent", "user" },
   { "headers", 'Write headers = { "Subject", "Date" }; From is always signed', "headerfieldnames",
      "headerfields", "headernames", "signheaders", "signedheaders", "headerstosign", "h",
      "includeheaders", "fields" },
   { "skip", 'Write skip = { "Message-ID", "Date" }', "skipfields", "skipheaders", "exclude",
      "excludeheaders", "ignore", "ignoreheaders", "headerstoignore", "omit", "omitheaders" },
   { "expires", "Write expires = 1209600, in seconds after t=", "x", "expiration", "expire", "ttl",
      "lifetime", "expiresin", "expirationtime", "signatureexpiration", "signatureexpires" },
   { false, "Remove it: the key decides, and SHA-256 is always used", "algorithm", "algo", "hash",
      "hashalgo", "a", "signaturealgorithm" },
   { false, "Decrypt the key with openssl pkey: this library asks for no pass phrase", "passphrase",
      "password" },
}

fields.keepalive = {
   { "idle", "Write idle = 60, in seconds", "timeout", "ttl", "idletimeout", "seconds", "maxidle",
      "maxidletimeout", "expires" },
   { "size", "Write size = 32", "max", "pool", "poolsize", "count", "connections",
      "maxconnections" },
}

--- The settings of send_many.
fields.settings = {
   { "connections", "Write connections = 2", "concurrency", "parallel", "threads", "workers",
      "maxconnections", "pool", "poolsize", "jobs", "concurrent" },
   { "rate", "Write rate = 10, in messages per second", "ratelimit", "persecond", "maxrate",
      "throttle", "limit", "messagespersecond", "sendingrate" },
   { "per_connection", "Write per_connection = 100", "maxmessages", "messagesperconnection",
      "perconn", "maxperconnection", "restartthreshold", "threshold" },
   { "window", "Write window = 16", "pipeline", "pipelining", "batch", "batchsize", "inflight",
      "queue" },
   { "on_result", "Write on_result = function(index, receipt, err) … end", "callback", "oneach",
      "ondone", "onsent", "onmessage", "oncomplete", "onerror", "done" },
   { "progress", "Write progress = true", "bar", "showprogress", "progressbar", "verbose" },
}

--- Options of a sink.
fields.sink = {
   { "host", 'Write host = "127.0.0.1"', "address", "hostname", "bind", "listen", "addr",
      "interface", "server", "ip" },
   { "port", "Write port = 2525", "listenport", "serverport" },
   { "socket", 'Write socket = "/tmp/smtp.sock"', "unixsocket", "socketpath", "path", "unix" },
   { "domain", 'Write domain = "sink.example"', "name", "banner", "greeting", "fqdn",
      "servername" },
   { "protocol", 'Write protocol = "lmtp"', "lmtp" },
   { "tls", 'Write tls = "starttls" or tls = "implicit"', "ssl", "secure", "starttls", "usetls",
      "smtps", "implicittls" },
   { "tls_cert", 'Write tls_cert = "cert.pem" and tls_key = "key.pem"', "cert", "certfile",
      "certificate" },
   { "tls_key", 'Write tls_cert = "cert.pem" and tls_key = "key.pem"', "key", "keyfile",
      "privatekey" },
   { "auth", 'Write auth = { users = { ann = "secret" } }', "users", "user", "username", "password",
      "pass", "login", "accounts", "authenticator", "credentials", "tokens", "mechanisms" },
   { "require_auth", "Write require_auth = true", "authrequired", "forceauth", "authoptional" },
   { "capabilities", 'Write capabilities = { "PIPELINING", "SIZE 1000000" }', "extensions", "caps",
      "features", "ehlo", "size", "maxsize", "datasizelimit", "pipelining" },
   { "faults", 'Write faults = { rcpt = "550 5.1.1 unknown" }', "errors", "fail", "failures",
      "responses", "replies", "reject" },
   { "on_message", "Write on_message = function(message) … end", "handler", "callback", "onmail",
      "ondata", "onreceive", "handlemessage" },
   { "keep", "Write keep = 1000", "maxmessages", "limit", "history" },
   { "trace", "Write trace = function(direction, line) … end", "debug", "verbose", "log", "logger"
      },
}

--- Fields of the option auth of a sink.
fields.sink_auth = {
   { "users", 'Write users = { ann = "secret" }', "user", "username", "password", "pass", "login",
      "accounts", "passwords" },
   { "tokens", 'Write tokens = { ann = "token" }', "token", "oauth", "bearer", "accesstoken" },
   { "mechanisms", 'Write mechanisms = { "PLAIN", "SCRAM-SHA-256" }', "mechanism", "mechs",
      "methods", "types", "sasl" },
   { "iterations", "Write iterations = 4096", "rounds", "scramiterations" },
   { "before_tls", "Write before_tls = true", "allowplaintext", "insecure", "cleartext" },
}

return fields
