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

local FOR_PORT = '%d is a port? Write host = "localhost" and port = %d'
local with_port = { host = FOR_PORT, server = FOR_PORT,
   url = '%d is a port? Write url = "smtp://localhost:%d"' }

-- What to write in the place of a number.
local function instead_of_number(option, text)
   local number = #text < 6 and tonumber(text:match("^[0-9]+$")) or 0
   if not with_port[option] or number < 1 or number > 65535 then
      return "Write the name of the server, or its address"
   end
   return with_port[option]:format(number, number)
end

--- Refuse a text that is one number. Raises a UsageError.
---@param option string   the option that contains it
---@param text string
function host_advice.refuse_number(option, text)
   refuse(option, ("the host %q is a number, and not the name or the address of a server"):format(
      text), instead_of_number(option, text), text)
end

return host_advice
