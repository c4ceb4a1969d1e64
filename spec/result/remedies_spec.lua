-- Every remedy that names an option works when it is followed: the option is set, the message is sent again, and now
-- goes out. A remedy that is added without a row here fails.
local certs = require "spec.tools.certs"
local names = require "smtp.options.names"
local openssl_server = require "spec.tools.openssl_server"
local remedies = require "smtp.result.remedies"
local runtime = require "smtp.runtime.runtime"
local safe = require "smtp.safe"
local staged = require "spec.tools.staged"
local tls_server = require "spec.tools.tls_server"

local cert = certs.make()

-- ---- what remedies there are ----

local function is_option(name)
   return names.connection.by_name[name] or names.message.by_name[name]
end

-- Does it name an option with a value, "tls = \"require\"", or "give X"?
local function names_option(text)
   for name in text:gmatch("%f[%a_]([a-z_]+) = ") do
      if is_option(name) and not text:find("port = {port}", 1, true) then return true end
   end
   return false
end

local function each(table_, prefix, found)
   for key, value in pairs(table_) do
      if type(value) == "table" then
         each(value, prefix .. key .. ".", found)
      elseif names_option(value) then
         found[prefix .. key] = value
      end
   end
   return found
end

local all = each(remedies, "", {})

-- ---- the rows ----

-- By the name of the remedy: { options, server, what the remedy says to set }.
local rows = {}

local NO_LOGIN = { username = false, password = false }

local function with(base, more)
   local t = {}
   for name, value in pairs(base) do t[name] = value end
   for name, value in pairs(more or {}) do t[name] = value end
   return t
end

-- A server that speaks TLS from the first byte, or fails as the row says where the client does not.
local function in_tls(otherwise)
   return function(t) return t.tls == "implicit" and {} or otherwise end
end

rows["of_reason.protocol.tls_on_plain_port"] = { {}, in_tls { greeting = "\21\3\1\0\2\2\70" }, { tls = "implicit" } }
rows.silent = { {}, in_tls { greeting = "SILENCE" }, { tls = "implicit" } }
rows.mute = { {}, in_tls { greeting = "CLOSE" }, { tls = "implicit" } }
rows.plaintext = { { tls = "implicit" }, function(t)
   return t.tls == "implicit" and { handshake = "tls:plaintext" } or {}
end, { tls = "require" } }
rows.silent_handshake = { { tls = "implicit", port = 587 }, function(t)
   return t.tls == "implicit" and { handshake = "timeout" } or {}
end, { tls = "require" } }
rows.closed_in_tls = { { tls = "implicit" }, function(t)
   return t.tls == "implicit" and { handshake = "closed" } or {}
end, { tls = "require" } }
rows.plaintext_after = { {}, in_tls { handshake = "tls:plaintext" }, { port = 465, tls = "implicit" } }
rows.closed_after_starttls = { {}, in_tls { handshake = "closed" }, { port = 465, tls = "implicit" } }
rows.no_tls = { { port = 2525 }, in_tls { EHLO = { "SIZE" } }, { port = 465, tls = "implicit" } }
rows.no_tls_there = { {}, in_tls { EHLO = { "SIZE" } }, { port = 465, tls = "implicit" } }
rows.prefer_tls = { NO_LOGIN, { EHLO = { "SIZE" } }, { tls = "prefer" } }
rows.set_tls = { with(NO_LOGIN, { tls = "skip" }), function(t)
   return t.tls == "skip" and { MAIL = "530 5.7.0 Must issue a STARTTLS command first" } or {}
end, { tls = "require" } }
rows.firewall = { {}, in_tls { EHLO = { "XXXXXXXA", "SIZE" } }, { port = 465, tls = "implicit" } }
rows.domain = { NO_LOGIN, function(t)
   return t.domain == "me.example" and { EHLO = "501 bad name" } or {}
end, { domain = "mail.example.org" } }
rows.other_protocol = { with(NO_LOGIN, { port = 24, protocol = "lmtp", tls = "skip" }),
   { LHLO = "500 unknown" }, { protocol = "smtp", port = 587, tls = "skip" } }
rows.only_named = { {}, { TLS = { "AUTH CRAM-MD5" }, AUTH = { "334 PDE+", "235 ok" } },
   { auth_mechanisms = { "CRAM-MD5" } } }
