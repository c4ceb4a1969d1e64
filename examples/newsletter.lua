-- A newsletter: one message for each reader, over few connections. Html with an image and a text
-- form, signed by DKIM, with the header that lets readers unsubscribe by one click (RFC 8058).
local smtp = require "smtp.safe"

local dkim = { domain = "example.org", selector = "news", key = arg[3] -- the path of a PEM file
   or io.popen("openssl genpkey -algorithm ed25519 2>/dev/null"):read("*a") } -- for this run only

-- One pixel, in place of a logo.
local logo = ("89504e470d0a1a0a0000000d4948445200000001000000010804000000b51c0c02"
   .. "0000000b49444154789c6368f80f00020201806e568b130000000049454e44ae426082")
   :gsub("%x%x", function(hex) return string.char(tonumber(hex, 16)) end)

local readers = { "bob@example.net", "carol@example.net", "dave@example.net" }
local number = 0
local function next_message() -- makes each message when its turn comes; it may also be a list
   number = number + 1
   if not readers[number] then return nil end
   return {
      from = "The News <news@example.org>", to = readers[number],
      subject = "What is new in December — ✨",
      text = "Nothing much.\n",
      html = '<p><img src="cid:logo" alt=""></p><p>Nothing much.</p>\n',
      attachments = { { content = logo, filename = "logo.png", cid = "logo" } },
      list_unsubscribe = { "https://example.org/unsubscribe/" .. number, one_click = true },
      dkim = dkim,
   }
end

local summary, err = smtp.send_many({ host = arg[1], port = arg[2] }, next_message, {
   rate = 20, progress = true, -- messages a second; a bar on a terminal
   on_result = function(index, _, failure)
      if failure then print(readers[index], failure) end
   end })
print(summary and ("%d sent, %d failed"):format(summary.sent, summary.failed) or tostring(err))
