-- A sink for spec/live/programs.sh: PORT TLS CERTIFICATE KEY. Prints what it hears, and each message as JSON.
local output = require "smtp.cli.output"
local sink = require "smtp.sink"

local port, tls, certificate, key = arg[1], arg[2], arg[3], arg[4]

local function log(kind, text)
   io.stdout:write(kind, " ", text, "\n")
   io.stdout:flush()
end

local settings = { port = tonumber(port), keep = 0, trace = log,
   on_message = function(message) log("message", output.json(message)) end }
if tls ~= "none" then
   settings.tls, settings.tls_cert, settings.tls_key = tls, certificate, key
   settings.auth = { users = { ann = "correct-horse" } }
end
local server = assert(sink.new(settings))
assert(server:listen())
log("ready", port)
server:serve()
