-- The dialogue with an HTTP proxy, played whole, byte by byte and in halves.
local core = require "smtp.core"
local proxies = require "spec.tools.proxies"

local play, script = proxies.play, proxies.script
local PASSWORD, LOGIN = proxies.PASSWORD, proxies.LOGIN

local function http(more) return proxies.options("http", more) end

describe("An HTTP proxy", function()
   it("is asked by CONNECT, and the message goes through it", function()
      local receipt, err, peer = play(http(), script [[
         <http>
         S: HTTP/1.1 200 Connection established
         S: Via: 1.1 proxy
         S:
         <hello HELP>
         <accepted>
      ]])
      assert.is_nil(err)
      assert.same({ "proxy.example", 3128 }, peer.connected)
      assert.equal("mx.example", receipt.server.host)
   end)

   it("gets the login with the request, decoded", function()
      local _, err = play(http { proxy = "http://another%40b:" .. PASSWORD .. "%2F@proxy.example" }, script([[
         C: CONNECT mx.example:25 HTTP/1.1
         C: Host: mx.example:25
         C: Proxy-Authorization: Basic $login
         C:
         S: HTTP/1.0 200 OK
         S:
         <hello HELP>
         <accepted>
      ]], { login = core.base64("another@b:" .. PASSWORD .. "/") }))
      assert.is_nil(err)
   end)

   it("may first say that it goes on", function()
      local _, err = play(http(), script [[
         <http>
         S: HTTP/1.1 100 Continue
         S:
         S: HTTP/1.1 200
         S:
         <hello HELP>
         <accepted>
      ]])
      assert.is_nil(err)
   end)

   it("that requires a login causes proxy_auth, and repeats it in vain", function()
      local _, err = play(http { proxy = "http://" .. LOGIN .. "proxy.example" }, script([[
         C: CONNECT mx.example:25 HTTP/1.1
         C: Host: mx.example:25
         C: Proxy-Authorization: Basic $login
         C:
         S: HTTP/1.1 407 Proxy Authentication Required
         S: Proxy-Authenticate: Basic realm="x"
         S: X-You-Sent: $login and $password
         S:
         CLOSE
      ]], { login = core.base64("ann:" .. PASSWORD), password = PASSWORD }))
      assert.same({ "connect", "proxy_auth", "never" }, { err.kind, err.reason, err.retry })
      assert.truthy(err.text:find("407 Proxy Authentication Required", 1, true))
      assert.truthy(err.text:find("X-You-Sent: [secret] and [secret]", 1, true), err.text)
      proxies.hides_login(err)
   end)

   it("that repeats a part of the login at the end of what was read does not show it", function()
      local _, err = play(http { proxy = "http://" .. LOGIN .. "proxy.example" }, script([[
         C: CONNECT mx.example:25 HTTP/1.1
         C: Host: mx.example:25
         C: Proxy-Authorization: Basic $login
         C:
         S: HTTP/1.1 403 Forbidden
         S:
         S~ You sent $part
      ]], { login = core.base64("ann:" .. PASSWORD), part = core.base64("ann:" .. PASSWORD):sub(1, -3) }))
      assert.equal("proxy_refused", err.reason)
      assert.falsy(err.text:find(core.base64("ann:" .. PASSWORD):sub(1, 8), 1, true), err.text)
   end)

   it("may ask for a login by 401, as tinyproxy does", function()
      local _, err = play(http(), script [[
         <http>
         S: HTTP/1.0 401 Unauthorized
         S: WWW-Authenticate: Basic realm="Tinyproxy"
         S:
         CLOSE
      ]])
      assert.same({ "connect", "proxy_auth", "never" }, { err.kind, err.reason, err.retry })
      assert.truthy(err.hint:find("http://USER:PASSWORD@", 1, true), err.hint)
   end)

   it("that wants another login says so", function()
      for header, hint in pairs { ["Proxy-Authenticate: Negotiate"] = "another kind",
         ["PROXY-AUTHENTICATE: NTLM, BASIC"] = "http://USER:PASSWORD@proxy.example:3128",
         ["X: y"] = "http://USER:PASSWORD@proxy.example:3128" } do
         local _, err = play(http(), script([[
            <http>
            S: HTTP/1.1 407 No
            S: $header
            S:
            CLOSE
         ]], { header = header }))
         assert.equal("proxy_auth", err.reason)
         assert.truthy(err.hint:find(hint, 1, true), err.hint)
      end
   end)

   for code, retry in pairs { [403] = "never", [404] = "never", [405] = "never", [302] = "never", [429] = "later",
      [500] = "later", [502] = "later", [503] = "later", [504] = "later" } do
      it("that refuses with " .. code .. " causes proxy_refused, retry " .. retry, function()
         local _, err = play(http(), script([[
            <http>
            S: HTTP/1.1 $code Filtered
            S: X-Error: ERR_ACCESS_DENIED 0
            S:
            CLOSE
         ]], { code = code }))
         assert.same({ "connect", "proxy_refused", "connect", retry, "no" },
            { err.kind, err.reason, err.stage, err.retry, err.sent })
         assert.truthy(err.text:find(("^HTTP/1.1 %d Filtered\nX%%-Error: ERR_ACCESS_DENIED 0$"):format(code)), err.text)
         assert.truthy(tostring(err):find("port 25", 1, true))
      end)
   end

   it("that is something else causes proxy_protocol", function()
      for said, hint in pairs { ["220 mx.example ESMTP"] = "mail server answers there", ["<html>hi</html>"] = "scheme",
         ["HTTP/1.1 abc"] = "scheme", ["\\x05\\xff"] = "socks5://" } do
         local _, err = play(http(), script([[
            <http>
            S: $said
            S:
            CLOSE
         ]], { said = said }))
         assert.same({ "connect", "proxy_protocol", "never" }, { err.kind, err.reason, err.retry })
         assert.truthy(err.hint:find(hint, 1, true), err.hint)
      end
   end)

   it("that sends a header without end causes proxy_protocol, and what is shown of it is short", function()
      local _, err = play(http(), script("<http>\nS: HTTP/1.1 200 OK\n"
         .. ("S: X-Filler: " .. ("x"):rep(80) .. "\n"):rep(230) .. "CLOSE"))
      assert.same({ "connect", "proxy_protocol", "never" }, { err.kind, err.reason, err.retry })
      assert.is_true(#err.text < 450)
   end)

   it("gets an IPv6 address in brackets", function()
      local _, err = play(http { host = "2001:db8::7" }, script [[
         C: CONNECT [2001:db8::7]:25 HTTP/1.1
         C: Host: [2001:db8::7]:25
         C:
         S: HTTP/1.1 200 OK
         S:
         <hello HELP>
         <accepted>
      ]])
      assert.is_nil(err)
   end)
end)
