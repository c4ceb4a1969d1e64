-- Invite to a meeting: mail programs show the invitation with buttons to accept or decline.
local smtp = require "smtp.safe"

local invitation = table.concat({
   "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//example.org//app//EN", "METHOD:REQUEST",
   "BEGIN:VEVENT", "UID:meeting-7@example.org", "DTSTAMP:20261124T120000Z",
   "DTSTART:20261201T090000Z", "DTEND:20261201T100000Z", "SUMMARY:Planning",
   "ORGANIZER:mailto:ann@example.org", "ATTENDEE;RSVP=TRUE:mailto:bob@example.net", "END:VEVENT",
   "END:VCALENDAR", "" }, "\r\n")

local receipt, err = smtp.send {
   host = arg[1], port = arg[2],
   username = os.getenv "SMTP_USER", password = os.getenv "SMTP_PASSWORD",
   from = "Ann <ann@example.org>", to = "bob@example.net", subject = "Invitation: Planning",
   text = "Tuesday, 9:00 UTC, one hour.\n", html = "<p>Tuesday, 9:00 UTC, one hour.</p>\n",
   calendar = { method = "REQUEST", content = invitation }, -- later: "CANCEL", with SEQUENCE:1
}
print(receipt and receipt.reply.text or tostring(err))
if not receipt then os.exit(1) end
