-- Sign a message by DKIM without sending it: for a program that sends by other means.
--
-- The public half of the key is in the DNS, as a TXT record of
-- 2026._domainkey.example.org: "v=DKIM1; k=ed25519; p=…" (openssl pkey -pubout prints it)
local dkim = require "smtp.dkim"

local key = arg[3] -- the path of a PEM file
   or io.popen("openssl genpkey -algorithm ed25519 2>/dev/null"):read("*a") -- for this run only

local message = table.concat({
   "From: ann@example.org", "To: bob@example.net", "Subject: Signed",
   "Date: Mon, 30 Nov 2026 12:00:00 +0000", "Message-ID: <1@example.org>", "",
   "Hello Bob", "" }, "\r\n")

local signed, err = dkim.sign(message, { domain = "example.org", selector = "2026", key = key })
print(signed or tostring(err))
