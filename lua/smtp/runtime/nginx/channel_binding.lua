--- Channel binding (RFC 5056) where nginx made the TLS connection: by FFI, with its own OpenSSL.
-- @module smtp.runtime.nginx.channel_binding

local binding = {}

local TLS_1_3 = 0x0304
local LABEL, EXPORTED_LEN = "EXPORTER-Channel-Binding", 32 -- RFC 9266 2
local FINISHED_MAX = 64
local GET_EXTMS_SUPPORT = 122 -- SSL_CTRL_GET_EXTMS_SUPPORT of OpenSSL

-- Names of our own: others may have declared OpenSSL's as they see them.
local declarations = [[
   int smtp_tls_version(const void *) __asm__("SSL_version");
   int smtp_tls_export(void *, unsigned char *, size_t, const char *, size_t, const unsigned char *,
      size_t, int) __asm__("SSL_export_keying_material");
   int smtp_tls_reused(const void *) __asm__("SSL_session_reused");
   long smtp_tls_ctrl(void *, int, long, void *) __asm__("SSL_ctrl");
   size_t smtp_tls_finished(const void *, void *, size_t) __asm__("SSL_get_finished");
   size_t smtp_tls_peer_finished(const void *, void *, size_t) __asm__("SSL_get_peer_finished");
]]

local ffi
local tls = {} -- the functions

-- ffi.C looks among nginx's symbols first and then in its libraries, as nginx does itself.
local function load_functions()
   local ok, found = pcall(require, "ffi")
   if not ok then return false end
   ffi = found
   ffi.cdef(declarations)
   return (pcall(function()
      for name in declarations:gmatch("smtp_tls_([a-z_]+)") do
         tls[name] = ffi.C["smtp_tls_" .. name]
      end
   end))
end

local loaded -- nil: not tried

--- Can it be had from such a cosocket? Those of lua-nginx-module 0.10.30 with lua-resty-core 0.1.33
-- are the first to show OpenSSL's object.
function binding.is_possible(sock)
   if not sock.getsslpointer then return false end
   if loaded == nil then loaded = load_functions() end
   return loaded
end

-- RFC 9266: the binding of TLS 1.3.
local function exporter(ssl)
   local out = ffi.new("unsigned char[?]", EXPORTED_LEN)
   if tls.export(ssl, out, EXPORTED_LEN, LABEL, #LABEL, nil, 0, 1) ~= 1 then return nil end
   return "tls-exporter", ffi.string(out, EXPORTED_LEN)
end

-- RFC 5929 3: the first Finished message, which is the server's where the session was resumed. Only
-- with the extended master secret does it belong to one connection (RFC 7627).
local function unique(ssl)
   if tls.ctrl(ssl, GET_EXTMS_SUPPORT, 0, nil) ~= 1 then return nil end
   local out = ffi.new("unsigned char[?]", FINISHED_MAX)
   local get = tls.reused(ssl) == 1 and tls.peer_finished or tls.finished
   local len = tonumber(get(ssl, out, FINISHED_MAX))
   if len == 0 or len > FINISHED_MAX then return nil end
   return "tls-unique", ffi.string(out, len)
end

--- The binding of a connection with TLS.
---@return string|nil type   nil: there is none
---@return string|nil bytes
function binding.of(sock)
   local ok, pointer = pcall(sock.getsslpointer, sock)
   if not ok or pointer == nil then return nil end
   local ssl = ffi.cast("void *", pointer)
   if ssl == nil then return nil end
   if tls.version(ssl) >= TLS_1_3 then return exporter(ssl) end
   return unique(ssl)
end

return binding
