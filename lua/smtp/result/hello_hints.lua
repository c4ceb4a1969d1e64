--- Hints for servers that refuse the conversation or EHLO.
-- @module smtp.result.hello_hints

local ascii = require "smtp.ground.ascii"
local first_bytes = require "smtp.result.first_bytes"
local interruptions = require "smtp.result.interruptions"
local remedies = require "smtp.result.remedies"
local wording = require "smtp.result.wording"

local fill, is_submission = wording.fill, wording.is_submission

local hello_hints = {}

--- What the name in EHLO should be.
function hello_hints.domain(server)
   return fill(remedies.domain, { hello = interruptions.verb(server, "ehlo") })
end

-- A server that does not know LHLO may know EHLO, and the other way round.
local function unknown_hello(err, server)
   if first_bytes.is_inspected(err) then return remedies.firewall end
   local is_lmtp = server.protocol == "lmtp"
   local is_known_port = is_submission(server) or server.port == 25
   local is_named = (err.text or ""):find("LHLO", 1, true)
   if not is_lmtp and is_known_port and not is_named then return remedies.not_smtp end
   local other, this = "lmtp", "smtp"
   if is_lmtp then other, this = this, other end
   return fill(remedies.other_protocol, { protocol = ascii.upper(other), word = other,
      this = ascii.upper(this) })
end

-- A refusal that says nothing of the name.
local function refused(err, server)
   if err.code and err.code < 500 then return remedies.refused_for_now end
   if server.protocol == "lmtp" then return remedies.ask end
   return is_submission(server) and remedies.refused_login or remedies.refused
end

-- 500 and 502 are about the command, unless the status is about its argument.
local function is_of_name(err)
   local is_of_command = err.code == 500 or err.code == 502
   return err.reason == "helo" and (not is_of_command or err.enhanced == "5.5.4")
end

--- The server refused the conversation.
function hello_hints.refused(err, server)
   if first_bytes.is_ftp(err) then return fill(remedies.foreign, { what = "an FTP server" }) end
   local hint = is_of_name(err) and hello_hints.domain(server)
   local code = err.stage == "ehlo" and err.code or 0
   if code >= 500 and code <= 504 then
      local other = unknown_hello(err, server)
      return hint and hint .. ". " .. other or other
   end
   return hint or refused(err, server)
end

--- The server accepted HELO. With 500, 502 and 504 something on the way may have changed EHLO.
function hello_hints.helo_only(err, server)
   if first_bytes.is_inspected(err) then
      return wording.join(remedies.firewall, remedies.no_firewall)
   end
   if not err.code then return nil end
   if err.code == 501 or err.code > 504 then return hello_hints.domain(server) end
   return fill(remedies.no_ehlo, { cause = is_submission(server) and "the server is very old"
      or "port is not the one for submission (587 or 465)" })
end

return hello_hints
