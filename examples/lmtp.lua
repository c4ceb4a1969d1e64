-- Deliver to mailboxes over LMTP, for example to Dovecot. Each recipient has a verdict of its own:
-- one full mailbox does not stop the others.
--
--    lua lmtp.lua HOST PORT     or set socket = "/run/dovecot/lmtp" in place of host and port
local smtp = require "smtp.safe"

local receipt, err = smtp.send {
   protocol = "lmtp", host = arg[1], port = arg[2], tls = "skip",
   from = "ann@example.org", to = { "bob@example.net", "carol@example.net" },
   raw = "Subject: Hello\r\n\r\nA message that another program made.\r\n",
}
if not receipt then
   print(err)
   os.exit(1)
end
for _, one in ipairs(receipt.recipients) do
   print(one.address, one.state, one.code, one.reason or "")
end
