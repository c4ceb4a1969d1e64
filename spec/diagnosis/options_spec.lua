-- Options that other libraries have, and values that cannot be meant: what to write instead.
local certs = require "spec.tools.certs"
local safe = require "smtp.safe"
local socket = require "smtp.socket"
local staged = require "spec.tools.staged"

local cert = certs.make()

-- To a port where a server will never answer.
local function connect(more)
   local listener = socket.listen("127.0.0.1", 0)
   local t = { host = "127.0.0.1", port = (select(2, listener:getsockname())), tls = "implicit", timeout = 5,
      from = "ann@example.com", to = "bob@example.net", text = "hello" }
   for name, value in pairs(more) do t[name] = value end
   local receipt, err = safe.send(t)
   listener:close()
   return receipt, err
end

local function send(more)
   return function()
      local t = { host = "mail.example.com", from = "ann@example.com", to = "bob@example.net", text = "hello",
         transport = function() error "nothing may be sent" end }
      for name, value in pairs(more) do t[name] = value end
      return safe.send(t)
   end
end

-- { name, call, says, hides }: each is a UsageError.
local function usage(name, call, says, hides)
   return { name, call = type(call) == "table" and send(call) or call, error = { "usage", nil, nil, "never" },
      says = says, hides = hides or "the README lists all options" }
end

local function address(name, call, says, hides)
   local row = usage(name, call, says, hides)
   row.error[1] = "address"
   return row
end

staged.rows("an option by another library's name", {
   usage("pass", { pass = "sesame-staged" }, "password"),
   usage("body", { body = "x" }, "text"),
   usage("recipient", { recipient = "x@y.example" }, { "to =" }, "recipients"),
   usage("LuaSocket's rcpt", { rcpt = "<x@y.example>" }, "to ="),
   usage("LuaSocket's source", { source = "x" }, "raw"),
   usage("ssl", { ssl = true }, 'tls = "implicit"', "url"),
   usage("nodemailer's secure", { secure = true }, 'tls = "implicit"'),
   usage("starttls", { starttls = true }, 'tls = "require"'),
   usage("debug", { debug = true }, "trace"),
   usage("timeout_ms", { timeout_ms = 5000 }, { "timeout", "seconds" }),
   usage("nodemailer's requireTLS", { requireTLS = true }, 'tls = "require"'),
   usage("nodemailer's rejectUnauthorized", { rejectUnauthorized = false }, "tls_verify"),
   usage("curl's insecure", { insecure = true }, "tls_verify"),
   usage("nodemailer's replyTo", { replyTo = "x@y.example" }, "reply_to"),
   usage("smtplib's msg", { msg = "x" }, "text"),
   usage("msmtp's passwordeval", { passwordeval = "pass mail" }, "password"),
   usage("charset", { charset = "UTF-8" }, "UTF-8"),
   usage("attachment", { attachment = "a.pdf" }, "attachments"),
   usage("servername", { servername = "x" }, { "host =", "tls_host" }),
   usage("sender_email", { sender_email = "x" }, "from =", "host"),
   usage("senderName", { senderName = "x" }, "from =", "host"),
   usage("recipient_email", { recipient_email = "x" }, "to ="),
   usage("message_body", { message_body = "x" }, "text =", "message_id"),
   usage("mail_from_name", { mail_from_name = "x" }, "from"),
   usage("a name misspelt", { usrename = "ann" }, "username"),
})

