--- Servers that end with the case that started them, and messages to them, from any location of nginx.conf.in.

local certs = require "spec.tools.certs"
local safe = require "smtp.safe"
local server = require "spec.nginx.server"

local running = {}

local servers = {}

--- Starts a server, see spec/nginx/server.py. A spec that uses it says after_each(running.stop).
function running.start(config)
   servers[#servers + 1] = server.start(config)
   return servers[#servers]
end

--- Starts a server with STARTTLS and this certificate, see certs.make.
function running.with_tls(name, more)
   local path, key = certs.make()(name)
   local config = { tls = "starttls", cert = path, key = key, auth = { ann = "sesame" } }
   for option, value in pairs(more or {}) do config[option] = value end
   return running.start(config)
end

--- Stops all servers.
function running.stop()
   for i = 1, #servers do servers[i]:stop() end
   servers = {}
end

--- A message with a password to this server, and more; "none" leaves an option out.
function running.options(mx, more)
   local all = { host = "localhost", port = mx.port, tls = "require", username = "ann", password = "sesame",
      domain = "me.example", from = "ann@me.example", to = "bob@there.example",
      raw = "Subject: treasure\r\n\r\nx\r\n", timeout = 10 }
   for option, value in pairs(more or {}) do
      if value == "none" then value = nil end
      all[option] = value
   end
   return all
end

--- The options of a message without TLS.
running.plain = { tls = "skip", username = "none", password = "none" }

--- Calls `run` in another location, with its directives. -> its first two results
function running.at(location, run)
   local context = { run = run }
   package.loaded.ngx.location.capture(location, { ctx = context })
   return context.result[1], context.result[2]
end

--- smtp.safe.send in another location.
function running.send_at(location, t)
   return running.at(location, function() return safe.send(t) end)
end

return running
