--- What does a server offer? Connects, says EHLO, starts TLS, authenticates where there are
-- credentials, and quits; no mail is sent.
--
-- What the server refuses or lacks is an answer, and among the warnings of the report. An error
-- leaves nothing to report: a bad option, no connection, a server that does not speak SMTP.
-- @module smtp.client.probe

local mechanisms = require "smtp.client.mechanisms"
local core = require "smtp.core"
local findings = require "smtp.client.findings"
local hosts = require "smtp.client.hosts"
local opening = require "smtp.client.opening"
local request = require "smtp.client.request"
local warnings = require "smtp.client.probe_warnings"

local probe = {}

-- ---- one connection ----

-- What it offers at this point.
local function offer(facts)
   return { capabilities = core.capabilities(facts.capabilities), mechanisms = facts.offered }
end

-- What a look at the server sees. `conv` is known before the first line is sent or heard.
local function new_sight()
   return { conv = nil, facts = nil, trouble = nil, before_tls = nil, certificate = nil,
      greeting = {}, seconds = {}, asked_at = 0 }
end

local notes = {}

function notes.connected(seen, event)
   seen.seconds.connect, seen.asked_at = event.seconds, event.seconds
end

function notes.stage(seen, event)
   if event.stage == "starttls" then seen.before_tls = offer(seen.conv.session:facts()) end
end

function notes.sent(seen, event)
   seen.asked_at = event.seconds
end

function notes.tls(seen, event)
   seen.seconds.tls, seen.asked_at = event.seconds - seen.asked_at, event.seconds
end

