-- A worker that is replaced, or a client that goes, while messages are on their way: each message that was
-- taken on goes out once, and what is cut is delivered to no recipient.
local server = require "spec.nginx.server"

local site = require "spec.nginx.site"

local LOCATION = [[
location / {
   lua_check_client_abort on;
   content_by_lua_block {
      local safe = require "smtp.safe"
      local count = 0
      local t = { host = "127.0.0.1", port = %d, tls = "skip", domain = "me.example", timeout = 10,
         from = "a@b.example", to = "c@d.example", keepalive = { idle = 10 } }
      if ngx.var.uri == "/defer" then
         t.text = "x"
         for _ = 1, 5 do assert(safe.defer(t)) end
         return ngx.say "ok"
      end
      t.raw = function()
         ngx.sleep(0.05)
         count = count + 1
         return count <= 8 and "line\r\n" or nil
      end
      local receipt, err = safe.send(t)
      ngx.say(receipt and "ok" or tostring(err))
   }
}
]]

local ngx = package.loaded.ngx
local mx, own

before_each(function()
   mx = server.start {}
   own = site.start(mx.port < 40000 and mx.port + 7000 or mx.port - 7000, LOCATION:format(mx.port))
end)

after_each(function()
   own:stop()
   mx:stop()
end)

describe("a message on its way", function()
   for _, name in ipairs { "HUP", "QUIT" } do
      it("goes out once where nginx is told to end its worker, and its result is true: " .. name, function()
         local sock = own:ask "/"
         ngx.sleep(0.15)
         own:signal(name)
         assert.truthy(sock:receive("*a"):find("ok", 1, true))
         assert.equal(1, mx:count("message"))
      end)

      it("that was deferred goes out once: " .. name, function()
         local sock = own:ask "/defer"
         assert.truthy(sock:receive("*a"):find("ok", 1, true))
         own:signal(name)
         mx:wait("message", 5)
         assert.equal(5, mx:count("message"))
      end)
   end

   it("is delivered to no recipient where its client goes, and its connection is not kept", function()
      local sock = own:ask "/"
      ngx.sleep(0.15)
      sock:close()
      mx:wait("over", 1)
      assert.equal(0, mx:count("message"))
      sock = own:ask "/"
      assert.truthy(sock:receive("*a"):find("ok", 1, true))
      assert.same({ 1, 2 }, { mx:count("message"), mx:count("open") })
   end)
end)
