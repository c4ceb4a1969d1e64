--- Messages a second over one kept connection: raw and composed, and a raw cosocket loop beside them.

local bare = require "spec.bench.nginx.bare"
local core = require "smtp.core"
local safe = require "smtp.safe"
local server = require "spec.nginx.server"

local COUNT = 2000

local function measure(name, send)
   for _ = 1, 100 do send() end
   local began = core.now()
   for _ = 1, COUNT do send() end
   ngx.say(("%-34s %6.0f messages a second"):format(name, COUNT / (core.now() - began)))
   ngx.flush(true)
end

return function()
   local mx = server.start { fast = true, quiet = true }
   local text = "Subject: x\r\n\r\n" .. ("x"):rep(70) .. "\r\n"
   local where = { host = "127.0.0.1", port = mx.port, domain = "me.example", keepalive = { idle = 60 } }
   local function options(more)
      for name, value in pairs(where) do more[name] = value end
      return more
   end
   for _ = 1, 3 do
      local sock = bare.open(mx.port)
      measure("bare, prebuilt, one connection", function() bare.send(sock, text) end)
      sock:close()
      local t = options { from = "a@b.example", to = "c@d.example", raw = text }
      measure("smtp.send, raw, keepalive", function() assert(safe.send(t)) end)
      t = options { from = "a@b.example", to = "c@d.example", subject = "x", text = ("x"):rep(70) }
      measure("smtp.send, composed, keepalive", function() assert(safe.send(t)) end)
      local conn = assert(safe.connect { host = "127.0.0.1", port = mx.port, domain = "me.example" })
      t = { from = "a@b.example", to = "c@d.example", raw = text }
      measure("connection:send, raw", function() assert(conn:send(t)) end)
      conn:quit()
   end
   mx:stop()
end
