--- The SASL mechanisms (RFC 4422) that need libcrypto, as objects like those of a user's own.
--
-- A mechanism is { name =, start = function(self, info), step = function(self, challenge) }. Each
-- exchange has a `self` of its own, which inherits from the object.
--
--    start → initial response or nil (the server begins) [, true: that is all]
--          | false, reason: it cannot be used here, the next one is tried; here also: does this
--            machine lack something, and a word for programs
--          | nil, reason: the exchange must end
--    step  → answer [, true: 235 may come now]
--          | nil, reason: the exchange is cancelled | nil, "again": call me again at once
--
-- @module smtp.client.sasl

local core = require "smtp.core"
local system = require "smtp.ground.resources"

local sasl = {}

local function load_crypto()
   local crypto, why, lack = system.load_crypto()
   if crypto then return crypto end
   return nil, lack and why or "crypto_unavailable: " .. why, lack ~= nil, "crypto_unavailable"
end

local why_not_prepared = {
   saslprep_unavailable = "saslprep_unavailable: it holds characters outside ASCII, and there is "
      .. "no libidn to prepare them (RFC 4013)",
   saslprep = "saslprep: it holds characters that SASLprep forbids (RFC 4013)",
   crypto = "no memory",
}

local function prepare(crypto, text, what)
   if text == nil or text == "" then return "" end
   if not core.is_utf8(text) then return nil, what .. ": it is not UTF-8 (RFC 4013)" end
   local prepared, why = crypto.saslprep(text)
   if prepared == "" then why = "saslprep" end
   if why then return nil, what .. ": " .. why_not_prepared[why], why end
   return prepared
end

-- RFC 5802 6: p where we bind; y where we could, and the server seems not to; n otherwise.
local function gs2_flag(self, info)
   if self.binds then return "p" end
   return info.binding and not info.plus_offered and "y" or "n"
end

local function begin_scram(self, info)
   local crypto, why, lack, word = load_crypto()
   if not crypto then return false, why, lack, word end
   if self.binds and not info.binding then
      -- Less than what is offered and wanted would be open to whoever made it so.
      return nil, "this TLS connection has nothing to bind to; where that is known and meant, name "
         .. "auth_mechanisms without -PLUS"
   end
   local username, password, authzid
   username, why, word = prepare(crypto, info.username, "username")
   if username then password, why, word = prepare(crypto, info.password, "password") end
   if password then authzid, why, word = prepare(crypto, info.authzid, "authzid") end
   if not authzid then return false, why, nil, word end
   if #username > crypto.name_max or #authzid > crypto.name_max then
      return false, "username or authzid is over 1,024 bytes"
   end
   self.exchange = crypto.scram {
      hash = self.hash, username = username, password = password, authzid = authzid,
      flag = gs2_flag(self, info), nonce = info.nonce,
      binding_type = self.binds and info.binding_type, binding = self.binds and info.binding,
      iterations_min = info.iterations[1], iterations_max = info.iterations[2],
   }
   if not self.exchange then return false, "libcrypto would not do " .. self.hash end
   return self.exchange:first()
end

local function step_scram(self, challenge)
   return self.exchange:step(challenge)
end

local function scram(name, hash, binds)
   return { name = name, hash = hash, binds = binds, start = begin_scram, step = step_scram }
end

local function begin_cram_md5(self, info)
   local crypto, why, lack, word = load_crypto()
   if not crypto then return false, why, lack, word end
   if not crypto.hmac("MD5", "", "") then return false, "libcrypto has no MD5 here" end
   self.crypto, self.info = crypto, info
end

--- The answer of CRAM-MD5 (RFC 2195 2).
---@return string|nil answer   nil where libcrypto has no MD5
---@return string|nil why
function sasl.cram_md5(crypto, username, password, challenge)
   local digest, why = crypto.hmac("MD5", password, challenge)
   if not digest then return nil, why end
   return username .. " " .. digest:gsub(".", function(c) return ("%02x"):format(c:byte()) end), nil
end

local function step_cram_md5(self, challenge)
   if challenge == "" then return nil, "protocol" end
   local answer, why = sasl.cram_md5(self.crypto, self.info.username, self.info.password, challenge)
   return answer, answer and true or why
end

--- By name.
sasl.mechanisms = {
   ["SCRAM-SHA-512-PLUS"] = scram("SCRAM-SHA-512-PLUS", "SHA512", true),
   ["SCRAM-SHA-256-PLUS"] = scram("SCRAM-SHA-256-PLUS", "SHA256", true),
   ["SCRAM-SHA-1-PLUS"] = scram("SCRAM-SHA-1-PLUS", "SHA1", true),
   ["SCRAM-SHA-512"] = scram("SCRAM-SHA-512", "SHA512"),
   ["SCRAM-SHA-256"] = scram("SCRAM-SHA-256", "SHA256"),
   ["SCRAM-SHA-1"] = scram("SCRAM-SHA-1", "SHA1"),
   ["CRAM-MD5"] = { name = "CRAM-MD5", start = begin_cram_md5, step = step_cram_md5 },
}

--- An exchange of its own with this mechanism.
---@param mechanism table   the object
---@return table self
function sasl.exchange(mechanism)
   return setmetatable({}, { __index = mechanism })
end

--- 24 random characters for a nonce, nil where the system has none.
---@return string|nil
function sasl.nonce()
   local bytes = core.random(18)
   return bytes and core.base64(bytes)
end

return sasl
