--- What to write where an option that names a host contains something else.
-- @module smtp.options.host_advice

local ascii = require "smtp.ground.ascii"
local refuse = require("smtp.errors").refuse

local host_advice = {}

-- What belongs in another option: how it looks, what it is, and how to write it.
local misplaced = {
   { "^[Uu][Nn][Ii][Xx]:", "the path of a unix socket",
      "Write socket = \"/path\", or url = \"lmtp+unix:/path\"" },
   { "://", "a URL", 'Write url = "smtps://HOST" (TLS from the first byte) or url = "smtp://HOST", '
      .. 'or OPTION = "HOST" with tls = "implicit" or "require"' },
   { "@", "a user", 'Write OPTION = "HOST" and username = "ann"' },
   { "/", "a path", 'Write OPTION = "HOST"; a whole URL belongs in url' },
   { "^[^:]*:[^:]*$", "a port", 'Write OPTION = "HOST" and port = PORT' },
   { "^%[.*%]:", "a port", 'Write OPTION = "HOST" and port = PORT' },
}

-- The hint for a text in which more than a name is written: the text itself may contain a secret.
local function advise(hint, option, text)
   local authority = text:gsub("^.*://", ""):gsub("[/?#].*$", ""):gsub("^.*@", "")
   local host = authority:match("^%[.*%]") or authority:match("^[^:]*")
   if not host:find("^[A-Za-z0-9.:%[%]_-]+$") then host = "mail.example.org" end
   local values = { OPTION = option, HOST = host, PORT = authority:match(":(%d+)$") or "587" }
   return (hint:gsub("[A-Z][A-Z][A-Z][A-Z]+", values))
end

local has_tls = { https = true, smtps = true, ssl = true, tls = true }

--- What to write in the place of a URL in host, where that has no login.
---@param text string
---@return string|nil
function host_advice.instead_of_url(text)
   local scheme, name = text:match("^([A-Za-z0-9+]+)://([A-Za-z0-9.-]+)[:%d]*[^@:]*$")
   if not name then return nil end
   local is_secure = has_tls[ascii.lower(scheme)]
   return ("Write url = \"%s://%s\", or host = \"%s\"%s"):format(is_secure and "smtps" or "smtp",
      name, name, is_secure and " with tls = \"implicit\"" or "")
end

--- Refuse a text that contains what belongs in another option. Raises a UsageError.
---@param option string   the option that contains it
---@param text string
function host_advice.refuse_misplaced(option, text)
   for _, part in ipairs(misplaced) do
      if text:find(part[1]) then
         refuse(option, ("%s contains %s"):format(option, part[2]),
            host_advice.instead_of_url(text) or advise(part[3], option, text))
      end
   end
end

return host_advice
