-- What the line says inside nginx, where nginx tells less: its most likely cause first, and the directive to set.
local running = require "spec.nginx.running"
local safe = require "smtp.safe"
local smtp = require "smtp"
local staged = require "spec.tools.staged"

local start, with_tls, options, plain, send_at = running.start, running.with_tls, running.options, running.plain,
   running.send_at

after_each(running.stop)

local function shows(name, more, location)
   return function()
      local t = options(with_tls(name), more)
      if location then return send_at(location, t) end
      return safe.send(t)
   end
end

local function to(location, host, more)
   return function()
      local t = options({ port = 587 }, plain)
      t.host = host
      for name, value in pairs(more or {}) do t[name] = value end
      return send_at(location, t)
   end
end

staged.rows("inside nginx", {
   { "the name server does not answer", call = to("/resolver", "mail.example.com"),
      error = { "resolve", "resolve", nil, "later" }, says = { "name server", "resolver", "did not answer|check its" },
      hides = { "spelling" } },
   { "there is no resolver", call = to("/bare", "mail.example.com"),
      error = { "resolve", "no_resolver", nil, "never|later" }, says = { "Set resolver in nginx.conf" } },
   { "a certificate is not yet valid", call = shows "not_yet_valid",
      error = { "certificate", "not_yet_valid", nil, "never" },
      says = { "clock", os.date "!%Y-%m-%d", "set it|operator" } },
   { "a certificate is over", call = shows "expired", error = { "certificate", "expired", nil, "never" },
      says = { "clock", os.date "!%Y-%m-%d", "operator" } },
   { "a certificate is for another host", call = shows "wrong_host",
      error = { "certificate", "wrong_host", nil, "never" }, says = { "host", "tls_host" } },
   { "a certificate is for a name, and host is an address", call = shows("good", { host = "127.0.0.1" }),
      error = { "certificate", "wrong_host", nil, "never" }, says = { "address", "tls_host" } },
   { "a certificate is self-signed", call = shows "self_signed",
      error = { "certificate", "self_signed", nil, "never" }, says = { "lua_ssl_trusted_certificate" } },
   { "nothing is trusted", call = shows("good", {}, "/bare"),
      error = { "certificate", "unknown_issuer|untrusted", nil, "never" },
      says = { "lua_ssl_trusted_certificate", "ca-certificates.crt" } },
   { "TLS from the first byte meets plain SMTP", call = function()
      return safe.send(options(start {}, { tls = "implicit" }))
   end, error = { "tls", "handshake|plaintext", nil, "never" }, says = { "plain SMTP", 'tls = "require"' } },
   { "the server has TLS 1.3 only, and lua_ssl_protocols TLS 1.2", call = function()
      return send_at("/old_tls", options(with_tls("good", { tls_min = "1.3" })))
   end, error = { "tls", "handshake|tls", nil, "never" },
      says = { "lua_ssl_protocols", "TLSv1.2 TLSv1.3", "upgrade" } },
   { "host has a port", call = to("/bare", "mail.example.com:587"), error = { "usage", nil, nil, "never" },
      says = { "port = 587|port =", "host" } },
   { "host is an address of IPv6, without IPv6", call = to("/bare", "2001:db8:2::9", { connect_timeout = 1 }),
      error = { "connect|timeout", "unreachable|timeout", nil, "later" }, says = { "ipv6=off|IPv6" } },
   { "nobody is at the port", call = to("/bare", "127.0.0.1", { port = 1 }),
      error = { "connect", "refused|connect", nil, "later" }, says = { "host and port", "listens" } },
   { "the sender is refused", call = function()
      return safe.send(options(start { refuse = { MAIL = "553 5.7.1 Sender address rejected: not owned by user ann" } },
         plain))
   end, error = { "sender_refused", "sender_not_allowed", "sender", "never" },
      says = { "ann@me.example", "set from" } },
   { "the recipient is not known", call = function()
      return safe.send(options(start { refuse = { RCPT = "550 5.1.1 User unknown" } }, plain))
   end, error = { "recipients_refused", "unknown_recipient", "recipient", "never" },
      says = { "bob@there.example", "spelling" } },
})

describe("an error that nobody catches", function()
   it("is in nginx's error log with its line", function()
      local t = options({ port = 1 }, plain)
      t.host = "127.0.0.1"
      local ok, err = pcall(smtp.send, t)
      assert.is_false(ok)
      local file = assert(io.open "build/nginx/error.log")
      local log = file:read "*a"
      file:close()
      assert.truthy(log:find(tostring(err), 1, true))
   end)
end)