rows.prefer_auth = { {}, { TLS = { "SIZE" } }, { auth = "prefer" } }
rows.auth_after_tls = { { tls = "skip" }, {}, { tls = "require" } }
rows.set_tls_for_secret = { { tls = "skip" }, { EHLO = { "STARTTLS", "AUTH PLAIN" } }, { tls = "require" } }
rows.no_tls_for_secret = { { tls = "prefer" }, in_tls { EHLO = { "AUTH PLAIN" } }, { port = 465, tls = "implicit" } }
local LMTP = { protocol = "lmtp", port = 24, tls = "prefer" }
rows.no_tls_for_secret_lmtp = { LMTP, { LHLO = { "AUTH PLAIN" } }, { auth_plaintext = true } }
rows.own_mechanism = { { tls = "skip", auth_mechanisms = { { name = "X-OWN", start = function() return "a", true end,
   step = function() return nil end } } },
   { EHLO = { "STARTTLS", "AUTH X-OWN" }, TLS = { "AUTH X-OWN" } }, { tls = "require" } }
rows.skipped = { { auth = "skip" }, { MAIL = function(_, server)
   return server.has_login and "250 ok" or "530 5.7.0 Authentication required"
end, AUTH = function(_, server)
   server.has_login = true
   return "235 ok"
end }, { auth = false } }
rows.tls_first = { { auth = "prefer", tls = "skip" }, function(t)
   return t.tls == "skip" and { MAIL = "530 5.7.0 Authentication required" } or {}
end, { tls = "require" } }
rows.min_version = false -- below
rows.extension = { { extensions = { dsn = "require" } }, {}, { extensions = { dsn = "prefer" } } }
rows["of_reason.extension_unsupported.requiretls_unverified"] = { with(NO_LOGIN, { tls = "skip", requiretls = true }),
   function(t)
      return t.tls == "skip" and { EHLO = { "REQUIRETLS" } } or { TLS = { "REQUIRETLS" } }
   end, { tls = "require" } }
rows["of_reason.extension_unsupported.requiretls"] = { { requiretls = true }, {}, { requiretls = false } }
rows["of_reason.data_refused.bdat"] = false -- this library follows it by itself
rows["of_reason.recipients_refused.too_many"] = { { recipients = "all", to = { "a@x.example", "b@x.example" } },
   { RCPT = { "250 ok", "452 4.5.3 too many" } }, { recipients = false } }
rows["of_reason.source.eightbit"] = { {}, function(t)
   local left = "Subject: x\r\n\r\n\195\164\r\n"
   t.raw = function()
      local piece = left
      left = nil
      return piece
   end
   return {}
end, { eightbit = true } }
rows["of_reason.auth_insecure.unverified"] = false -- spec/runtime/callers_transport_spec.lua

-- Real certificates: our own transports show no reason for another pin.
local real = { ["of_reason.certificate.expired"] = "expired", ["of_reason.certificate.self_signed"] = "self_signed",
   nameless = "cn_only", ["of_reason.certificate.weak"] = false }

-- ---- following them ----

local function starts(text)
   return text:match("^[^{]*")
end

local function outcome(err)
   return ("%s %s %s"):format(err.kind, tostring(err.reason), tostring(err.hint))
end

describe("The remedy", function()
   for key, text in pairs(all) do
      local row = rows[key]
      if real[key] ~= nil then
         row = false
      end
      if row then
         it(key .. " leads on", function()
            local case = { options = row[1], server = row[2] }
            local receipt, err = staged.send(case)
            if receipt then error("the message was sent") end
            assert.matches(starts(text), err.hint or "no hint", 1, true)
            local second
            receipt, second = staged.send(case, with(row[1], row[3]))
            if not receipt then assert.not_equal(outcome(err), outcome(second)) end
            assert(receipt, tostring(second))
         end)
      elseif row == nil then
         it(key .. " has a row in this file", function() error(text) end)
      end
   end

   it("min_version leads on", function()
      local err = openssl_server.refused("good", "-tls1_2", { tls_min_version = "1.3" })
      assert.equal(remedies.min_version, err.hint)
      err = openssl_server.refused("good", "-tls1_2", { tls_min_version = "1.2", timeout = 1 })
      assert.equal("greeting", err.stage) -- the handshake succeeded
   end)

   for key, name in pairs(real) do
      if name then
         it(key .. " leads on", function()
            local _, err = tls_server.send(name)
            assert.equal(all[key], err.hint)
            assert((tls_server.send(name, { tls_verify = false, tls_pin = certs.pin(cert(name)) })))
         end)
      end
   end
end)

describe("A machine that has no descriptors left", function()
   local transport = runtime.transport
   after_each(function() runtime.transport = transport end)

   it("is named as the cause, with the limit to raise", function()
      runtime.transport = function()
         return { connect = function() return nil, "system", "Too many open files" end, close = function() end,
            settimeouts = function() end }
      end
      local _, err = safe.send { host = "127.0.0.1", port = 1, from = "a@b.example", to = "c@d.example", raw = "x" }
      assert.same({ "system", "system", "later" }, { err.kind, err.reason, err.retry })
      assert.matches("ulimit -n", err.hint, 1, true)
   end)
end)
