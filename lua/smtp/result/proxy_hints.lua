--- Which remedy an error about a proxy gets.
-- @module smtp.result.proxy_hints

local remedies = require("smtp.result.remedies").proxy
local wording = require "smtp.result.wording"

local proxy_hints = {}

-- By the reason of the error.
local by_reason = {}

function by_reason.proxy_unreachable()
   return remedies.unreachable
end

function by_reason.proxy_auth(_, server, trouble)
   if trouble.takes_no_password then return remedies.no_password end
   local proxy = server.proxy
   return proxy.username and remedies.login or wording.fill(remedies.no_login, proxy)
end

function by_reason.proxy_refused(err, server)
   return wording.fill(err.retry == "never" and remedies.not_allowed or remedies.no_way, server)
end

function by_reason.proxy_protocol(err, server, trouble)
   local text = err.text or ""
   if trouble.is_socks then return remedies.is_socks end
   if text:find("^HTTP/") and server.proxy.scheme ~= "http" then return remedies.is_http end
   if text:find("^220[ -]") then return remedies.is_smtp end
   return trouble.is_closed and remedies.closed or remedies.foreign
end

--- Is the error about the way through the proxy?
---@param err smtp.Error
---@return boolean
function proxy_hints.is_about(err)
   return err.stage == "connect" and (by_reason[err.reason] ~= nil or err.kind == "timeout")
end

--- The hint for such an error.
---@param err smtp.Error
---@param server smtp.Server
---@param trouble table   `is_closed`, `is_socks`, `takes_no_password`, `option`
---@return string
function proxy_hints.find(err, server, trouble)
   local find = by_reason[err.reason]
   if find then return find(err, server, trouble) end
   return wording.fill(remedies.slow, { option = trouble.option or "connect_timeout" })
end

return proxy_hints
