local logins = require "spec.tools.logins"
local talk = require "spec.tools.talk"

local login = logins.login
local script = talk.script

describe("LOGIN", function()
   local options = login("require", { auth_mechanisms = { "login" } })

   for name, prompts in pairs {
      ["the usual prompts"] = { "VXNlcm5hbWU6", "UGFzc3dvcmQ6" },
      ["prompts in the wrong order"] = { "UGFzc3dvcmQ6", "VXNlcm5hbWU6" },
      ["prompts nobody knows"] = { "eA==", "Zm9v" }, ["no prompts"] = { "", "" },
   } do
      it("answers " .. name .. " by their order", function()
         local receipt = talk.send(options, script([[
            <hello AUTH LOGIN>
            C: AUTH LOGIN
            S: 334 $first
            C: YW5u
            S: 334 $second
            C: c2VzYW1lLTA=
            S: 235 ok
            <accepted>
         ]], { first = prompts[1], second = prompts[2] }))
         assert.equal("LOGIN", receipt.auth.mechanism)
      end)
   end

   it("refused at the user name never sends the password", function()
      local _, err = talk.send(options, script [[
         <hello AUTH LOGIN>
         C: AUTH LOGIN
         S: 334 x
         C: YW5u
         S: 535 no
         <bye>
      ]])
      assert.equal("auth_rejected", err.kind)
   end)

   it("accepted at the user name is not a success", function()
      local _, err = talk.send(options, script [[
         <hello AUTH LOGIN>
         C: AUTH LOGIN
         S: 334 x
         C: YW5u
         S: 235 welcome
         <bye>
      ]])
      assert.equal("protocol", err.reason)
   end)

   it("is not tried with the same password after PLAIN was rejected", function()
      local _, err = talk.send(login("require"), script [[
         <hello AUTH PLAIN LOGIN>
         C: AUTH PLAIN AGFubgBzZXNhbWUtMA==
         S: 535 no
         <bye>
      ]])
      assert.equal("rejected", err.reason)
   end)
end)
