local core = require "smtp.core"
local crypto = require "smtp.crypto"
local logins = require "spec.tools.logins"
local octets = require "spec.tools.octets"
local talk = require "spec.tools.talk"

local with_token = logins.with_token
local script = talk.script

describe("OAuth", function()
   it("escapes what separates fields in a user name", function()
      talk.send(with_token { username = "a,b=c" }, script [[
         <hello AUTH OAUTHBEARER>
         <auth OAUTHBEARER, n,a=a=2Cb=3Dc,\x01host=mx.example\x01port=25\x01auth=Bearer to.ken-1\x01\x01>
         S: 235 ok
         <accepted>
      ]])
   end)
end)

-- ---- SCRAM ----

local NONCE = "rOprNGfwEbeRWgbNEkqO"

local BOTH = NONCE .. "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"

local SALT = "W22ZaJ0SNY7soEsUEjb6gQ=="

local FIRST = "r=" .. BOTH .. ",s=" .. SALT .. ",i=4096"

local function begin(more)
   local settings = { hash = "SHA256", username = "user", password = "pencil", flag = "n",
      nonce = NONCE, iterations_min = 4096, iterations_max = 200000 }
   for key, value in pairs(more or {}) do settings[key] = value end
   return crypto.scram(settings)
end

-- Steps until there is more to say than "again".
local function step(exchange, challenge)
   local answer, word
   repeat answer, word = exchange:step(challenge) until word ~= "again"
   return answer, word
end

-- RFC 5802 3, from its formulas: -> ClientProof, ServerSignature
local function prove(hash, password, salt, iterations, message)
   local salted = crypto.pbkdf2(hash, password, salt, iterations)
   local client_key = crypto.hmac(hash, salted, "Client Key")
   local stored_key = crypto.digest(hash, client_key)
   local server_key = crypto.hmac(hash, salted, "Server Key")
   return octets.xor(client_key, crypto.hmac(hash, stored_key, message)),
      crypto.hmac(hash, server_key, message)
end

describe("SCRAM", function()
   it("sends comma and equals sign in a name as =2C and =3D (RFC 5802 5.1)", function()
      local exchange = begin { username = "a,b=c,=2C" }
      local bare = "n=a=2Cb=3Dc=2C=3D2C,r=" .. NONCE
      assert.equal("n,," .. bare, exchange:first())
      local proof = prove("SHA256", "pencil", core.base64_decode(SALT), 4096,
         bare .. "," .. FIRST .. ",c=biws,r=" .. BOTH)
      assert.equal("c=biws,r=" .. BOTH .. ",p=" .. core.base64(proof), step(exchange, FIRST))
   end)
end)
