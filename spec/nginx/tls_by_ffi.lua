--- A cosocket of a newer lua-nginx-module, which shows OpenSSL's object of its connection: TLS by FFI
-- and memory BIOs on a cosocket of the one that is here, with the OpenSSL of this process.

local ffi = require "ffi"

ffi.cdef [[
   void *TLS_client_method(void);
   void *SSL_CTX_new(const void *);
   void *SSL_new(void *);
   void SSL_free(void *);
   void SSL_set_connect_state(void *);
   int SSL_do_handshake(void *);
   void *SSL_get1_session(void *);
   int SSL_set_session(void *, void *);
   int SSL_session_reused(const void *);
   int SSL_read(void *, void *, int);
   int SSL_write(void *, const void *, int);
   void *BIO_s_mem(void);
   void *BIO_new(const void *);
   int BIO_read(void *, void *, int);
   int BIO_write(void *, const void *, int);
   void SSL_set_bio(void *, void *, void *);
]]

local C, MAX = ffi.C, 65536
local context = C.SSL_CTX_new(C.TLS_client_method())

local Socket = {}
Socket.__index = Socket

for _, name in ipairs { "connect", "settimeouts", "getreusedtimes", "setoption", "bind", "close" } do
   Socket[name] = function(self, ...) return self.sock[name](self.sock, ...) end
end

local function flush(self)
   local out = ffi.new("char[?]", MAX)
   local count = C.BIO_read(self.output, out, MAX)
   if count > 0 then return self.sock:send(ffi.string(out, count)) end
   return 0
end

local function fill(self)
   local data, why = self.sock:receiveany(MAX)
   if data then C.BIO_write(self.input, data, #data) end
   return data, why
end

function Socket:sslhandshake(session)
   self.ssl = ffi.gc(C.SSL_new(context), C.SSL_free)
   self.input, self.output = C.BIO_new(C.BIO_s_mem()), C.BIO_new(C.BIO_s_mem())
   C.SSL_set_bio(self.ssl, self.input, self.output)
   C.SSL_set_connect_state(self.ssl)
   if session then C.SSL_set_session(self.ssl, session) end
   while true do
      local done = C.SSL_do_handshake(self.ssl) == 1
      flush(self)
      if done then
         Socket.resumed = C.SSL_session_reused(self.ssl) == 1
         return C.SSL_get1_session(self.ssl)
      end
      local data, why = fill(self)
      if not data then return nil, why end
   end
end

function Socket:send(data)
   if not self.ssl then return self.sock:send(data) end
   assert(C.SSL_write(self.ssl, data, #data) == #data)
   local sent, why = flush(self)
   return sent and #data, why
end

function Socket:receiveany(max)
   if not self.ssl then return self.sock:receiveany(max) end
   local out = ffi.new("char[?]", max)
   while true do
      local count = C.SSL_read(self.ssl, out, max)
      if count > 0 then return ffi.string(out, count) end
      local data, why = fill(self)
      if not data then return nil, why end
   end
end

function Socket:getsslpointer()
   if not self.ssl then return nil, "not an SSL connection" end
   return ffi.cast("void *", self.ssl)
end

return { Socket = Socket, new = function(sock) return setmetatable({ sock = sock }, Socket) end }
