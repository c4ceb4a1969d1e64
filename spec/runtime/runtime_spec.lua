local checked = require "spec.tools.checked"
local safe = require "smtp.safe"

describe("the name in EHLO", function()
   local core = require "smtp.core"
   local hostname = core.hostname

   after_each(function() core.hostname = hostname end)

   -- What EHLO says on a host of this name, at this end of the connection.
   local function said(name, own, protocol)
      core.hostname = function() return name end
      local line
      local peer = { duplex = true, connect = function() return true end, settimeouts = function() end,
         close = function() end, sslhandshake = function() end, getsockname = own and function() return own, 1 end,
         send = function(_, bytes)
            line = line or bytes
            return #bytes
         end }
      function peer.receiveany()
         if line then return nil, "closed" end
         return "220 hi\r\n"
      end
      safe.connect { host = "mx.example", transport = peer, tls = "skip", protocol = protocol }
      return line:match("^%u+ (.-)\r\n")
   end

   it("is this host's where that is a full one", function()
      assert.equal("me.example", said("me.example", "192.0.2.1"))
      assert.equal("me.example", said("me.example", "192.0.2.1", "lmtp"))
   end)

   for _, name in ipairs { "localhost", "localhost.localdomain", "LOCALHOST.LOCALDOMAIN", "localhost6.localdomain6",
      "vm.localdomain", "vm", "10.1.2.3", "1.2.3", "vm.localhost", "", "a_b.example" } do
      it("is an address literal of our end on " .. name, function()
         for _, protocol in ipairs { "smtp", "lmtp" } do
            assert.equal("[192.0.2.1]", said(name, "192.0.2.1", protocol))
            assert.equal("[IPv6:2001:db8::1]", said(name, "2001:db8::1", protocol))
            assert.equal("[IPv6:fe80::1]", said(name, "fe80::1%eth0", protocol))
            assert.equal("[127.0.0.1]", said(name, nil, protocol))
         end
      end)
   end
end)

local base = checked.base

describe("transport as a function", function()
   it("that makes no transport is a SourceError, and no connection is made without it", function()
      local listener = assert(require("smtp.socket").listen("127.0.0.1", 0))
      local _, port = listener:getsockname()
      for _, make in ipairs { function() end, function() return nil, "the proxy is down" end,
         function() return false end,
         function() return {} end, function() return "x" end, function() error("the proxy is down") end } do
         for _, tls in ipairs { "skip", "require" } do
            local t = { host = "127.0.0.1", port = port, transport = make, tls = tls, timeout = 1, from = base.from,
               to = base.to, text = "" }
            for _, call in ipairs { safe.send, safe.probe } do
               if call == safe.probe then t.from, t.to, t.text = nil, nil, nil end
               local _, err = call(t)
               assert.same({ "source", "transport", "no" }, { err.kind, err.reason, err.sent })
               assert.truthy(err.what:find("transport", 1, true))
            end
         end
      end
      assert.is_nil((listener:accept(1)))
      listener:close()
   end)
end)
