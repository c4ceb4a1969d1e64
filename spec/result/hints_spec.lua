-- Hints name what the caller has to change, and do not lead back to the same error.
local talk = require "spec.tools.talk"

local script = talk.script

-- What a host offered before is remembered: this one is no other spec's.
local function send(given, transcript)
   local options = { host = "required.example" }
   for name, value in pairs(given) do options[name] = value end
   return talk.send(options, transcript)
end

describe("the hint where AUTH is required", function()
   local hi = script "<hello STARTTLS>"
   local refusal = script [[
      C: MAIL FROM:<ann@me.example>
      S: 530 5.7.0 Authentication required
      <bye>
   ]]
   local login = { username = "ann", password = "sesame-5" }

   local function hint(more, transcript)
      local options = { }
      for name, value in pairs(more) do options[name] = value end
      local _, err = send(options, transcript .. refusal)
      assert.equal("auth_required", err.kind)
      assert.truthy(tostring(err):find(err.hint, 1, true))
      return err.hint
   end

   it("says that auth = \"skip\" is set beside credentials", function()
      local text = hint({ username = "ann", password = "sesame-5", auth = "skip" },
         script "<hello STARTTLS, AUTH PLAIN LOGIN>")
      assert.truthy(text:find('auth = "skip"', 1, true), text)
      assert.is_nil(text:find("Give username", 1, true))
   end)

   it("says that the server offers STARTTLS where TLS was skipped", function()
      local text = hint({ username = "ann", password = "sesame-5", auth = "prefer" }, hi)
      assert.truthy(text:find("the server offers STARTTLS", 1, true), text)
      assert.truthy(text:find('set tls = "require"', 1, true), text)
      text = hint({}, hi)
      assert.truthy(text:find("Give username and password", 1, true), text)
      assert.truthy(text:find('set tls = "require"', 1, true), text)
      text = hint({ username = "ann", password = "sesame-5", auth = "skip" }, hi)
      assert.truthy(text:find('auth = "skip"', 1, true) and text:find('set tls = "require"', 1, true), text)
   end)

   it("says where AUTH is to be had if credentials are missing and the server has no AUTH", function()
      for port, remedy in pairs { [25] = "port for submission (587 or 465)", [587] = "Check that host" } do
         local text = hint({ port = port }, script "<hello HELP>")
         assert.truthy(text:find("Give username and password", 1, true), text)
         assert.truthy(text:find(remedy, 1, true), text)
         text = hint({ port = port }, script "<hello AUTH PLAIN>")
         assert.is_nil(text:find(remedy, 1, true), text)
      end
   end)

   it("names domain where EHLO was refused", function()
      local text = hint({ username = login.username, password = login.password, auth = "prefer" },
         [[
            S: 220 hi
            C: EHLO me.example
            S: 501 bad name
            C: HELO me.example
            S: 250 ok
         ]])
      assert.truthy(text:find("set domain", 1, true), text)
   end)

   it("says why AUTH was not possible otherwise", function()
      for reason, capabilities in pairs { ["does not offer it"] = "HELP", ["without any mechanism"] = "AUTH" } do
         local text = hint({ username = "ann", password = "sesame-5", auth = "prefer" },
            script("<hello $capabilities>", { capabilities = capabilities }))
         assert.truthy(text:find(reason, 1, true), text)
         assert.is_nil(text:find("prefer", 1, true), text)
      end
   end)
end)