staged.rows("a value", {
   usage("tls = true", { tls = true }, { '"require"', '"implicit"' }),
   usage('tls = "starttls"', { tls = "starttls" }, 'tls = "require"'),
   usage('tls = "ssl"', { tls = "ssl" }, 'tls = "implicit"'),
   usage('auth = "login"', { auth = "login" }, { "auth_mechanisms", '"login"' }),
   usage("auth = { user =, pass = }", { auth = { user = "ann", pass = "sesame-staged" } }, { "username", "password" },
      { "table: 0x", "sesame" }),
   usage("a host that is a URL", { host = "https://mail.example.com" },
      { "URL", [[url = "smtps://mail.example.com"]], [[host = "mail.example.com"]] },
      "name or service"),
   usage("a host that is ssl://", { host = "ssl://mail.example.com" }, { "URL", 'tls = "implicit"|smtps://' }),
   usage("a host with a port", { host = "mail.example.com:587" }, { "port = 587|port =" }),
   usage("a user name with @ in a url", { url = "smtps://ann@example.com:se@same/1@mail.example.com", host = false },
      { "%40", "username and password|username" }, "same/1"),
   usage("a password that is empty", { username = "ann", password = "" }, { "password", "environment variable" }),
   usage("a password that is not there", { username = "ann" }, { "password", "environment variable|token" }),
   usage("an attachment that is a folder", { attachments = { { path = "spec" } } }, { "is a directory", "path" }),
   usage("an attachment that is not there", { attachments = { { path = "build/none.pdf" } } },
      { "No such file or directory", "path" }),
   usage("an attachment below a file", { attachments = { { path = "LICENSE/x.pdf" } } }, { "Not a directory", "path" }),
   usage("a DKIM key that is not there",
      { dkim = { domain = "example.com", selector = "s", key = "/nonexistent/dkim.pem" } },
      { "dkim.key", "/nonexistent/dkim.pem", "No such file or directory" }),
   usage("a key that is not the certificate's", function()
      return connect { tls_cert = (cert "client"), tls_key = select(2, cert "good") }
   end, { "tls_key is not the key of tls_cert|tls_key" }, "values mismatch"),
   usage("a CA file that is not there", function()
      return connect { tls_ca_file = "build/none.pem" }
   end, { "tls_ca_file", "build/none.pem", "No such file or directory" }),
   usage("a timeout in words", { timeout = "5s" }, { "timeout", "5s", "seconds|number" }),
   usage("a port in words", { port = "smtp" }, { "port", "smtp" }),
   usage("a port that is too large", { port = 70000 }, { "70000", "65535" }),
   usage("a domain that is an address", { domain = "192.168.1.5" }, "[192.168.1.5]"),
   usage("a domain that is localhost", { domain = "localhost" }, { "full" }),
   usage("text that is a number of another type", { text = true }, { "text", "true" }),
   usage("no recipient", { to = {} }, "to"),
   usage("a url of a web page", { url = "https://mail.example.com:8080/x?y", host = false },
      { "web page", [[url = "smtps://mail.example.com"]] }),
   usage("a url of HTTP", { url = "http://mail.example.com", host = false },
      { "web page", [[url = "smtp://mail.example.com"]] }),
   usage("a url of IMAP", { url = "imaps://imap.example.com", host = false }, { "mailbox", "smtp://" }),
   usage("a url of an address", { url = "mailto:ann@example.com", host = false }, { "recipient", "smtp://" }),
   usage("a url without a scheme", { url = "mail.example.com:587", host = false },
      [[url = "smtp://mail.example.com:587"]]),
   usage("a url of another library", { url = "ssl://mail.example.com", host = false },
      [[url = "smtps://mail.example.com"]]),
   usage("hotmail as service", { service = "hotmail", host = false }, [[service = "microsoft365"]]),
   usage("Office 365 as service", { service = "Office 365", host = false }, [[service = "microsoft365"]]),
   usage("outlook.com as service", { service = "outlook.com", host = false }, [[service = "microsoft365"]]),
   usage("Google as service", { service = "Google", host = false }, [[service = "gmail"]]),
   usage("ymail as service", { service = "ymail", host = false }, [[service = "yahoo"]]),
   usage("aws as service", { service = "aws", host = false }, [[service = "ses:]]),
   usage("gmx as service", { service = "gmx", host = false }, { "GMX", "host and port" }),
   usage("a service that nobody knows", { service = "mail4you", host = false }, { "gmail", "host and port" }),
   usage("a service that is not known", { service = "gmial", host = false }, { '"gmail"|gmail' }),
   usage("a header with a line end", { subject = "x\r\nBcc: y@z.example" }, { "subject", "line" }),
   usage("smtp:send with a colon", function()
      return safe:send { host = "mail.example.com" }
   end, { "dot", "colon" }, "AddressError"),
})

staged.rows("an address", {
   address("with a dot at the edge", { to = "bob.@docomo.ne.jp" },
      { "bob.@docomo.ne.jp", [["\"bob.\"@docomo.ne.jp"]] }),
   address("without a domain", { to = "bob" }, { "bob", "ann@example.org|@" }),
   address("with two @", { to = "bob@example@net" }, { "bob@example@net" }),
   address("with a comma", { to = "bob@example.net, eve@example.net" }, { "list|{" }),
})
