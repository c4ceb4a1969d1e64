--- Proof that a form which comes in is one that we gave to the same browser, and not long ago.
--
-- The browser has a random number in a cookie, which other sites can neither read nor set. The form
-- has an id, its end of life, and a MAC over these and the cookie. Nothing is kept here.

local bit = require "bit"

local token = { LIFETIME = 4 * 3600 } -- seconds

local key

--- So many random octets, in hexadecimal.
function token.random(count)
   local file = assert(io.open("/dev/urandom", "rb"))
   file:setvbuf("no")
   local bytes = assert(file:read(count))
   file:close()
   return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

--- To be called before the workers are: they share the key. A random one survives a reload in
-- `store`, so that forms which people are filling in stay good.
function token.start(store)
   key = os.getenv "CONTACT_KEY" or store:get "key" or token.random(32)
   assert(#key >= 16, "contact form: CONTACT_KEY is too short, write 16 characters or more")
   store:set("key", key)
end

local function sign(browser, ends, id)
   return ngx.encode_base64(ngx.hmac_sha1(key, browser .. "." .. ends .. "." .. id), true)
end

-- In a time that does not depend on where they differ.
local function is_same(a, b)
   if #a ~= #b then return false end
   local difference = 0
   for i = 1, #a do
      difference = bit.bor(difference, bit.bxor(a:byte(i), b:byte(i)))
   end
   return difference == 0
end

--- For a form, and the browser that has this number.
function token.new(browser)
   local ends, id = ("%d"):format(ngx.time() + token.LIFETIME), token.random(16)
   return ends .. "." .. id .. "." .. sign(browser, ends, id)
end

--- -> the form's id, or nil where the form is not ours, not this browser's, or too old
function token.check(browser, text)
   if #text > 200 then return nil end
   local ends, id, mac = text:match("^([0-9]+)%.([0-9a-f]+)%.([A-Za-z0-9+/]+)$")
   if not browser or not ends or not is_same(mac, sign(browser, ends, id)) then return nil end
   return tonumber(ends) >= ngx.time() and id or nil
end

return token
