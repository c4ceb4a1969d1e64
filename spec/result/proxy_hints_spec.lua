-- Each trouble with a proxy has a remedy, which names what is to be changed.
local proxy_hints = require "smtp.result.proxy_hints"

local function server(scheme, more)
   local proxy = { scheme = scheme, place = "proxy.example:9" }
   for name, value in pairs(more or {}) do proxy[name] = value end
   return { host = "mx.example", port = 25, proxy = proxy }
end

describe("The hint for a proxy", function()
   it("names the option, or the server", function()
      for _, row in ipairs {
         { { reason = "proxy_unreachable" }, server "http", {}, "host and the port" },
         { { reason = "proxy_auth" }, server "http", {}, "http://USER:PASSWORD@proxy.example:9" },
         { { reason = "proxy_auth" }, server("socks5", { username = "ann" }), {}, "Check the user and the password" },
         { { reason = "proxy_auth" }, server "http", { takes_no_password = true }, "another kind" },
         { { reason = "proxy_refused", retry = "never" }, server "http", {},
            "has to allow connections to mx.example, port 25" },
         { { reason = "proxy_refused", retry = "later" }, server "http", {}, "check host and port" },
         { { reason = "proxy_protocol", text = "HTTP/1.1 400" }, server "socks5", {}, "http://" },
         { { reason = "proxy_protocol", text = "??" }, server "http", { is_socks = true }, "socks5://" },
         { { reason = "proxy_protocol", text = "HTTP/1.1 x" }, server "http", {}, "scheme" },
         { { reason = "proxy_protocol", text = "220 hi" }, server "http", {}, "mail server" },
         { { reason = "proxy_protocol" }, server "http", { is_closed = true }, "socks5://" },
         { { reason = "proxy_protocol" }, server "socks5", { is_closed = true }, "http://" },
         { { kind = "timeout", reason = "timeout" }, server "http", { option = "timeout" }, "raise timeout" },
      } do
         local err, place, trouble, words = row[1], row[2], row[3], row[4]
         err.stage = "connect"
         assert.is_true(proxy_hints.is_about(err))
         local hint = proxy_hints.find(err, place, trouble)
         assert.truthy(hint:find(words, 1, true), hint)
         assert.is_nil(hint:find("[{}]"))
      end
   end)

   it("is not for what happens beyond it", function()
      assert.is_false(proxy_hints.is_about { stage = "greeting", kind = "timeout", reason = "timeout" })
      assert.is_false(proxy_hints.is_about { stage = "connect", kind = "system", reason = "system" })
   end)
end)
