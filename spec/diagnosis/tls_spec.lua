-- Why TLS failed, with real certificates and servers.
local certs = require "spec.tools.certs"
local core = require "smtp.core"
local openssl_server = require "spec.tools.openssl_server"
local peer = require "spec.tools.peer"
local safe = require "smtp.safe"
local staged = require "spec.tools.staged"
local staged_child = require "spec.tools.staged_child"
local tls_server = require "spec.tools.tls_server"

local cert = certs.make()

local function shows(name, more)
   return function()
      local receipt, err = tls_server.send(name, more)
      return receipt, err
   end
end

-- Our own server refuses to show such a certificate.
local function weakly(name)
   return function() return nil, openssl_server.refused(name, "-cipher DEFAULT:@SECLEVEL=0") end
end

local PINNED = "tls_verify = false"

-- The error does not come with these options.
local function helps(name, more)
   return function()
      local receipt, err = tls_server.send(name, more)
      assert(receipt, tostring(err))
   end
end

local function pin_of(name)
   return { tls_verify = false, tls_pin = certs.pin((cert(name))) }
end

local function this_day()
   return os.date "!%Y-%m-%d"
end

staged.rows("a certificate", {
   { "that is self-signed", call = shows "self_signed", error = { "certificate", "self_signed", nil, "never" },
      says = { "tls_ca_file", "tls_pin", PINNED }, also = function()
         helps("self_signed", { tls_ca_file = (cert "self_signed") })()
         helps("self_signed", pin_of "self_signed")()
      end },
   { "of a proxy in between", call = shows "proxied", error = { "certificate", "self_signed|unknown_issuer", nil,
      "never" }, says = { "Corporate Proxy CA", "antivirus|proxy", "tls_ca_file" },
      also = helps("proxied", { tls_ca_file = (cert "proxy") }) },
   { "with a key that is too short", call = weakly "weak", error = { "certificate", "weak", nil, "never" },
      says = { "RSA", "1024", "too short", "operator", PINNED }, hides = { "EE certificate" } },
   { "signed with SHA-1", call = weakly "sha1", error = { "certificate", "weak", nil, "never" },
      says = { "SHA-1", "operator" }, hides = { "digest" } },
   { "without a host", call = shows "cn_only", error = { "certificate", "wrong_host", nil, "never" },
      says = { "subjectAltName", "operator", PINNED }, hides = { "set host" }, also = helps("cn_only",
      pin_of "cn_only") },
   { "that is over", call = shows "expired", error = { "certificate", "expired", nil, "never" },
      says = { "2021-01-01", this_day(), "operator", PINNED }, also = helps("expired", pin_of "expired") },
   { "that has not begun", call = shows "not_yet_valid", error = { "certificate", "not_yet_valid", nil, "never" },
      says = { "2048-01-01", this_day(), "clock" } },
   { "for another host", call = shows "wrong_host", error = { "certificate", "wrong_host", nil, "never" },
      says = { "elsewhere.example", "host" }, also = helps("wrong_host", { tls_host = "elsewhere.example" }) },
   { "for very many hosts", call = shows "many_names", error = { "certificate", "wrong_host", nil, "never" },
      says = { "192.0.2.7", "host-001.elsewhere.example", "more" } },
   { "whose intermediate is missing", call = shows "no_chain",
      error = { "certificate", "unknown_issuer", nil, "never" }, says = { '"middle"', "operator", "intermediate" } },
   { "of a CA that is not known", call = shows "unknown_issuer",
      error = { "certificate", "unknown_issuer", nil, "never" }, says = { '"other"', "tls_ca_file" },
      also = helps("unknown_issuer", { tls_ca_file = (cert "other") }) },
   { "for clients only", call = shows "client_only", error = { "certificate", "bad_purpose", nil, "never" },
      says = { "servers", "operator" } },
   { "with another key than tls_pin", call = shows("good", { tls_pin = certs.pin((cert "expired")) }),
      error = { "certificate", "pin_mismatch", nil, "never" }, says = { "renewed", "set tls_pin", "lua-smtp probe" } },
   { "that is good, while this machine's clock is years ahead", call = function()
      staged_child.make()
      local path, key, remove = certs.make_short(24 * 3600)
      local other = peer.start(([[
         local sock = accept()
         sock:sslaccept(server_context(%q, %q))
         sock:receiveany(1)
      ]]):format(path, key))
      local receipt, err = staged_child.send { environment = "LACKING_AHEAD=90000000",
         options = ('host = "localhost", port = %d, tls = "implicit", tls_ca_file = %q'):format(other.port, cert "ca") }
      other.finish()
      remove()
      return receipt, err
   end, error = { "certificate", "expired", nil, "never" },
      says = { os.date("!ended on %Y-%m-%d", os.time() + 24 * 3600),
      os.date("!clock says %Y-%m-%d", os.time() + 90000000), "set it|set the clock" } },
})

