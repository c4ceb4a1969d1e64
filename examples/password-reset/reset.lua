-- Sends a link to reset a password. README.md says how to use it.
local smtp = require "smtp.safe"
local reset = {}
local function random_token()
   local file = assert(io.open "/dev/urandom")
   local bytes = file:read(16)
   file:close()
   return (bytes:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end))
end

local function failed(receipt, err)
   if not receipt then ngx.log(ngx.ERR, "password reset: ", tostring(err)) end
end

--- POST with email=…. `find(email)` returns a user's id and stored address, or nil. The answer is
-- the same for every address and takes as long: it does not reveal who has an account.
function reset.request(find)
   ngx.req.read_body()
   local email = (ngx.req.get_post_args() or {}).email
   local id, address = find(type(email) == "string" and email or "")
   if id then
      local token = random_token()
      ngx.shared.resets:set(token, id, 3600)
      failed(smtp.defer({ -- sends after the answer
         host = os.getenv "SMTP_HOST", port = os.getenv "SMTP_PORT", domain = "www.example.org",
         username = os.getenv "SMTP_USER", password = os.getenv "SMTP_PASSWORD",
         from = "accounts@example.org", to = address, subject = "Your new password",
         text = "Within an hour, open https://www.example.org/new-password?token=" .. token .. "\n",
      }, failed))
   end
   ngx.say "If there is an account for this address, a message is on its way to it."
end

--- The id of the user to whom this token was sent, once.
function reset.user_of(token)
   local id = ngx.shared.resets:get(token)
   if id and ngx.shared.resets:safe_add("used " .. token, true, 3600) then return id end
end

return reset
