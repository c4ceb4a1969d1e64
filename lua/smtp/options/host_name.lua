--- Names of hosts, as options contain them, in the form that is resolved, verified and sent.
-- @module smtp.options.host_name

local ascii = require "smtp.ground.ascii"
local core = require "smtp.core"
local refuse = require("smtp.errors").refuse

local address = require("smtp.ground.resources").late "smtp.options.address"

local host_name = {}

--- A name outside ASCII is resolved, verified and sent in its ASCII form.
---@param option string   the option that contains it, for errors
---@param text string
---@return string
function host_name.to_ascii(option, text)
   if not text:find("[\128-\255]") then return text end
   local name, why, hint = address.domain(text)
   return name or refuse(option, ("%s = %q is not a valid host name: %s"):format(option, text, why),
      hint, text)
end

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

local function is_name(text)
   if #text > 254 or not text:find("^[A-Za-z0-9._-]+$") then return false end
   for label in (text:gsub("%.$", "") .. "."):gmatch("([^.]*)%.") do
      if label == "" or #label > 63 then return false end
   end
   return true
end

local has_tls = { https = true, smtps = true, ssl = true, tls = true }

--- What to write in the place of a URL in host, where that has no login.
---@param text string
---@return string|nil
function host_name.instead_of_url(text)
   local scheme, name = text:match("^([A-Za-z0-9+]+)://([A-Za-z0-9.-]+)[:%d]*[^@:]*$")
   if not name then return nil end
   local is_secure = has_tls[ascii.lower(scheme)]
   return ("Write url = \"%s://%s\", or host = \"%s\"%s"):format(is_secure and "smtps" or "smtp",
      name, name, is_secure and " with tls = \"implicit\"" or "")
end

--- A host name or an IP address in the form that this library uses. Raises a UsageError.
---@param option string   the option that contains it
---@param text string
---@return string
function host_name.read(option, text)
   for _, part in ipairs(misplaced) do
      if text:find(part[1]) then
         refuse(option, ("%s contains %s"):format(option, part[2]),
            host_name.instead_of_url(text) or advise(part[3], option, text))
      end
   end
   local name = host_name.to_ascii(option, text)
   name = name:match("^%[(.*:.*)%]$") or name
   if not is_name(name) and not core.literal(name) then
      refuse(option, option .. " is neither a host name nor an address",
         "Write a name such as mail.example.org, or an address such as 192.0.2.1", text)
   end
   return name:find("^[Ll][Oo][Cc][Aa][Ll][Hh][Oo][Ss][Tt]$") and "localhost" or name
end

return host_name
