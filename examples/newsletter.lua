-- A newsletter: html with an inline image and its text form, signed by DKIM, with the header that
-- lets readers unsubscribe by one click. One message for each subscriber.
--
--    lua examples/newsletter.lua           against a sink in this process
--
-- From the project's folder after `make`, the modules are found in lua/ and build/.
local folder = rawget(_G, "jit") and "luajit" or _VERSION:lower():gsub(" ", "")
package.path = "lua/?.lua;" .. package.path
package.cpath = "build/" .. folder .. "/?.so;" .. package.cpath

local smtp = require "smtp"

local sink = smtp.sink {}

-- A key for this run. A real one stays, and its public half is in the DNS:
-- news._domainkey.example.org TXT "v=DKIM1; k=ed25519; p=…"
local key = io.popen("openssl genpkey -algorithm ed25519"):read("*a")

-- One pixel, in place of a logo.
local logo = ("89504e470d0a1a0a0000000d4948445200000001000000010804000000b51c0c02"
   .. "0000000b49444154789c6368f80f00020201806e568b130000000049454e44ae426082")
   :gsub("%x%x", function(hex) return string.char(tonumber(hex, 16)) end)

local subscribers = { "bob@example.net", "carol@example.net" }
for number, subscriber in ipairs(subscribers) do
   local receipt = smtp.send {
      transport = sink:transport(), tls = "skip",
      from = "The News <news@example.org>", to = subscriber,
      subject = "What is new in December — ✨",
      text = "Nothing much.\n",
      html = '<p><img src="cid:logo" alt=""></p><p>Nothing much.</p>\n',
      attachments = { { content = logo, filename = "logo.png", cid = "logo" } },
      list_unsubscribe = { "https://example.org/unsubscribe/" .. number,
         "mailto:leave@example.org?subject=" .. number, one_click = true },
      dkim = { domain = "example.org", selector = "news", key = key },
   }
   print(subscriber .. ": " .. receipt.reply.text)
end
print(sink.messages[1].data)
assert(#sink.messages == 2 and sink.messages[1].data:find("^DKIM%-Signature: "))
