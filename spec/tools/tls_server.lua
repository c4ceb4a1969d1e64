--- A server with STARTTLS, or implicit TLS, and AUTH, as a process of its own that prints all it hears.

local certs = require "spec.tools.certs"
local peer = require "spec.tools.peer"
local safe = require "smtp.safe"

local tls_server = {}

local cert = certs.make()

local server = [[
local sock = accept()
local context = server_context(%q, %q)
local implicit = %s
local function say(text) sock:send(text .. "\r\n") end
local function hear() local text = line(sock) print("heard " .. text) return text end
local function tls() local ok, why = sock:sslaccept(context) print("tls", ok or why) return ok end
if implicit and not tls() then os.exit() end
say "220 hi"
local function hello(last) hear() say("250-mx") say(last) end
if not implicit then
   hello "250 STARTTLS"
   hear()
   say "220 go"
   if not tls() then os.exit() end
end
hello "250 AUTH PLAIN"
while true do
   local text = hear()
   if text == "" then break end
   local verb = text:match("^%%a+") or ""
   local reply = ({ AUTH = "235 ok", DATA = "354 go", QUIT = "221 bye" })[verb] or "250 ok"
   say(reply)
   if verb == "DATA" then
      repeat text = hear() until text == ".\r\n" or text == ""
      say "250 queued"
   end
end
]]

--- Sends one message with a password to the server that has this certificate.
---@param name string   see certs.make
---@param more table|nil   further options; "none" leaves a default out
---@return table|nil receipt
---@return table|nil err
---@return string what the server heard, in clear or not
function tls_server.send(name, more)
   more = more or {}
   local path, key = cert(name)
   local other = peer.start(server:format(path, key, tostring(more.tls == "implicit")))
   local options = { host = "localhost", port = other.port, tls = "require", tls_ca_file = cert "ca",
      username = "ann", password = "sesame", from = "ann@me.example", to = "bob@there.example",
      raw = "Subject: treasure\r\n\r\nx\r\n", timeout = 10 }
   for option, value in pairs(more) do
      if value == "none" then value = nil end
      options[option] = value
   end
   local receipt, err = safe.send(options)
   return receipt, err, other.finish()
end

--- What the server heard contains nothing of the message, the password and the sender.
function tls_server.nothing_told(saw)
   for _, word in ipairs { "sesame", "AHNlc2FtZQ", "AGFubgBzZXNhbWU=", "treasure", "MAIL", "AUTH", "ann@" } do
      if saw:find(word, 1, true) then error(("the server was told %s: %s"):format(word, saw)) end
   end
end

return tls_server
