-- What does a server offer, and which options suit it? No mail is sent.
--
--    lua examples/probe.lua HOST PORT    a server of yours (SMTP_USER, SMTP_PASSWORD: optional)
--    lua examples/probe.lua              a sink in this process
--
-- From the project's folder after `make`, the modules are found in lua/ and build/.
local folder = rawget(_G, "jit") and "luajit" or _VERSION:lower():gsub(" ", "")
package.path = "lua/?.lua;" .. package.path
package.cpath = "build/" .. folder .. "/?.so;" .. package.cpath

local smtp = require "smtp"

local options = {
   host = arg[1], port = arg[2],
   username = os.getenv("SMTP_USER"), password = os.getenv("SMTP_PASSWORD"),
}

if not arg[1] then
   local sink = smtp.sink { tls = "starttls", auth = { users = { ann = "secret" } } }
   options.host, options.transport = "sink.example", sink:transport()
   options.username, options.password = "ann", "secret"
end

local ok, report = pcall(smtp.probe, options)
if not ok then
   print(report)
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
assert(arg[1] or report.options.tls == "require" and report.options.auth == "require")
