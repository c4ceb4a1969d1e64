-- What does a server offer, and which options suit it? No mail is sent. The command
-- `lua-smtp probe HOST:PORT` prints the same.
local smtp = require "smtp.safe"

local report, err = smtp.probe {
   host = arg[1], port = arg[2],
   username = os.getenv "SMTP_USER", password = os.getenv "SMTP_PASSWORD",
}
if not report then
   print(err)
   os.exit(1)
end

print(("%s:%d says: %s"):format(report.host, report.port, report.greeting))
print("TLS: " .. report.tls.state .. (report.tls.verified and ", verified" or ""))
print("AUTH: " .. report.auth.state .. " " .. (report.auth.mechanism or report.auth.reason or ""))
for name, usable in pairs(report.auth.usable) do
   print(("   %s: %s"):format(name, usable == true and "can be used" or usable))
end
for _, warning in ipairs(report.warnings) do
   print(("%s: %s. %s"):format(warning.kind, warning.text, warning.hint or ""))
end
for name, value in pairs(report.options) do print(("use %s = %s"):format(name, tostring(value))) end
