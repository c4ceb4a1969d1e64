--- A TLS server of the openssl command, which takes settings that our own sockets refuse.

local certs = require "spec.tools.certs"
local safe = require "smtp.safe"

local openssl_server = {}

local cert = certs.make()

--- Sends one message, with TLS from the first byte, to `openssl s_server` with this certificate and
--- these arguments.
---@param name string        see certs.make
---@param arguments string
---@param more? table        further options
---@return table err
function openssl_server.refused(name, arguments, more)
   local path, key = cert(name)
   local pipe = io.popen(("openssl s_server -accept 127.0.0.1:0 -naccept 1 -cert %s -key %s -cert_chain %s "
      .. "-CAfile %s -www %s </dev/null 2>&1"):format(path, key, path, cert "ca", arguments))
   local port, line
   repeat
      line = assert(pipe:read("*l"))
      port = tonumber(line:match("^ACCEPT .*:(%d+)$"))
   until port
   local options = { host = "localhost", port = port, tls = "implicit", tls_ca_file = cert "ca", from = "a@b",
      to = "c@d", text = "", timeout = 10 }
   for option, value in pairs(more or {}) do options[option] = value end
   local _, err = safe.send(options)
   pipe:read("*a")
   pipe:close()
   return err
end

return openssl_server