local function openssl(arguments, more)
   return function() return nil, openssl_server.refused("good", arguments, more) end
end

-- A server as Lua of a process of its own, at a port for TLS.
local function other(body, more)
   return function()
      local path, key = cert "good"
      local server = peer.start(("local cert, key = %q, %q\n"):format(path, key) .. body)
      local t = { host = "localhost", port = server.port, tls_ca_file = cert "ca", timeout = 10,
         from = "ann@example.com", to = "bob@example.net", text = "" }
      for name, value in pairs(more or {}) do t[name] = value end
      local receipt, err = safe.send(t)
      server.finish()
      return receipt, err
   end
end

local STARTTLS = [[
   local sock = accept()
   sock:send "220 hi\r\n"
   line(sock)
   sock:send "250-mx\r\n250 STARTTLS\r\n"
   line(sock)
   sock:send "220 go\r\n"
]]

staged.rows("TLS", {
   { "without a cipher in common", call = openssl "-tls1_2 -cipher AES128-SHA256",
      error = { "tls", "no_common_cipher|handshake", nil, "never" },
      says = { "cipher", "TLS 1.2", "operator", "probe" },
      hides = { "sslv3 alert" } },
   { "of versions that are too old", call = openssl "-tls1_1 -cipher ALL:@SECLEVEL=0",
      error = { "tls", "version", nil, "never" }, says = { "older versions", "operator" } },
   { "of a version below tls_min_version", call = openssl("-tls1_2", { tls_min_version = "1.3" }),
      error = { "tls", "version", nil, "never" }, says = { 'tls_min_version = "1.2"' } },
   { "that wants a client certificate, 1.3", call = openssl "-tls1_3 -Verify 1 -verify_return_error",
      error = { "tls", "client_certificate", nil, "never" }, says = { "client certificate", "tls_cert", "tls_key" } },
   { "that wants a client certificate, 1.2", call = openssl "-tls1_2 -Verify 1 -verify_return_error",
      error = { "tls", "client_certificate", nil, "never" }, says = { "client certificate", "tls_cert", "tls_key" } },
   { "that does not take the client certificate", call = openssl("-Verify 1 -verify_return_error",
      { tls_cert = (cert "self_signed"), tls_key = (select(2, cert "self_signed")) }),
      error = { "tls", "client_certificate", nil, "never" }, says = { "does not accept", "tls_cert" } },
   { "where the server closes after STARTTLS", call = other(STARTTLS .. "sock:close()", { tls = "require" }),
      error = { "disconnected", "closed", nil, "now|later" },
      says = { "STARTTLS|agreed to TLS", "set up|certificate", "operator", "465" } },
   { "where the server goes on in clear after STARTTLS", call = other(STARTTLS .. [[
      line(sock)
      sock:send "250 mx, still in clear\r\n"
      sock:receiveany(1)
   ]], { tls = "require" }), error = { "tls", "plaintext", nil, "never" }, says = { "operator", "TLS" },
      hides = { 'set tls = "require"' } },
   { "from the first byte, where plain SMTP is spoken", call = other([[
      local sock = accept()
      sock:send "220 mx.example ESMTP\r\n"
      sock:receiveany(1)
   ]], { tls = "implicit" }), error = { "tls", "plaintext", nil, "never" },
      says = { "plain SMTP", 'tls = "require"' } },
   { "expected by the port, and not by the client", call = other([[
      local sock = accept()
      sock:sslaccept(server_context(cert, key))
      sock:receiveany(1)
   ]], { tls = "require", reply_timeout = 0.3 }),
      error = { "timeout|protocol", "timeout|tls_on_plain_port", nil, "later|never" }, says = { 'tls = "implicit"' } },
   { "where the server says nothing after STARTTLS", call = other(STARTTLS .. "repeat until not sock:receiveany(65536)",
      { tls = "require", reply_timeout = 0.3 }),
      error = { "timeout", "timeout", nil, "later" }, says = { "TLS", "0.3 s", "reply_timeout" } },
   { "where the server says nothing from the first byte", call = other("local sock = accept() "
      .. "repeat until not sock:receiveany(65536)", { tls = "implicit", reply_timeout = 0.3 }),
      error = { "timeout", "timeout", nil, "later" }, says = { "TLS", "0.3 s", "reply_timeout" } },
})

describe("silence", function()
   it("at a real server takes the time that the line says", function()
      local started = core.now()
      local _, err = other("local sock = accept() sock:receiveany(1)", { tls = "skip", reply_timeout = 0.2 })()
      assert.equal("timeout", err.kind)
      assert.truthy(tostring(err):find("0.2 s (reply_timeout)", 1, true), tostring(err))
      assert.truthy(core.now() - started < 5)
   end)
end)
