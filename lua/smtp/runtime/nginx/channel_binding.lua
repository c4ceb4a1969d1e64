--- Channel binding (RFC 5056) where nginx made the TLS connection: by FFI, with its own OpenSSL.
-- @module smtp.runtime.nginx.channel_binding

local foreign = require "smtp.runtime.nginx.foreign"

local binding = {}

local TLS_1_3 = 0x0304
local LABEL, EXPORTED_LEN = "EXPORTER-Channel-Binding", 32 -- RFC 9266 2
local FINISHED_MAX = 64
local GET_EXTMS_SUPPORT = 122 -- SSL_CTRL_GET_EXTMS_SUPPORT of OpenSSL

local functions = foreign.functions [[
   int smtp_tls_version(const void *) __asm__("SSL_version");
   int smtp_tls_export(void *, unsigned char *, size_t, const char *, size_t, const unsigned char *,
      size_t, int) __asm__("SSL_export_keying_material");
   int smtp_tls_reused(const void *) __asm__("SSL_session_reused");
   long smtp_tls_ctrl(void *, int, long, void *) __asm__("SSL_ctrl");
   size_t smtp_tls_finished(const void *, void *, size_t) __asm__("SSL_get_finished");
   size_t smtp_tls_peer_finished(const void *, void *, size_t) __asm__("SSL_get_peer_finished");
]]

--- Can it be had from such a cosocket? Those of lua-nginx-module 0.10.30 with lua-resty-core 0.1.33
-- are the first to show OpenSSL's object.
function binding.is_possible(sock)
   return sock.getsslpointer and functions() ~= false or false
end

-- RFC 9266: the binding of TLS 1.3.
local function exporter(C, ssl)
   local out = C.ffi.new("unsigned char[?]", EXPORTED_LEN)
   if C.tls_export(ssl, out, EXPORTED_LEN, LABEL, #LABEL, nil, 0, 1) ~= 1 then return nil end
   return "tls-exporter", C.ffi.string(out, EXPORTED_LEN)
end

-- RFC 5929 3: the first Finished message, which is the server's where the session was resumed. Only
-- with the extended master secret does it belong to one connection (RFC 7627).
local function unique(C, ssl)
   if C.tls_ctrl(ssl, GET_EXTMS_SUPPORT, 0, nil) ~= 1 then return nil end
   local out = C.ffi.new("unsigned char[?]", FINISHED_MAX)
   local get = C.tls_reused(ssl) == 1 and C.tls_peer_finished or C.tls_finished
   local len = tonumber(get(ssl, out, FINISHED_MAX))
   if len == 0 or len > FINISHED_MAX then return nil end
   return "tls-unique", C.ffi.string(out, len)
end

--- The binding of a connection with TLS.
---@return string|nil type   nil: there is none
---@return string|nil bytes
function binding.of(sock)
   local ok, pointer = pcall(sock.getsslpointer, sock)
   if not ok or pointer == nil then return nil end
   local C = functions()
   local ssl = C.ffi.cast("void *", pointer)
   if ssl == nil then return nil end
   return (C.tls_version(ssl) >= TLS_1_3 and exporter or unique)(C, ssl)
end

return binding
