--- What a report of smtp.probe warns of: what is wrong or missing, and what to do about it.
-- @module smtp.client.probe_warnings

local mechanisms = require "smtp.client.mechanisms"
local why_unavailable = require("smtp.result.remedies").why_unavailable
local services = require "smtp.options.services"

local warnings = {}

local EXPIRES_SOON = 14      -- days
local SLOW_GREETING = 5      -- seconds
local SMALL_SIZE = 10000000  -- octets

local function of_error(err)
   local enhanced = err.enhanced and " " .. err.enhanced or ""
   local code = err.code and (" (%d%s)"):format(err.code, enhanced)
   local said = err.text and err.text ~= "" and ": " .. err.text
   return { kind = err.kind, reason = err.reason, concerns = err.concerns, hint = err.hint,
      text = err.what .. (code or "") .. (said or ""), temporary = err.temporary or nil }
end

local function lacks(keyword)
   return function(r)
      return r.esmtp and not (r.after_tls or r.before_tls).capabilities[keyword]
   end
end

-- How many of these show the secret?
local function showing(names)
   local count = 0
   for i = 1, #names do
      if mechanisms.shows_secret(names[i]) then count = count + 1 end
   end
   return count
end

local function login_of(server)
   return services.of_host(server.host).login
end

-- { kind, reason, does it hold?, text, hint }; the text may have a place for what the function
-- returns, and a hint may be a function of the server.
local checks = {
   { "remark", "provider", function(r, server)
      local provider = services.of_host(server.host)
      local may_log_in = r.auth.state == "skipped" and #r.auth.offered > 0
      return may_log_in and provider and provider.title
   end, "this is a server of %s", login_of },
   { "warning", "no_tls", function(r, server)
      return server.tls == "prefer" and r.tls.state == "unavailable" and not server.loopback
   end, "the server offers no STARTTLS: everything travels in clear text",
      "Use its port for submission (465 or 587), or ask its operator for a certificate" },
   { "warning", "expired", function(r)
      local days = r.tls.certificate and r.tls.certificate.days_left
      return days and days < 0
   end, "the certificate has expired", "The server's operator must renew it" },
   { "warning", "expires_soon", function(r)
      local days = r.tls.certificate and r.tls.certificate.days_left
      if not days or days < 0 or days >= EXPIRES_SOON then return false end
      return days == 0 and "less than a day" or days == 1 and "1 day" or days .. " days"
   end, "the certificate expires in %s", "The server's operator must renew it" },
   { "remark", "tls_1_2", function(r) return r.tls.version == "TLSv1.2" end,
      "TLS 1.3 is not offered; 1.2 is safe, and a little slower",
      "The server's operator may upgrade it" },
   { "warning", "auth_before_tls", function(r, server)
      return r.before_tls and server.tls ~= "skip" and not server.loopback
         and r.tls.state ~= "unavailable" and showing(r.before_tls.mechanisms) > 0
   end, "AUTH is offered before TLS: a careless client shows its password to everybody",
      "Its operator should offer AUTH inside TLS only (Postfix: smtpd_tls_auth_only = yes)" },
   { "warning", "auth_in_clear", function(r, server)
      local offered = r.auth.offered
      return r.before_tls and r.tls.state ~= "on" and not server.loopback and #offered > 0
         and showing(offered) == #offered
   end, "AUTH would show the password, and there is no TLS",
      "Use another port (587 or 465); only where the network is trusted, auth_plaintext = true" },
   { "warning", "not_advertised_after_tls", function(r)
      return r.before_tls and r.after_tls and #r.before_tls.mechanisms > 0
         and #r.after_tls.mechanisms == 0
   end, "AUTH is offered before TLS and no more inside it",
      "The server's operator must offer AUTH inside TLS" },
   { "warning", "downgrade", function(r)
      return r.auth.downgrade and table.concat(r.auth.downgrade, ", ")
   end, "on an earlier connection it offered %s",
      "Unless the server was changed, a man in the middle may have removed it" },
   { "warning", "auth_unavailable", function(r)
      local why = why_unavailable[r.auth.reason] or why_unavailable.other
      return r.auth.state == "unavailable" and why
   end, "AUTH was not possible: %s",
      "With auth = \"prefer\" mail goes out without it; port 587 or 465 may offer it" },
   { "warning", "port_25", function(_, server) return server.credentials and server.port == 25 end,
      "port 25 is for mail from server to server", "Use port 587 (or 465) with credentials" },
   { "warning", "helo_only", function(r) return r.esmtp == false and r.ehlo_reply end,
      "the server refused EHLO (%s) and took HELO: neither TLS nor AUTH is available",
      "The server may not accept the name in EHLO: set domain to the full host name of this "
         .. "machine; else use another port or server, or look for a firewall that changes the "
         .. "command" },
   { "warning", "slow_greeting", function(r)
      local seconds = r.seconds.greeting
      return seconds and seconds > SLOW_GREETING and math.floor(seconds + 0.5)
   end, "the greeting took %d seconds",
      "It may look up your address first, or wait on purpose; keep reply_timeout above it" },
   { "remark", "no_pipelining", lacks "PIPELINING",
      "PIPELINING is not offered: every command waits for its answer",
      "Nothing is wrong; messages for many recipients take longer" },
   { "remark", "no_8bitmime", lacks "8BITMIME", "8BITMIME is not offered",
      "A raw message must be 7-bit; what is composed here always is" },
   { "remark", "no_smtputf8", lacks "SMTPUTF8", "SMTPUTF8 is not offered",
      "Addresses need ASCII before @; domains may be of any letters" },
   { "remark", "no_size", lacks "SIZE", "the server names no size limit",
      "A message too large is refused only after all of it was sent" },
   { "warning", "small_size", function(r)
      return r.limits.size and r.limits.size < SMALL_SIZE and r.limits.size
   end, "the server accepts no message over %d bytes",
      "Attachments are a third larger on their way: link to large files instead" },
}

--- The trouble of the dialogue first, and nothing twice.
---@param r table     the report so far
---@param server smtp.Server
---@param err? table  what sending would have met
---@return table[]    { kind =, reason =, concerns =, text =, hint = }
function warnings.list(r, server, err)
   local list = { err and of_error(err) }
   -- The options of the report send all the same.
   if err and err.kind == "usage" and next(r.options) ~= nil then list[1].kind = "warning" end
   for i = 1, #checks do
      local check = checks[i]
      local found = not (err and err.reason == check[2]) and check[3](r, server)
      if found then
         local hint = check[5]
         list[#list + 1] = { kind = check[1], reason = check[2], text = check[4]:format(found),
            hint = type(hint) == "function" and hint(server) or hint }
      end
   end
   return list
end

return warnings
