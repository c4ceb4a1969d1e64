--- What a host offers on its ports for mail: all are looked at side by side, without credentials.
-- With credentials one login follows, on the best port, with exactly the recommended options.
-- @module smtp.cli.ports

local errors = require "smtp.errors"
local one_port = require "smtp.cli.one_port"
local url = require "smtp.options.url"
local recommendation = require "smtp.cli.recommendation"
local rehearsal = require "smtp.client.rehearsal"
local request = require "smtp.client.request"
local scheduler = require "smtp.runtime.scheduler"
local services = require "smtp.options.services"

local ports = {}

-- Seconds for one port, unless the caller gives `timeout`: one that a firewall hides would hold up
-- the answer.
local CONNECT_SECONDS, PORT_SECONDS = 5, 10

-- A login is tried later, and on one port.
local of_login = { "username", "user", "password", "token", "authzid", "auth", "auth_mechanisms" }

-- ---- what to look at ----

-- RFC 8314 prefers TLS from the first byte.
local usual = { 465, 587, 25 }

-- Does `tls`, where it is given, allow this port?
local function fits(port, tls)
   return tls == nil or (tls == "implicit") == (port == 465)
end

--- The ports to look at, the best first: that of the provider, then the usual ones.
---@param options table   `host`; `tls` and `provider`, where they are known
---@return integer[]
function ports.candidates(options)
   local list, seen = {}, {}
   local provider = options.provider or services.of_host(options.host) or {}
   for _, port in ipairs { provider.port or usual[1], usual[1], usual[2], usual[3] } do
      if not seen[port] and fits(port, options.tls) then
         seen[port], list[#list + 1] = true, port
      end
   end
   return list
end

--- The host that an argument names, where it names no port: a host, or a provider.
---@param text string
---@return table|nil   { host = } or { service = }; nil: a URL, or HOST:PORT
function ports.place(text)
   local provider = services.get(text:match("^[a-z0-9]+") or "")
   if provider and provider.host and text:find("^[a-z0-9]+:?[a-z0-9-]*$") then
      return { service = text }
   end
   local literal = text:match("^%[(.*)%]$") or select(2, text:gsub(":", "")) > 1 and text
   if literal and not text:find("[@/]") and not text:find("%]:") then return { host = literal } end
   if text:find("[:/@]") then return nil end
   return { host = text }
end

-- ---- one port ----

-- The caller's options without secrets, for one port.
local function options_for(port, options)
   local t = request.variant(options, { port = port, service = false })
   for i = 1, #of_login do t[of_login[i]] = nil end
   t.service = nil
   t.timeout = options.timeout or PORT_SECONDS
   t.connect_timeout = options.connect_timeout
      or math.min(CONNECT_SECONDS, tonumber(t.timeout) or CONNECT_SECONDS)
   if options.observer then t.observe = options.observer(tostring(port)) end
   t.observer = nil
   return t
end

local function look(port, options)
   local report, err = one_port.look(options_for(port, options))
   local is_usable = report ~= nil and next(report.options) ~= nil
   return { port = port, usable = is_usable, report = report, err = err,
      trouble = not is_usable and (err or report.warnings[1]) or nil }
end

-- ---- the best port ----

local function has_mechanism(report)
   for _, usable in next, report.auth.usable do
      if usable == true then return true end
   end
   return false
end

-- Lower is better. Without credentials AUTH decides nothing.
local function cost(entry, has_secrets)
   local tls = entry.report.tls
   local is_safe = tls.state == "on" and (tls.verified or entry.report.options.tls_verify == false)
   return (has_secrets and not has_mechanism(entry.report) and 2 or 0) + (is_safe and 0 or 1)
end

local function best_of(entries, has_secrets)
   local best
   for _, entry in ipairs(entries) do
      local is_better = entry.usable and (not best
         or cost(entry, has_secrets) < cost(best, has_secrets))
      if is_better then best = entry end
   end
   return best
end

local function in_words(entries)
   local list = {}
   for i = 1, #entries do list[i] = tostring(entries[i].port) end
   return (#list == 1 and "port " or "ports ") .. table.concat(list, ", ")
end

local is_unreachable = { connect = true, timeout = true }

-- Where no port can be used: why, by the one that tells most.
local function error_of(entries, host)
   local most
   for _, entry in ipairs(entries) do
      if not most or entry.report and not most.report then most = entry end
   end
   local first = most.trouble
   return errors.new(first.kind, { reason = first.reason, host = host, stage = first.stage,
      what = ("%s: no mail can be sent by %s"):format(host, in_words(entries)),
      hint = is_unreachable[first.kind] and "Check host; a firewall may be in the way"
         or first.hint, temporary = first.temporary,
      retry = first.temporary and "later" or "never" })
end

-- ---- all of it ----

local is_of_proxy = { proxy_unreachable = true, proxy_auth = true, proxy_protocol = true }

-- Is the error the same for each port?
local function is_of_all(err)
   return err.kind == "resolve" or err.kind == "usage" or is_of_proxy[err.reason]
end

-- A host that is not found may be meant as a provider.
local function with_provider(err, host)
   if is_of_proxy[err.reason] then return err end
   local _, wrong = errors.returning(url.complete) { service = host }
   local hint = err.kind == "resolve" and not host:find("[.:]") and wrong and wrong.hint or ""
   err.hint = hint:match('^Did you mean "[^"]+"%?') or hint:match("^Write service = .*") or err.hint
   return err
end

-- Logs in with these options. -> { state =, mechanism = }, err
local function log_in(use, options, login)
   local t = request.variant(use, { password = login.password, token = login.token,
      timeout = options.timeout, connect_timeout = options.connect_timeout,
      transport = options.transport, proxy = options.proxy }) -- with the login of the proxy
   if options.observer then t.observe = options.observer "login" end
   local result, err = rehearsal.run(t, "auth")
   if result then return { state = "authenticated", mechanism = result.auth.mechanism } end
   return { state = "failed", kind = err.kind, reason = err.reason, code = err.code }, err
end

-- Look at all ports at once. -> list of entries
local function look_at_all(list, options)
   local entries, jobs = {}, {}
   for i, port in ipairs(list) do
      jobs[i] = function() entries[i] = look(port, options) end
   end
   local ok, cause = scheduler.run(jobs)
   if not ok then error(cause, 0) end
   return entries
end

--- Look at a host.
---@param options table   options of a connection without port; `observer`: fun(label) that makes a
--   function to observe the connection with that label
---@param list? integer[] the ports, by default those of ports.candidates
---@return table|nil      host; ports = { { port, usable, report, err, trouble }, … }, where trouble
--   is the error, or the warning that says why the port cannot be used; best and options, where one
--   can be used; login, with credentials
---@return table|nil err  there is nothing to report. With a survey: no port can be used, or the
--   login failed
function ports.survey(options, list)
   local complete = url.complete(options)
   local provider = options.service and services.get(options.service:match("^[a-z0-9]+"))
   local base = request.variant(options,
      { host = complete.host or complete.server or "localhost" })
   base.server, base.url = nil, nil
   local entries = look_at_all(list or ports.candidates { host = base.host, tls = options.tls,
      provider = provider }, base)
   local first = entries[1].err
   if first and is_of_all(first) then
      return nil, with_provider(first, base.host)
   end
   local survey = { host = base.host, service = options.service, ports = entries }
   local login, err = recommendation.login(complete), nil
   local best = best_of(entries, next(login) ~= nil)
   if not best then return survey, error_of(entries, base.host) end
   survey.best = best.port
   survey.options = recommendation.of(best.report.options, login, options.service)
   if next(login) ~= nil then survey.login, err = log_in(survey.options, options, login) end
   return survey, err
end

return ports
