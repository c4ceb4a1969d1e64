-- What EHLO says where this machine has no full name: the address of this end, as far as it is known.
local core = require "smtp.core"
local elsewhere = require "spec.nginx.elsewhere"
local own_address = require "smtp.runtime.nginx.own_address"
local safe = require "smtp.safe"
local server = require "spec.nginx.server"

local hostname = core.hostname

local mx

before_each(function() core.hostname = function() return "box" end end)

after_each(function()
   core.hostname = hostname
   if mx then mx:stop() end
   mx = nil
end)

local function hello(config, more)
   mx = server.start(config)
   local t = { port = mx.port, tls = "skip", from = "ann@me.example", to = "bob@there.example", text = "",
      timeout = 5 }
   for name, value in pairs(more) do t[name] = value end
   local receipt, err = safe.send(t)
   assert(receipt, tostring(err))
   return mx:log("EHLO")[1]:match("EHLO (.*)$")
end

describe("EHLO in nginx without a full name of the host", function()
   it("says the address of this end: IPv4", function()
      assert.equal("[127.0.0.1]", hello({}, { host = "127.0.0.1" }))
   end)

   it("says the address of this end: IPv6", function()
      assert.equal("[IPv6:::1]", hello({ address = "::1" }, { host = "::1" }))
   end)

   it("says the address of this end: localhost by IPv6 alone", function()
      assert.equal("[IPv6:::1]", hello({ address = "::1" }, { host = "localhost" }))
   end)

   it("says source_address", function()
      assert.equal("[127.0.0.7]", hello({}, { host = "127.0.0.1", source_address = "127.0.0.7" }))
   end)

   it("says domain where it is set", function()
      assert.equal("me.example", hello({}, { host = "127.0.0.1", domain = "me.example" }))
   end)
end)

describe("the address of this end", function()
   it("is the request's where the target is a name, unless that is loopback's", function()
      local ngx = package.loaded.ngx
      local var = ngx.var
      finally(function() ngx.var = var end)
      for _, address in ipairs { "192.0.2.9", "2001:db8::9" } do
         ngx.var = { server_addr = address }
         assert.equal(address, own_address.towards "mx.example")
      end
      for _, address in ipairs { "127.0.0.1", "::1", "unix:/x" } do
         ngx.var = { server_addr = address }
         assert.not_equal(address, own_address.towards "mx.example")
      end
   end)

   it("is found in timers, too, and unknown for a unix socket", function()
      assert.equal("::1", elsewhere.later(function() return own_address.towards "::1" end))
      elsewhere.later(function() return own_address.towards "mx.example" end)
      assert.is_nil(own_address.towards "unix:/x")
      assert.is_nil(own_address.towards "999.1.1.1")
   end)
end)
