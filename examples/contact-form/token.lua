--- Proves that a form that arrives is one that this site gave to the same browser not long ago.
--
-- The browser has a random number in a cookie, which other sites can neither read nor set. The form
-- has an id, a time at which it ends, and a MAC over these and the cookie. Nothing is stored here.

local bit = require "bit"

local token = { LIFETIME = 4 * 3600 } -- seconds

local key

--- `count` random bytes, in hexadecimal.
function token.random(count)
   local file = assert(io.open("/dev/urandom", "rb"))
   file:setvbuf("no")
   local bytes = assert(file:read(count))
   file:close()
   return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

--- Call it before the workers start, because they share the key. A random key is kept in `store`,
-- so that open forms stay valid after a reload.
function token.start(store)
   key = os.getenv "CONTACT_KEY" or store:get "key" or token.random(32)
   assert(#key >= 16, "contact form: CONTACT_KEY is too short, write 16 characters or more")
   store:set("key", key)
end

local function sign(browser, ends, id)
   return ngx.encode_base64(ngx.hmac_sha1(key, browser .. "." .. ends .. "." .. id), true)
end

-- Takes a time that does not depend on where the two differ.
local function is_same(a, b)
   if #a ~= #b then return false end
   local difference = 0
   for i = 1, #a do
      difference = bit.bor(difference, bit.bxor(a:byte(i), b:byte(i)))
   end
   return difference == 0
end

--- Makes the token of a form for the browser with this number.
function token.new(browser)
   local ends, id = ("%d"):format(ngx.time() + token.LIFETIME), token.random(16)
   return ends .. "." .. id .. "." .. sign(browser, ends, id)
end

--- Returns the id of the form; nil if this site did not make it, if it belongs to another browser,
-- or if it is too old.
function token.check(browser, text)
   if #text > 200 then return nil end
   local ends, id, mac = text:match("^([0-9]+)%.([0-9a-f]+)%.([A-Za-z0-9+/]+)$")
   if not browser or not ends or not is_same(mac, sign(browser, ends, id)) then return nil end
   return tonumber(ends) >= ngx.time() and id or nil
end

return token
