local logins = require "spec.tools.logins"
local talk = require "spec.tools.talk"

local with = logins.with
local script = talk.script

describe("a challenge", function()
   for _, bad in ipairs { "Rubbish", "eA=", "====", "e===", "eB==", "eA==eA==", "a b=" } do
      it(bad .. " is not base64: the exchange is cancelled, and nothing else is tried", function()
         local options = with { auth_mechanisms = { "CRAM-MD5", "PLAIN" } }
         local _, err = talk.send(options, script([[
            <hello AUTH CRAM-MD5 PLAIN>
            C: AUTH CRAM-MD5
            S: 334 $bad
            C: *
            S: 501 ok
            <bye>
         ]], { bad = bad }))
         assert.same({ "auth_rejected", "protocol" }, { err.kind, err.reason })
      end)
   end

   it("that is empty is not valid for CRAM-MD5", function()
      local _, err = talk.send(with { auth_mechanisms = "CRAM-MD5" }, script [[
         <hello AUTH CRAM-MD5>
         C: AUTH CRAM-MD5
         S: 334
         C: *
         S: 501 ok
         <bye>
      ]])
      assert.equal("protocol", err.reason)
   end)

   it("with a NUL or a CR in its line is not a reply", function()
      local _, err = talk.send(with { auth_mechanisms = "CRAM-MD5" }, script [[
         <hello AUTH CRAM-MD5>
         C: AUTH CRAM-MD5
         S: 334 eA\0==
      ]])
      assert.same({ "protocol", "malformed" }, { err.kind, err.reason })
   end)

   it("of 64 KiB is beyond all limits", function()
      local _, err = talk.send(with { auth_mechanisms = "CRAM-MD5" }, script([[
         <hello AUTH CRAM-MD5>
         C: AUTH CRAM-MD5
         S~ 334 $repeated
      ]], { repeated = ("QUFB"):rep(16384) }))
      assert.same({ "protocol", "too_long" }, { err.kind, err.reason })
   end)

   it("of 9,216 octets is taken", function()
      talk.send(with { auth_mechanisms = { { name = "X-OWN", plaintext = false,
         start = function() end, step = function(_, challenge) return tostring(#challenge), true end } } },
         script([[
            <hello AUTH X-OWN>
            C: AUTH X-OWN
            S: 334 $repeated
            <answer 9210>
            S: 235 ok
            <accepted>
         ]], { repeated = ("QUFB"):rep(3070) }))
   end)
end)
