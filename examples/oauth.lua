-- A function for the option `token`, which gets an access token from a refresh token. Used by
-- gmail_oauth.lua and microsoft365_oauth.lua; copy it.
local oauth = {}

local function encode(text)
   return (text:gsub("[^A-Za-z0-9._~-]", function(c) return ("%%%02X"):format(c:byte()) end))
end

--- `config.fetch(url, body)` posts a form and returns the body of the answer, or nil and why not.
-- The other fields are sent as the form.
function oauth.token(config)
   local form = { "grant_type=refresh_token" }
   for _, name in ipairs { "client_id", "client_secret", "refresh_token", "scope" } do
      if config[name] then form[#form + 1] = name .. "=" .. encode(config[name]) end
   end
   local access, expires = nil, 0

   -- The library calls it when it needs the token, and with the server's words if it was refused.
   return function(refusal)
      if access and not refusal and os.time() < expires then return access end
      local answer, why = config.fetch(config.url, table.concat(form, "&"))
      if not answer then error("no answer from the token endpoint: " .. tostring(why), 0) end
      access = answer:match '"access_token"%s*:%s*"([^"]+)"'
      if not access then error("the token endpoint said: " .. answer, 0) end
      expires = os.time() + (tonumber(answer:match '"expires_in"%s*:%s*(%d+)') or 3600) - 60
      return access
   end
end

return oauth
