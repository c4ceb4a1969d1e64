-- Runs last: no log of any spec before it holds a secret of that spec, raw or in base64.
local core = require "smtp.core"
local recorder = package.loaded["spec.tools.recorder"]
local talk = require "spec.tools.talk"

local script = talk.script

-- What of the base64 of `text` does not depend on what stands around it, for each way it can lie.
local function coded(text)
   local forms = {}
   for before = 0, 2 do
      local all = core.base64(("\0"):rep(before) .. text)
      forms[#forms + 1] = all:sub(math.ceil(before * 4 / 3) + 1, math.floor((before + #text) * 4 / 3))
   end
   return forms
end

local function leaks(log, secret)
   local forms = coded(secret)
   forms[#forms + 1] = secret
   for i = 1, #log do
      for k = 1, #forms do
         if log[i]:find(forms[k], 1, true) then return log[i] end
      end
   end
end

describe("no secret", function()
   setup(function()
      assert(recorder, "run busted with --helper=spec/tools/recorder.lua")
      talk.send({ username = "ann", password = "sesame-9", auth_plaintext = true }, script [[
         <hello AUTH PLAIN>
         C: AUTH PLAIN AGFubgBzZXNhbWUtOQ==
         S: 535 5.7.8 sesame-9 c2VzYW1lLTk= is wrong
         <bye>
      ]])
   end)

   it("of any spec is in a trace, a transcript, an error or a receipt", function()
      assert.truthy(recorder.secrets["sesame-9"])
      assert.truthy(#recorder.log > 20)
      for secret in pairs(recorder.secrets) do
         -- Shorter ones may be found anywhere by chance.
         if #secret >= 6 then
            local found = leaks(recorder.log, secret)
            assert(not found, ("%q in: %s"):format(secret, tostring(found)))
         end
      end
   end)

   it("would be missed if it were in one", function()
      for _, line in ipairs { "C: sesame-9", "x AGFubgBzZXNhbWUtOQ== y", core.base64("a\1sesame-9\1"),
         core.base64("ab\1sesame-9"), core.base64("sesame-9 ") } do
         assert.truthy(leaks({ line }, "sesame-9"), line)
      end
      assert.is_nil(leaks({ "C: AUTH PLAIN [secret]" }, "sesame-9"))
   end)
end)
