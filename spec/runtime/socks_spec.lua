-- The dialogue with a SOCKS proxy, played whole, byte by byte and in halves.
local proxies = require "spec.tools.proxies"

local play, script = proxies.play, proxies.script
local PASSWORD, LOGIN = proxies.PASSWORD, proxies.LOGIN

local function socks(more) return proxies.options("socks5", more) end

describe("A SOCKS proxy", function()
   it("is asked for the server by its name, and the message goes through it", function()
      local receipt, err, peer = play(socks(), script [[
         <socks>
         <hello HELP>
         <accepted>
      ]])
      assert.is_nil(err)
      assert.same({ "proxy.example", 1080 }, peer.connected)
      assert.equal("\5\1\0\5\1\0\3\10mx.example\0\25", peer.body:sub(1, 20))
      assert.same({ "mx.example", 25 }, { receipt.server.host, receipt.server.port })
      assert.is_nil(receipt.server.address)
   end)

   it("gets a login if it asks for one", function()
      local _, err, peer = play(socks { proxy = "socks5://" .. LOGIN .. "proxy.example:9" }, script([[
         OCTETS 4
         S~ \x05\x02
         OCTETS $login
         S~ \x01\x00
         <connect_socks>
         <connected>
         <hello HELP>
         <accepted>
      ]], { login = 3 + 3 + #PASSWORD }))
      assert.is_nil(err)
      assert.same({ "proxy.example", 9 }, peer.connected)
      assert.truthy(peer.body:find("^\5\2\0\2\1\3ann" .. string.char(#PASSWORD)))
      assert.truthy(peer.body:find(PASSWORD, 1, true))
   end)

   it("that refuses the login causes proxy_auth, which no later attempt changes", function()
      local _, err = play(socks { proxy = "socks5://" .. LOGIN .. "proxy.example" }, script([[
         OCTETS 4
         S~ \x05\x02
         OCTETS $login
         S~ \x01\x01
         CLOSE
      ]], { login = 3 + 3 + #PASSWORD }))
      assert.same({ "connect", "proxy_auth", "connect", "never", "no", "account" },
         { err.kind, err.reason, err.stage, err.retry, err.sent, err.concerns })
      assert.truthy(err.hint:find("user and the password", 1, true))
      proxies.hides_login(err)
   end)

   it("that requires a login causes proxy_auth", function()
      for _, code in ipairs { "\\xff", "\\xff " } do
         local _, err = play(socks(), script([[
            <hello_socks>
            S~ \x05$code
            CLOSE
         ]], { code = code }))
         assert.same({ "connect", "proxy_auth", "never" }, { err.kind, err.reason, err.retry })
         assert.truthy(err.hint:find("socks5://USER:PASSWORD@proxy.example:1080", 1, true), err.hint)
      end
      local _, err = play(socks { proxy = "socks5://" .. LOGIN .. "proxy.example" }, script [[
         OCTETS 4
         S~ \x05\xff
         CLOSE
      ]])
      assert.equal("proxy_auth", err.reason)
      assert.truthy(err.hint:find("another kind", 1, true), err.hint)
   end)

   for status, retry in pairs { [1] = "later", [2] = "never", [3] = "later", [4] = "later", [5] = "later",
      [6] = "later", [7] = "never", [8] = "never", [99] = "later" } do
      it("that refuses with " .. status .. " causes proxy_refused, retry " .. retry, function()
         local _, err = play(socks(), script([[
            <hello_socks>
            S~ \x05\x00
            <connect_socks>
            S~ \x05\x$status\x00\x01
            CLOSE
         ]], { status = ("%02x"):format(status) }))
         assert.same({ "connect", "proxy_refused", "connect", retry, "no" },
            { err.kind, err.reason, err.stage, err.retry, err.sent })
         assert.is_nil(err.concerns)
         assert.truthy(tostring(err):find("mx.example:25 was not reached: the proxy proxy.example:1080", 1, true))
      end)
   end

   it("may bind any kind of address", function()
      for _, address in ipairs { "\\x04" .. ("\\x00"):rep(16), "\\x03\\x04name", "\\x03\\x00" } do
         local _, err = play(socks(), script([[
            <hello_socks>
            S~ \x05\x00
            <connect_socks>
            S~ \x05\x00\x00$address\x00\x19
            <hello HELP>
            <accepted>
         ]], { address = address }))
         assert.is_nil(err)
      end
   end)

   it("that is something else causes proxy_protocol, with what it said", function()
      for said, hint in pairs { ["220 mx.example ESMTP"] = "mail server answers there", ["\\x15\\x03\\x01"] = "scheme",
         ["HTTP/1.1 400 Bad Request"] = "begin the option proxy with http://", ["\\x04\\x00"] = "scheme",
         ["<html><body>no</body></html>"] = "scheme" } do
         local _, err, peer = play(socks(), script([[
            <hello_socks>
            S: $said
            CLOSE
         ]], { said = said }))
         assert.same({ "connect", "proxy_protocol", "connect", "never", "no" },
            { err.kind, err.reason, err.stage, err.retry, err.sent })
         assert.truthy(err.hint:find(hint, 1, true), err.hint)
         assert.equal(3, #peer.body)
         if said:find("^%w") then assert.truthy(err.text:find(said, 1, true)) end
      end
   end)

   it("that asks for what was not offered, or answers with an address of no kind, causes proxy_protocol", function()
      for _, after in ipairs { "S~ \\x05\\x02", "S~ \\x05\\x01",
         "S~ \\x05\\x00\n<connect_socks>\nS~ \\x05\\x00\\x00\\x07abc",
         "S~ \\x05\\x00\n<connect_socks>\nS: 220 hi" } do
         local _, err = play(socks(), script("<hello_socks>\n" .. after .. "\nCLOSE"))
         assert.same({ "connect", "proxy_protocol", "never" }, { err.kind, err.reason, err.retry })
      end
   end)

   it("that speaks before it is asked causes proxy_protocol", function()
      local _, err = proxies.play_once(socks(), script [[
         <hello_socks>
         S~ \x05\x00\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x19
         CLOSE
      ]], "whole")
      assert.equal("proxy_protocol", err.reason)
   end)

   it("gets addresses as addresses", function()
      for host, bytes in pairs { ["192.0.2.77"] = "\1\192\0\2\77", ["2001:db8::7"] = "\4\32\1\13\184"
         .. ("\0"):rep(11) .. "\7", ["fe80::1%eth0"] = "\4\254\128" .. ("\0"):rep(13) .. "\1",
         ["::1"] = "\4" .. ("\0"):rep(15) .. "\1",
         ["fe80::"] = "\4\254\128" .. ("\0"):rep(14),
         ["::ffff:192.0.2.1"] = "\4" .. ("\0"):rep(10) .. "\255\255\192\0\2\1",
         ["1:2:3:4:5:6:7:8"] = "\4\0\1\0\2\0\3\0\4\0\5\0\6\0\7\0\8" } do
         local _, err, peer = play(socks { host = host, port = 587 }, script([[
            <hello_socks>
            S~ \x05\x00
            OCTETS $count
            <connected>
            <hello HELP>
            <accepted>
         ]], { count = 3 + #bytes + 2 }))
         assert.is_nil(err)
         assert.equal("\5\1\0" .. bytes .. "\2\75", peer.body:sub(4, 3 + 3 + #bytes + 2))
      end
   end)
end)