function notes.heard(seen, event)
   if event.stage ~= "greeting" and event.stage ~= "ehlo" then return end
   seen.seconds[event.stage] = event.seconds - seen.asked_at
   if event.stage == "greeting" then seen.greeting[#seen.greeting + 1] = event.text:sub(5) end
end

-- The function that observes for the caller and for the report.
local function observe_for(seen, server)
   local observe = server.observe
   return function(event)
      local note = notes[event.name]
      if note then note(seen, event) end
      if observe then observe(event) end
   end
end

-- Connect, and go as far as the server lets us. -> what was seen | nil, error
local function look(server, deadline)
   local seen = new_sight()
   local conv, err = opening.open(request.variant(server, { observe = observe_for(seen, server),
      pipelining = "safe" }), deadline, true)
   if not conv then return nil, err end
   seen.conv = conv
   conv:run()
   seen.facts, seen.trouble = conv.session:facts(), findings.trouble(conv)
   seen.certificate = conv.tls and conv.sock.certificate and conv.sock:certificate() or nil
   conv:hang_up()
   return seen
end

-- These options without a check of the certificate, and so without AUTH.
local function unverified(server)
   local other = request.variant(server, { tls_verify = false, secret_unverified = false,
      credentials = false })
   other.tls_pin, other.tls_cert, other.tls_key = nil, nil, nil
   return other
end

-- ---- the report ----

local function certificate_of(seen)
   local found = seen.certificate
   if not found or type(found.names) == "table" then return found end -- that of a transport
   local names = {}
   for name in found.names:gmatch("[^ \t-\r]+") do names[#names + 1] = name end
   local function date(seconds) return os.date("!%Y-%m-%dT%H:%M:%SZ", seconds) end
   return { subject = found.subject, issuer = found.issuer, names = names,
      not_before = date(found.not_before), not_after = date(found.not_after),
      days_left = math.floor((found.not_after - os.time()) / 86400),
      key_pin = found.key_pin }
end

-- Did it answer EHLO or HELO, the newest one?
local function is_known(facts)
   return facts.esmtp or facts.server ~= ""
end

local function tls_state(server, facts)
   if facts.tls == "on" then return "on" end
   if server.tls == "skip" then return "skipped" end
   if facts.starttls_offered then return "failed" end
   return is_known(facts) and "unavailable" or "unknown"
end

local function tls_of(server, seen, err)
   local info, state = seen.conv.tls or {}, tls_state(server, seen.facts)
   local is_tls = err and (err.stage == "tls" or err.stage == "starttls")
   return { state = state, version = info.version, cipher = info.cipher,
      verified = state == "on" and info.verified == true, reason = is_tls and err.reason or nil,
      certificate = certificate_of(seen) }
end

local is_usable = { used = true, untried = true, unbound = true } -- states of mechanisms

-- For each mechanism that the server offers: true where it can be used, else why not. Without
-- credentials: where it could be used with them.
local function usable_of(conv)
   local usable, offered = {}, findings.mechanisms(conv)
   for i = 1, #offered do
      local one = offered[i]
      usable[one.name] = is_usable[one.state] or one.text
   end
   return usable
end

local function auth_of(server, seen, err)
   -- What an unverified server says is nothing to compare later offers with.
   local found = not seen.is_unverified and findings.auth(seen.conv) or { state = "skipped" }
   if err and server.credentials and server.auth ~= "skip" and found.state ~= "authenticated" then
      found.state, found.reason = "failed", err.reason
   end
   found.offered, found.mechanisms = seen.facts.offered, nil
   found.usable = usable_of(seen.conv)
   return found
end

-- ---- what to use ----

-- With an option of TLS the caller expects TLS.
local function expects_tls(server, given)
   if server.tls == "implicit" then return true end
   for name in next, given do
      if type(name) == "string" and name:find("^tls") then return true end
   end
   return false
end

-- TLS cannot begin, because this machine knows no authority that it could trust.
local function lacks_authorities(server, err)
   return err.option == "tls_ca_file" and server.tls_ca_file == nil
end

-- After an error only less TLS may help: where the caller leaves the choice to this library, and
-- there is no secret that would travel. -> the word, nil where nothing works
local function tls_after(err, r, server, given)
   local has_secret = server.credentials and server.auth ~= "skip"
   local is_about_tls = err.stage == "tls" or err.stage == "starttls"
      or err.kind == "tls_unsupported" or lacks_authorities(server, err)
   if not is_about_tls or has_secret or expects_tls(server, given) then return nil end
   if server.loopback then return "skip" end
   return r.tls.state == "unavailable" and "prefer" or nil
end

local function tls_to_use(r, server, given)
   if server.tls == "implicit" or server.tls == "skip" then return server.tls end
   if r.tls.state == "on" then return "require" end
   return given.tls or server.loopback and "skip" or "prefer"
end

-- Without credentials, the default suits a caller that adds some.
local function auth_to_use(r, server, given)
   if r.auth.state == "authenticated" then return "require" end
   if server.credentials or given.auth then return server.auth end
   for _, usable in next, r.auth.usable do
      if usable == true then return nil end
   end
   return "skip"
end

-- The caller's own without secrets, and what the server can; nothing where no options would send.
local function options_of(r, server, given, err)
   local tls = tls_to_use(r, server, given)
   if err then tls = tls_after(err, r, server, given) end
   if not tls then return {} end
   local use = request.carried(given)
   use.host, use.port = server.host, not server.socket and server.port or nil
   use.proxy = server.proxy and server.proxy.url or nil -- without its login
   use.socket, use.tls, use.auth = server.socket, tls, auth_to_use(r, server, given)
   if not server.tls_verify then use.tls_verify = false end
   if server.protocol == "lmtp" then use.protocol = "lmtp" end
   return use
end

-- ---- all of it ----

-- "501 5.5.4 Syntactically invalid"
local function ehlo_reply(conv, facts)
   local reply = facts.ehlo_reply or { code = "?", text = "" }
   local parts = { reply.code, reply.enhanced or "", conv.transcript:mask(reply.text) }
   return (table.concat(parts, " "):gsub("  +", " "))
end

local function report_of(server, given, seen, err, began)
   local facts = seen.facts
   local offered = is_known(facts) and offer(facts) or nil
   local r = { host = server.host, port = server.port, socket = server.socket,
      address = seen.conv.address, server = (seen.greeting[1] or ""):match("^[^ \t-\r]+"),
      greeting = table.concat(seen.greeting, "\n"), seconds = seen.seconds,
      after_tls = facts.tls == "on" and offered or nil,
      before_tls = seen.before_tls or facts.tls ~= "on" and offered or nil,
      limits = { size = facts.size_max }, tls = tls_of(server, seen, err),
      auth = auth_of(server, seen, err) }
   if offered then
      r.esmtp = facts.esmtp
      r.ehlo_reply = not facts.esmtp and ehlo_reply(seen.conv, facts) or nil
      r.pipelining = offered.capabilities.PIPELINING ~= nil
      r.chunking = offered.capabilities.CHUNKING ~= nil
   end
   r.options = options_of(r, server, given, err)
   r.warnings = warnings.list(r, server, err)
   r.seconds.total = core.now() - began
   return r
end

-- The server as it is looked at: with TLS if it is only a default that there is none, and with any
-- credentials if the caller gave none.
local function server_to_look_at(server, t)
   local prefers = t.tls == nil and server.tls == "skip" and (server.tls_host or server.host)
   server = request.variant(server, { keepalive = false, tls = prefers and "prefer" or server.tls })
   server.tls_is_extra = prefers and true
   if not server.credentials then
      server.mechanisms = mechanisms.with_any_credentials()
      server.password, server.token = true, true
   end
   return server
end

-- Functions and objects of the caller's: where one fails, the server is not to blame.
local callers = { trace = true, observe = true, transport = true }

-- Does the error leave no server to report on?
local function is_final(err)
   if err.kind == "source" and callers[err.reason] then return true end
   return err.stage == "greeting" and err.kind ~= "greeting_refused"
end

-- -> what was seen, and what sending would meet
local function look_once(server, deadline)
   local seen, err = look(server, deadline)
   if seen and seen.trouble then err = findings.error(seen.conv, seen.trouble) end
   return seen, err
end

-- This machine cannot check certificates. Mail to itself goes out without TLS and needs none.
local function look_without_authorities(server, deadline, err)
   local seen, trouble = look_once(unverified(server), deadline)
   if not seen then return nil, trouble end
   seen.is_unverified = seen.facts.tls == "on"
   if server.tls_is_extra and not seen.is_unverified then err = trouble end
   return seen, err
end

-- Looks at the server, and once more without checking a certificate that is not trusted: the report
-- says what is wrong with it. -> what was seen | nil; what sending would meet
local function look_twice(server, deadline)
   local seen, err = look_once(server, deadline)
   if not err then return seen end
   if lacks_authorities(server, err) then
      return look_without_authorities(server, deadline, err)
   elseif err.kind ~= "certificate" then
      return seen, err
   end
   local second = look(unverified(server), deadline)
   if not second or second.facts.tls ~= "on" then return seen, err end
   second.is_unverified = true
   return second, err
end

-- -> the report | nil, err
local function report_on(server, t, began)
   server = server_to_look_at(server, t)
   local seen, err = look_twice(server, began + server.timeout)
   if not seen or err and is_final(err) then return nil, err end
   return report_of(server, request.variant(t), seen, err, began)
end

--- Ask a server what it offers; with a list of hosts, the first of which there is a report.
---@param t table           where and how, as for smtp.connect
---@return table|nil report see smtp.Report
---@return table|nil err
function probe.run(t)
   local began = core.now()
   local server, err = request.connection(t, nil, "smtp.probe ")
   if not server then return nil, err end
   return hosts.first(server, began + server.timeout, function(each)
      return report_on(each, t, began)
   end)
end

return probe
