-- Where a conversation connects to, and what an error says where that fails.
local proxies = require "spec.tools.proxies"
local runtime = require "smtp.runtime.runtime"
local safe = require "smtp.safe"
local talk = require "spec.tools.talk"

local real_transport = runtime.transport

-- Sends by a transport that cannot connect. -> the error, where it was to connect
local function send_by(why, more)
   local place
   local sock = { settimeouts = function() end, close = function() end,
      connect = function(_, ...)
         place = { ... }
         return nil, why, "its words", "its hint"
      end }
   local t = talk.options(more)
   t.port = t.port or talk.new_port()
   runtime.transport = function() return sock end
   local _, err = safe.send(t)
   runtime.transport = real_transport
   return err, place
end

describe("A connection", function()
   it("goes to the server, to its socket, or to the proxy", function()
      local _, place = send_by("connect:refused", { port = 25 })
      assert.same({ "mx.example", 25 }, place)
      _, place = send_by("connect:refused", { host = false, socket = "/run/x" })
      assert.equal("unix:/run/x", place[1])
      _, place = send_by("connect:refused", proxies.options("socks5", { source_address = "127.0.0.1" }))
      assert.same({ "proxy.example", 1080, "127.0.0.1" }, place)
   end)

   it("to a proxy fails with stage connect and a reason of its own", function()
      for why, want in pairs { ["connect:refused"] = { "connect", "later" }, connect = { "connect", "later" },
         ["connect:unreachable"] = { "connect", "later" }, timeout = { "timeout", "later" },
         ["timeout:resolve"] = { "timeout", "later" }, resolve = { "resolve", "later" },
         ["resolve:unknown_host"] = { "resolve", "never" } } do
         local err = send_by(why, proxies.options "http")
         assert.same({ want[1], "proxy_unreachable", "connect", want[2], "no" },
            { err.kind, err.reason, err.stage, err.retry, err.sent })
         assert.truthy(err.hint:find("option proxy", 1, true), err.hint)
         assert.truthy(err.what:find("^mx.example:25 was not reached: the proxy proxy.example:3128 "), err.what)
      end
   end)

   it("to a proxy that times out says after which time", function()
      local err = send_by("timeout", proxies.options("http", { connect_timeout = 9 }))
      assert.truthy(err.what:find("did not accept the connection within 9 s (connect_timeout)", 1, true), err.what)
   end)

   it("that fails because of this machine is not the proxy's fault", function()
      local err = send_by("system", proxies.options "http")
      assert.same({ "system", "system", "its hint" }, { err.kind, err.reason, err.hint })
      err = send_by("connect:source_address", proxies.options("http", { source_address = "127.0.0.1" }))
      assert.equal("source_address", err.reason)
   end)
end)
