local logins = require "spec.tools.logins"
local talk = require "spec.tools.talk"

local login = logins.login
local script = talk.script

describe("PLAIN", function()
   it("is sent with an identity where one is given", function()
      talk.send(login("require", { authzid = "boss" }), script [[
         <hello AUTH PLAIN>
         C: AUTH PLAIN Ym9zcwBhbm4Ac2VzYW1lLTA=
         S: 235 ok
         <accepted>
      ]])
   end)

   it("that would make the command too long is sent in answer to a challenge", function()
      local long = ("k3"):rep(200)
      local core = require "smtp.core"
      local _, err = talk.send(login("require", { password = long }), script([[
         <hello AUTH PLAIN>
         C: AUTH PLAIN
         S: 334
         C: $coded
         S: 235 ok
         <accepted>
      ]], { coded = core.base64("\0ann\0" .. long) }))
      assert.is_nil(err)
   end)

   for _, challenge in ipairs { "334 ", "334", "334 text" } do
      it("takes '" .. challenge .. "' for an empty challenge", function()
         talk.send(login("require"), script([[
            <hello AUTH PLAIN>
            C: AUTH PLAIN AGFubgBzZXNhbWUtMA==
            S: 501 5.5.6 long
            C: AUTH PLAIN
            S: $challenge
            C: AGFubgBzZXNhbWUtMA==
            S: 235 ok
            <accepted>
         ]], { challenge = challenge }))
      end)
   end

   it("asked once more is cancelled", function()
      local _, err = talk.send(login("require"), script [[
         <hello AUTH PLAIN>
         C: AUTH PLAIN AGFubgBzZXNhbWUtMA==
         S: 334 more
         C: *
         S: 501 cancelled
         <bye>
      ]])
      assert.equal("auth_rejected", err.kind)
      assert.equal("protocol", err.reason)
      assert.equal("C: *", err.transcript[#err.transcript - 3])
   end)

   it("accepted before anything was said is not a success", function()
      local _, err = talk.send(login("require", { password = ("k3"):rep(200) }), script [[
         <hello AUTH PLAIN>
         C: AUTH PLAIN
         S: 235 welcome
         <bye>
      ]])
      assert.equal("auth_rejected", err.kind)
      assert.equal("protocol", err.reason)
   end)

   it("with bytes outside ASCII sends them as they are given", function()
      talk.send(login("require", { password = "p\195\164ss" }), script [[
         <hello AUTH PLAIN>
         C: AUTH PLAIN AGFubgBww6Rzcw==
         S: 235 ok
         <accepted>
      ]])
   end)

   it("challenged with control characters is cancelled", function()
      local _, err = talk.send(login("require"), script [[
         <hello AUTH LOGIN>
         C: AUTH LOGIN
         S: 334 ab\rcd
         C: *
         S: 501 cancelled
         <bye>
      ]])
      assert.equal("protocol", err.reason)
   end)
end)
