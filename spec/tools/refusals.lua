--- What the specs of refusals share.
local services = require "smtp.options.services"

local refusals = {}

--- "550 5.1.1 User unknown" -> { code =, enhanced =, text = }
function refusals.reply_of(line)
   local code, enhanced, text = line:match("^(%d%d%d)[ -]([245]%.%d+%.%d+) (.*)$")
   if code then return { code = tonumber(code), enhanced = enhanced, text = text } end
   code, text = line:match("^(%d%d%d)[ -]?(.*)$")
   return { code = tonumber(code), text = text }
end

--- A stage for each word of a row's `at`.
refusals.stage_of = { auth = "auth", hello = "greeting", mail = "mail", rcpt = "rcpt", message = "final" }

--- The name of a server of the provider that a row asks for.
function refusals.host_of(row)
   local provider = row.host and services.get(row.host)
   return provider and "email-smtp." .. provider.hosts[1]
end

return refusals
