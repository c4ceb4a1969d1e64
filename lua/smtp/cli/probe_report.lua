--- The report of lua-smtp probe, for people.
-- @module smtp.cli.probe_report

local ascii = require "smtp.ground.ascii"
local output = require "smtp.cli.output"

local probe_report = {}

local function row(name, text)
   if text and text ~= "" then output.say(("   %-13s %s"):format(name, text)) end
end

local function sorted(map, join)
   local list = {}
   for name, value in next, map do list[#list + 1] = join(name, value) end
   table.sort(list, ascii.before)
   return table.concat(list, ", ")
end

local function show_offer(name, offered)
   if not offered then return end
   local text = sorted(offered.capabilities, function(keyword, parameters)
      return parameters == "" and keyword or keyword .. " " .. parameters
   end)
   row(name, text ~= "" and text or "nothing")
end

local function show_tls(tls)
   local list = { tls.state }
   if tls.state == "on" then
      list[#list + 1] = tls.version
      list[#list + 1] = tls.cipher
      list[#list + 1] = tls.verified and "verified" or "not verified"
   end
   list[#list + 1] = tls.reason
   row("TLS", table.concat(list, ", "))
   local certificate = tls.certificate
   if not certificate then return end
   row("certificate", certificate.subject)
   row("  issuer", certificate.issuer)
   row("  for", table.concat(certificate.names, ", "))
   row("  valid", ("%s to %s (%s)"):format(certificate.not_before, certificate.not_after,
      certificate.days_left < 0 and "over" or ("%d %s left"):format(
      certificate.days_left, certificate.days_left == 1 and "day" or "days")))
   row("  key_pin", certificate.key_pin)
end

local function show_auth(auth)
   local text = auth.state .. (auth.mechanism and " by " .. auth.mechanism or "")
   row("AUTH", text .. (auth.reason and ", " .. auth.reason or ""))
   for _, name in ipairs(auth.offered) do
      local usable = auth.usable[name]
      row("  " .. name, usable == true and "can be used" or usable)
   end
end

local function durations(seconds)
   local list = {}
   for _, name in ipairs { "connect", "greeting", "tls", "ehlo", "total" } do
      if seconds[name] then list[#list + 1] = ("%s %.3f"):format(name, seconds[name]) end
   end
   return table.concat(list, ", ")
end

-- A hint in a report that shows the key itself.
local function here(hint)
   return (hint:gsub("%(lua%-smtp probe shows it%)", "(the key_pin above)"))
end

--- Print one of the warnings of a report.
---@param warning smtp.Warning
function probe_report.show_warning(warning)
   local is_remark = warning.kind == "remark"
   output.say_in(is_remark and "cyan" or "yellow", "", is_remark and "remark" or "warning",
      (": %s. %s"):format(warning.text, warning.hint and here(warning.hint) .. "." or ""))
end

--- Print the report of smtp.probe.
---@param report smtp.Report
---@param flags string   the options that it recommends, as flags,
---@param lua string     and as Lua
function probe_report.show(report, flags, lua)
   output.say((report.socket or report.host .. ":" .. report.port)
      .. (report.address and " (" .. report.address .. ")" or ""))
   row("greeting", (report.greeting:gsub("\n", " / ")))
   show_offer("before TLS", report.before_tls)
   show_tls(report.tls)
   show_offer("after TLS", report.after_tls)
   show_auth(report.auth)
   row("seconds", durations(report.seconds))
   if next(report.options) ~= nil then
      row("flags", flags)
      row("Lua", lua)
   else
      row("flags", "none: see the first warning")
   end
   for _, one in ipairs(report.warnings) do probe_report.show_warning(one) end
end

return probe_report
