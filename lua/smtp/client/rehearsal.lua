--- A dialogue that ends before a message is sent: what the server says up to a point, with the same
-- options as for smtp.send. Then RSET, where a transaction has begun, and QUIT.
-- @module smtp.client.rehearsal

local check = require "smtp.options.check"
local core = require "smtp.core"
local delivery = require "smtp.client.delivery"
local errors = require "smtp.errors"
local findings = require "smtp.client.findings"
local request = require "smtp.client.request"

local rehearsal = {}

-- ---- the points ----

-- What changes of a server's options for each point: `halt` as the session knows it, and no more
-- than is needed to get there. A point that these options do not reach is refused.
local points = {}

function points.greeting()
   return { halt = "greeting", auth = "skip" }
end

function points.first_ehlo()
   return { halt = "ehlo", auth = "skip" }
end

function points.ehlo()
   return { auth = "skip" }
end

-- TLS from the first byte is on before the greeting.
function points.starttls(server)
   if server.tls == "skip" then
      errors.refuse("tls", "TLS is not reached with tls = \"skip\"", 'Write tls = "require"')
   elseif server.tls == "implicit" then
      return points.greeting()
   end
   return { halt = "tls", tls = "require", auth = "skip" }
end

function points.auth(server)
   if not server.credentials then
      errors.refuse("username", "AUTH is not reached without credentials",
         "Give username and password, or token")
   elseif server.auth == "skip" then
      errors.refuse("auth", "AUTH is not reached with auth = \"skip\"", "Remove auth")
   end
   return { auth = "require" }
end

function points.mail()
   return { halt = "mail" }
end

function points.rcpt()
   return { halt = "rcpt" }
end

local has_envelope = { mail = true, rcpt = true }

-- The server, which ends the dialogue at the point. A kept connection would hide the beginning.
local function halting(server, point)
   local changes = points[point](server)
   changes.keepalive = false
   if not has_envelope[point] then changes.pipelining = "safe" end -- no message follows
   return request.variant(server, changes)
end

-- ---- the dialogue ----

-- -> a result as smtp.Rehearsal, which has no recipients | nil, err
local function connect(server, started)
   local conv, err = delivery.open(server, delivery.deadline(server, nil, started), true)
   if not conv then return nil, err end
   conv:run()
   local trouble, parts = conv.session:trouble(), nil
   if trouble then err = findings.error(conv, trouble) else parts = findings.parts(conv) end
   local seconds = core.now() - started
   conv:leave()
   if err then return nil, err end
   return { server = parts.server, tls = parts.tls, auth = parts.auth,
      capabilities = parts.capabilities, seconds = seconds }
end

-- The envelope only. -> what smtp.send would return
local function send(server, message, started)
   local ok, err = delivery.sign(server, message, started) -- the signatures count for SIZE=
   if not ok then return nil, err end
   return delivery.send(server, message, started)
end

local read = errors.returning(function(t, point)
   if has_envelope[point] then
      local server, message = request.send(t)
      if not server then return nil, message end
      return { server = halting(server, point), message = message }
   end
   local server, err = request.connection((check.split(t)))
   if not server then return nil, err end
   return { server = halting(server, point) }
end)

--- Talk to the server up to this point, and quit. Nothing of the message is sent.
---@param t smtp.Options   for the points before "mail" those of the message count for nothing
---@param point "greeting"|"first_ehlo"|"starttls"|"ehlo"|"auth"|"mail"|"rcpt"
---@return table|nil       server, tls, auth, capabilities, seconds as in a receipt; for "mail" and
--   "rcpt" all of a receipt, in which RCPT alone has accepted the recipients
---@return smtp.Error|nil
function rehearsal.run(t, point)
   local started = core.now()
   local parts, err = read(t, point)
   if not parts then return nil, err end
   if parts.message then return send(parts.server, parts.message, started) end
   return connect(parts.server, started)
end

return rehearsal
