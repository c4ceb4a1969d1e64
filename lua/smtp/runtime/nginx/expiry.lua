--- Until when the certificate of a TLS connection in nginx is valid: by FFI, with the OpenSSL of
-- nginx, which does not look at the date again where a session is resumed.
-- @module smtp.runtime.nginx.expiry

local foreign = require "smtp.runtime.nginx.foreign"

local functions = foreign.functions [[
   void *smtp_expiry_peer(const void *) __asm__("SSL_SESSION_get0_peer");
   const void *smtp_expiry_end(const void *) __asm__("X509_get0_notAfter");
   void *smtp_expiry_set(void *, long) __asm__("ASN1_TIME_set");
   int smtp_expiry_diff(int *, int *, const void *, const void *) __asm__("ASN1_TIME_diff");
]]

local DAY = 86400 -- seconds

--- The end of the server's certificate.
---@param session any   what sslhandshake returned
---@return number       as os.time(); 0 where it cannot be known
local function of(session)
   local C = functions()
   if not C or type(session) ~= "cdata" or session == nil then return 0 end
   C.epoch = C.epoch or C.expiry_set(nil, 0) -- os.time() 0, as OpenSSL writes it
   local certificate = C.expiry_peer(session)
   if certificate == nil or C.epoch == nil then return 0 end
   local days, seconds = C.ffi.new("int[1]"), C.ffi.new("int[1]")
   if C.expiry_diff(days, seconds, C.epoch, C.expiry_end(certificate)) ~= 1 then return 0 end
   return days[0] * DAY + seconds[0]
end

return { of = of }
