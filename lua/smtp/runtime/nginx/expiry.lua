--- Until when the certificate of a TLS connection in nginx is valid: by FFI, with the OpenSSL of
-- nginx, which does not look at the date again where a session is resumed.
-- @module smtp.runtime.nginx.expiry

-- Names of our own: other modules may have declared OpenSSL's differently.
local DECLARATIONS = [[
   void *smtp_expiry_peer(const void *) __asm__("SSL_SESSION_get0_peer");
   const void *smtp_expiry_end(const void *) __asm__("X509_get0_notAfter");
   void *smtp_expiry_set(void *, long) __asm__("ASN1_TIME_set");
   int smtp_expiry_diff(int *, int *, const void *, const void *) __asm__("ASN1_TIME_diff");
]]

local DAY = 86400 -- seconds

local ffi, peer, end_of, diff
local epoch -- os.time() 0, as OpenSSL writes it

local function load_functions()
   ffi = require "ffi"
   ffi.cdef(DECLARATIONS)
   peer, end_of, diff = ffi.C.smtp_expiry_peer, ffi.C.smtp_expiry_end, ffi.C.smtp_expiry_diff
   epoch = ffi.C.smtp_expiry_set(nil, 0)
   assert(epoch ~= nil)
end

local is_loaded -- nil: not tried yet

--- The end of the server's certificate.
---@param session any   what sslhandshake returned
---@return number       as os.time(); 0 where it cannot be known
local function of(session)
   if is_loaded == nil then is_loaded = pcall(load_functions) end
   if not is_loaded or type(session) ~= "cdata" or session == nil then return 0 end
   local certificate = peer(session)
   if certificate == nil then return 0 end
   local days, seconds = ffi.new("int[1]"), ffi.new("int[1]")
   if diff(days, seconds, epoch, end_of(certificate)) ~= 1 then return 0 end
   return days[0] * DAY + seconds[0]
end

return { of = of }
