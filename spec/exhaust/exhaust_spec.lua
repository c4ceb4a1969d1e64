-- What is too much for Lua: spec/exhaust holds programs that try everything there is.

local command = require "spec.tools.command"
-- EXHAUST=11 takes the longest messages that end within minutes. The program is the same under every
-- Lua: one of them takes it further than the others.
local sanitized = os.getenv("SMTP_SANITIZED")
local length = tonumber(os.getenv("EXHAUST")) or not sanitized and _VERSION == "Lua 5.4" and 9 or 7

-- Links it with the objects of the core that is being tested.
local function build(name)
   local folder = assert(package.cpath:match("(build/[^/]+)/%?%.so"), "a core from build/")
   local out = folder .. "/" .. name
   local flags = sanitized and "-O1 -g -fsanitize=address,undefined" or "-O2"
   local said = command.run(("cc -std=c11 -D_GNU_SOURCE %s -Icsrc -o %s spec/exhaust/%s.c "):format(flags, out, name)
      .. ("%s/obj/engine/*.o %s/obj/engine/auth/*.o %s/obj/text/*.o"):format(folder, folder, folder))
   assert.equal("", said)
   return out
end

describe("every message of up to " .. length .. " CR, LF, dots and letters", function()
   it("however cut is sent as RFC 5321 says, with one end", function()
      local messages, ways = 0, 0
      for n = 0, length do
         messages = messages + 4 ^ n
         ways = ways + 4 ^ n * (n + 3)
      end
      assert.equal(("%.0f messages, %.0f ways\n"):format(messages, ways), command.run(build("dots") .. " " .. length))
   end)
end)

describe("a secret", function()
   it("is wiped from a session's memory once it was said, or the session broke", function()
      assert.equal("5 ways\n", command.run(build "secrets"))
   end)
end)
