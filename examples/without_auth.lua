-- A server that does not offer AUTH: caught by its class, and the message sent without, because
-- this program says so. Any other failure, a wrong password above all, is no reason to do that.
--
--    lua examples/without_auth.lua           against a sink in this process
--
-- From the project's folder after `make`, the modules are found in lua/ and build/.
local folder = rawget(_G, "jit") and "luajit" or _VERSION:lower():gsub(" ", "")
package.path = "lua/?.lua;" .. package.path
package.cpath = "build/" .. folder .. "/?.so;" .. package.cpath

local smtp = require "smtp"

local sink = smtp.sink {} -- it knows no AUTH

local function message(auth)
   return {
      transport = sink:transport(), tls = "skip",
      auth = auth, username = "ann", password = "secret",
      from = "ann@example.org", to = "bob@example.net", subject = "Hello", text = "Hi Bob\n",
   }
end

local ok, result = pcall(smtp.send, message("require"))
if not ok and smtp.is_error(result, smtp.AuthUnsupportedError) then
   print(result)
   print("mechanisms it offers: " .. #result.offered)
   ok, result = pcall(smtp.send, message("skip"))
end
if not ok then
   print(result)
   os.exit(1)
end
print(("sent; auth: %s; messages at the sink: %d"):format(result.auth.state, #sink.messages))
assert(#sink.messages == 1)
