--- A transport of the caller's own. Its methods may yield. If they raise an error, or return what
-- they may not, the connection ends with an error object.
-- @module smtp.runtime.callers_transport

local user_call = require "smtp.options.user_call"

local Transport = { __name = "smtp.CallersTransport" }
Transport.__index = Transport

-- The methods that a transport need not have.
local optional = { "tlsinfo", "certificate", "channel_binding", "getpeername", "getsockname" }

local methods = {}

-- The transport of this library that calls the one of the caller's.
local function wrap(object)
   local self = setmetatable({
      object = object,
      duplex = user_call.field(object, "duplex") == true,
      failure = nil, -- what the caller's transport did wrong, after which it is only closed
      cause = nil,   -- and what it raised
   }, Transport)
   for i = 1, #optional do
      local name = optional[i]
      if user_call.field(object, name) then self[name] = methods[name] end
   end
   return self
end

-- The caller's transport did something that this library cannot go on with.
local function fail(self, what, cause)
   self.failure, self.cause = what, cause
   return nil, "raised", what
end

-- Returns what the method returned, or nil, "raised" and what happened.
local function call(self, name, ...)
   if self.failure then return nil, "raised", self.failure end
   local object = self.object
   local ok, value, why, text, more = user_call.call(user_call.field(object, name), object, ...)
   if ok then return value, why, text, more end
   return fail(self, ("%s raised an error: %s"):format(name, user_call.text(value)), value)
end

-- A failure needs words: why, and a text for people.
local function failed(why, text)
   if type(why) ~= "string" then why, text = "closed", text or why end
   return why, text ~= nil and user_call.text(text) or nil
end

local function wrong_result(self, name, value)
   return fail(self, ("%s returned a %s, %s"):format(name, type(value), user_call.text(value)))
end

for _, name in ipairs { "connect", "sslhandshake" } do
   Transport[name] = function(self, ...)
      local ok, why, text, hint = call(self, name, ...)
      if ok then return true end
      why, text = failed(why, text)
      return nil, why, text, hint
   end
end

function Transport:settimeouts(connect, send, receive)
   call(self, "settimeouts", connect, send, receive)
end

--- Send. Returns how many bytes were sent; else nil, why, a text, and how many were sent before.
function Transport:send(data)
   local count, why, text, partly = call(self, "send", data)
   local left = count or partly
   if left and not (type(left) == "number" and left >= 0 and left <= #data and left % 1 == 0) then
      return wrong_result(self, "send", left)
   end
   if count then return count end
   why, text = failed(why, text)
   return nil, why, text, partly or nil
end

function Transport:receiveany(max)
   local data, why, text = call(self, "receiveany", max)
   if type(data) == "string" then return data end
   if data then return wrong_result(self, "receiveany", data) end
   why, text = failed(why, text)
   return nil, why, text
end

function Transport:close()
   user_call.call(user_call.field(self.object, "close"), self.object)
   return true
end

--- Does the caller declare that TLS is on and that the server is verified?
function Transport:is_secure()
   return user_call.field(self.object, "secure") == true
end

--- The trouble of a connection that this transport broke, for the error.
---@param stage string
---@return table trouble
function Transport:trouble(stage)
   return { kind = "source", reason = "transport", stage = stage, cause = self.cause,
      text = self.failure,
      is_note = true,
      sentence = "connection abandoned: the transport that the caller gave failed" }
end

function methods:tlsinfo()
   local info = call(self, "tlsinfo")
   if type(info) ~= "table" then return nil end
   return { version = user_call.field(info, "version"), cipher = user_call.field(info, "cipher"),
      resumed = user_call.field(info, "resumed") }
end

local certificate_fields = { subject = "string", issuer = "string", not_before = "string",
   not_after = "string", days_left = "number", key_pin = "string" }

--- The certificate with the fields of smtp.Certificate that have their type.
---@return smtp.Certificate|nil
function methods:certificate()
   local given = call(self, "certificate")
   if type(given) ~= "table" then return nil end
   local certificate, names = { names = {} }, user_call.field(given, "names")
   for name, kind in next, certificate_fields do
      local value = user_call.field(given, name)
      certificate[name] = type(value) == kind and value or nil
   end
   local name = type(names) == "table" and rawget(names, 1)
   while type(name) == "string" do
      certificate.names[#certificate.names + 1] = name
      name = rawget(names, #certificate.names + 1)
   end
   return certificate
end

function methods:channel_binding()
   local kind, data = call(self, "channel_binding")
   if type(kind) == "string" and type(data) == "string" then return kind, data end
   return nil
end

for _, name in ipairs { "getpeername", "getsockname" } do
   methods[name] = function(self)
      local address = call(self, name)
      return type(address) == "string" and address or nil
   end
end

--- The transport of this library for one of the caller's. If the function of the caller makes
-- none, there is none: to connect without it might go past a proxy that the caller relies on.
---@param own table|userdata|function   with all methods of a transport, or what makes one
---@return table|nil transport
---@return table|nil failed   { what =, cause = what the function raised or returned }
local function new(own)
   if type(own) ~= "function" then return wrap(own) end
   local ok, transport, why = user_call.call(own)
   if not ok then
      return nil, { what = "transport raised an error: " .. user_call.text(transport),
         cause = transport }
   elseif transport == nil and why ~= nil then
      return nil, { what = "transport failed: " .. user_call.text(why), cause = why }
   end
   local missing = user_call.missing_method(transport)
   if not missing then return wrap(transport) end
   return nil, { what = ("transport returned a %s that has no method %s"):format(type(transport),
      missing) }
end

return { new = new }
