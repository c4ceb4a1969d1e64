-- Send through the first of two servers that greets. One that is down is tried last for a minute,
-- so that it does not delay each message.
local smtp = require "smtp.safe"

local receipt, err = smtp.send {
   host = { arg[1] or "mx1.example.org", "mx2.example.org" }, port = arg[2] or 25,
   from = "app@example.org", to = "ann@example.org",
   subject = "The backup is complete",
   text = "214 files, 3.1 GiB\n",
}
if not receipt then
   for _, what in ipairs(err.tried or {}) do print(what) end -- what happened at each server
   error(tostring(err), 0)
end
print("sent by " .. receipt.server.host)
