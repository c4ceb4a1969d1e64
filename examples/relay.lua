-- Send through a relay that needs no login, because it knows this machine. The connection is still
-- encrypted; where the relay has no TLS and the network is yours, write tls = "prefer".
local smtp = require "smtp.safe"

local receipt, err = smtp.send {
   host = arg[1] or "relay.example.org", port = arg[2] or 25,
   from = "app@example.org", to = "ann@example.org",
   subject = "The backup is complete",
   text = "214 files, 3.1 GiB\n",
}
if not receipt then
   print(err) -- reason "relay_denied": the relay does not know this machine
   os.exit(1)
end
print(receipt.reply.text)
