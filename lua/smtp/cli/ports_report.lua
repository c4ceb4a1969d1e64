--- What smtp.cli.ports found out, for people and as JSON.
-- @module smtp.cli.ports_report

local ascii = require "smtp.ground.ascii"
local exit_status = require "smtp.cli.exit_status"
local failure = require "smtp.cli.failure"
local output = require "smtp.cli.output"
local probe_report = require "smtp.cli.probe_report"
local recommendation = require "smtp.cli.recommendation"

local ports_report = {}

-- ---- for people ----

-- The state of a port with an error, and what the error adds to it.
local function of_error(err)
   if err.kind == "timeout" then
      return err.stage == "connect" and "no answer" or "silent", err.what
   elseif err.kind ~= "connect" then
      return "unusable", err.what
   elseif err.reason == "refused" then
      return "closed", ""
   end
   return "unusable", err.what .. (err.text and ": " .. err.text or "")
end

-- The state of a port that can be used.
local function state_of(report)
   if report.tls.state ~= "on" or report.options.tls == "skip" then return "clear text" end
   return report.before_tls and "STARTTLS" or "TLS"
end

-- How TLS went, and the largest message.
local function security_of(report)
   local tls, list = report.tls, {}
   if tls.state == "on" then
      list[1] = tls.version or "TLS"
      list[2] = not tls.verified and "the certificate is not trusted" or nil
   end
   if report.limits.size then
      list[#list + 1] = ("messages up to %.4g MB"):format(report.limits.size / 1e6)
   end
   return table.concat(list, ", ")
end

local is_shown_elsewhere = { SIZE = true, STARTTLS = true, AUTH = true }

local function extensions_of(report)
   local offered, list = report.after_tls or report.before_tls, {}
   for keyword in next, offered and offered.capabilities or {} do
      if not is_shown_elsewhere[keyword] then list[#list + 1] = keyword end
   end
   table.sort(list, ascii.before)
   return table.concat(list, " ")
end

local colors = { TLS = "green", STARTTLS = "green", ["clear text"] = "yellow" }

local function row(port, state, text)
   local after = text ~= "" and (" "):rep(12 - #state) .. text or ""
   local before = ("%6s  "):format(port)
   if state == "" then return output.say(before .. after) end
   output.say_in(colors[state] or "red", before, state, after)
end

local function show_port(entry)
   if entry.err then return row(entry.port, of_error(entry.err)) end
   if not entry.usable then return row(entry.port, "unusable", entry.trouble.text) end
   local report = entry.report
   local mechanisms = table.concat(report.auth.offered, " ")
   local texts = { security_of(report), mechanisms ~= "" and "AUTH " .. mechanisms or "no AUTH",
      extensions_of(report) }
   local port, state = entry.port, state_of(report)
   for i = 1, #texts do
      if texts[i] ~= "" then
         row(port, state, texts[i])
         port, state = "", ""
      end
   end
end

-- The warnings of the best port, each once.
local function show_warnings(report)
   for _, one in ipairs(report.warnings) do
      if one.kind ~= "remark" then probe_report.show_warning(one) end
   end
end

local function best_report(survey)
   for _, entry in ipairs(survey.ports) do
      if entry.port == survey.best then return entry.report end
   end
end

local function show_login(survey)
   local login = survey.login
   if not login and #best_report(survey).auth.offered > 0 then
      output.say(("%-8snot tried: give --username"):format("login"))
   elseif login and login.state == "authenticated" then
      output.say(("%-8s%s is logged in%s with these options"):format("login",
         survey.options.username or "the user",
         login.mechanism and " by " .. login.mechanism or ""))
   end
end

-- What the error says is printed elsewhere.
local function show(survey, secret_flags, secret)
   output.say(survey.host .. (survey.service and " (" .. survey.service .. ")" or ""))
   for _, entry in ipairs(survey.ports) do show_port(entry) end
   if not survey.options then return end
   output.say("flags   " .. recommendation.flags(survey.options, secret_flags))
   output.say("Lua     " .. recommendation.lua(survey.options, secret))
   show_login(survey)
   show_warnings(best_report(survey))
end

-- ---- as JSON ----

local function json_of(survey, secret_flags, err)
   local ports = {}
   for i, entry in ipairs(survey.ports) do
      local trouble = entry.trouble or {}
      ports[i] = { port = entry.port, usable = entry.usable, kind = trouble.kind,
         reason = trouble.reason, report = entry.report,
         error = entry.err and failure.line(entry.err) or trouble.text }
   end
   return output.json { host = survey.host, service = survey.service, ports = ports,
      best = survey.best, options = survey.options, login = survey.login,
      flags = survey.options and recommendation.flags(survey.options, secret_flags),
      error = err and failure.line(err), kind = err and err.kind, reason = err and err.reason }
end

--- Print it.
---@param survey table           from ports.survey
---@param err? table             no port can be used, or the login failed
---@param secret_flags string[]  the flags that gave the secrets
---@param secret? string         "password" or "token", where one was given
---@param json? boolean          as one object of JSON
---@return number                exit status
function ports_report.print(survey, err, secret_flags, secret, json)
   if json then
      output.say(json_of(survey, secret_flags, err))
      return err and exit_status.of(err) or 0
   end
   show(survey, secret_flags, secret)
   return err and failure.show(err) or 0
end

return ports_report
