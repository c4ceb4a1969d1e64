-- Invites to a meeting: mail programs show the invitation with buttons to accept or decline.
--
--    lua examples/calendar.lua           against a sink in this process
--
-- From the project's folder after `make`, the modules are found in lua/ and build/.
local folder = rawget(_G, "jit") and "luajit" or _VERSION:lower():gsub(" ", "")
package.path = "lua/?.lua;" .. package.path
package.cpath = "build/" .. folder .. "/?.so;" .. package.cpath

local smtp = require "smtp"

local sink = smtp.sink {}

local invitation = table.concat({
   "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//example.org//lua-smtp//EN", "METHOD:REQUEST",
   "BEGIN:VEVENT", "UID:meeting-7@example.org", "DTSTAMP:20261124T120000Z",
   "DTSTART:20261201T090000Z", "DTEND:20261201T100000Z", "SUMMARY:Planning",
   "ORGANIZER:mailto:ann@example.org", "ATTENDEE;RSVP=TRUE:mailto:bob@example.net", "END:VEVENT",
   "END:VCALENDAR", "" }, "\r\n")

local receipt = smtp.send {
   transport = sink:transport(), tls = "skip",
   from = "Ann <ann@example.org>", to = "bob@example.net", subject = "Invitation: Planning",
   text = "Tuesday, 9:00 UTC, one hour.\n", html = "<p>Tuesday, 9:00 UTC, one hour.</p>\n",
   calendar = { method = "REQUEST", content = invitation },
}
print(receipt.reply.text)
print(sink.messages[1].data)
assert(sink.messages[1].data:find("text/calendar; charset=utf-8; method=REQUEST", 1, true))
