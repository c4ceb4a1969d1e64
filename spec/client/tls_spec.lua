-- The handshake as a conversation sees it: what a transport says of it, and how long it may take.
local core = require "smtp.core"
local smtp = require "smtp.safe"
local talk = require "spec.tools.talk"
local tls = require "smtp.client.tls"

-- A transport whose handshake does this.
local function send(handshake, more)
   local out = { "220 hi\r\n" }
   local transport = { connect = function() return true end, settimeouts = function(_, ms) out.ms = ms end,
      close = function() out.closed = true end, sslhandshake = handshake,
      send = function(_, data)
         out[#out + 1] = data:find("^EHLO") and "250-mx\r\n250 STARTTLS\r\n" or "220 go\r\n"
         return #data
      end,
      receiveany = function() return table.remove(out, 1) end }
   local options = talk.options { tls = "require", port = talk.new_port() }
   for name, value in pairs(more or {}) do options[name] = value end
   options.transport = transport
   local receipt, err = smtp.send(options)
   assert.is_nil(receipt)
   assert.is_true(out.closed)
   return err
end

describe("a handshake that fails", function()
   for _, mode in ipairs { "require", "implicit" } do
      -- Other libraries have words of their own.
      for _, why in ipairs { "certificate verify failed", "verify:failed", "certificate:", "wantread", "tls" } do
         it(("for a reason of the transport's own is one of TLS: %s, %s"):format(mode, why), function()
            local err = send(function() return nil, why end, { tls = mode })
            assert.same({ "tls", "handshake", "tls", "never", "no" },
               { err.kind, err.reason, err.stage, err.retry, err.sent })
            assert.equal(why, err.text)
            assert.truthy(tostring(err):find("could not agree on TLS", 1, true))
         end)
      end

      local words = { ["certificate:expired"] = { "certificate", "expired", "never" },
         ["tls:version"] = { "tls", "version", "never" }, timeout = { "timeout", "timeout", "later" },
         closed = { "disconnected", "closed", "now" }, protocol = { "protocol", "tls_flood", "later" },
         system = { "system", "resources", "later" } }
      for why, expected in pairs(words) do
         it(("with a known word is that: %s, %s"):format(mode, why), function()
            local err = send(function() return nil, why, "because" end, { tls = mode })
            assert.same(expected, { err.kind, err.reason, err.retry })
            assert.same({ "tls", "because" }, { err.stage, err.text })
         end)
      end

      it("is gone on with where the transport says so, in the time there is: " .. mode, function()
         local count, began = 0, core.now()
         local err = send(function()
            count = count + 1
            core.sleep(0.02)
            if core.now() - began > 5 then return nil, "closed", "without end" end
            return nil, count < 3 and "again" or "timeout", "now"
         end, { tls = mode, timeout = 1 })
         assert.same({ 3, "timeout", "now" }, { count, err.kind, err.text })
      end)
   end
end)

describe("what is known of TLS", function()
   local sock = { tlsinfo = function()
      return { version = "TLSv1.3", cipher = "x", verified = true, resumed = true }
   end, is_secure = function() return false end }

   it("is what our own sockets know", function()
      assert.same({ version = "TLSv1.3", cipher = "x", verified = true, resumed = true }, tls.info({}, sock))
      assert.same({ verified = false }, tls.info({ tls_verify = false }, {}))
      assert.same({ verified = true }, tls.info({ tls_verify = true }, {}))
   end)

   it("is not verified by what a transport of the caller's says, but by what it declares", function()
      assert.same({ version = "TLSv1.3", cipher = "x", verified = false, resumed = true },
         tls.info({ transport = sock, tls_verify = true }, sock))
      assert.same({ verified = true },
         tls.info({ transport = sock, tls_verify = true }, { is_secure = function() return true end }))
   end)
end)
