-- A web server of lua-http, in cqueues, which mails what is posted to it, and serves other requests
-- meanwhile.
--
--    lua5.1 web_cqueues.lua mail.example.org 587          # prints its address
--    curl -d "At noon?" http://127.0.0.1:8080/

local http_headers = require "http.headers"
local http_server = require "http.server"
local smtp = require "smtp.safe"

local function answer(stream, status, text)
   local headers = http_headers.new()
   headers:append(":status", status)
   headers:append("content-type", "text/plain; charset=utf-8")
   assert(stream:write_headers(headers, false))
   assert(stream:write_chunk(text, true))
end

local server = assert(http_server.listen {
   host = "127.0.0.1", port = tonumber(arg[3] or 8080),
   onstream = function(_, stream)
      local method = assert(stream:get_headers()):get ":method"
      if method ~= "POST" then return answer(stream, "200", "Post a message here.\n") end
      local receipt, err = smtp.send {
         loop = "cqueues", host = arg[1], port = arg[2],
         username = os.getenv "SMTP_USER", password = os.getenv "SMTP_PASSWORD",
         from = "web@example.org", to = "ann@example.org", timeout = 20,
         subject = "A message from the web", text = assert(stream:get_body_as_string()),
      }
      if receipt then return answer(stream, "200", "sent: " .. receipt.reply.text .. "\n") end
      io.stderr:write(tostring(err), "\n") -- visitors do not need it
      answer(stream, "503", "The message could not be sent. Try again later.\n")
   end,
   onerror = function(_, _, what, err) io.stderr:write(what, ": ", tostring(err), "\n") end,
})
assert(server:listen())
print("http://127.0.0.1:" .. select(3, server:localname()))
io.stdout:flush()
assert(server:loop())
