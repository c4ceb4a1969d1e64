-- A machine that fails in the middle of the work. In turn each call of libc by this library, by OpenSSL, SQLite and Lua
-- fails, with each errno of its manual page; and each allocation. Then what is no failure: interrupted calls, single
-- bytes, another time of day. scenarios.lua has what is done meanwhile, oracle.lua what may come of it.
-- A share of all cases by default, all with FAILING=1 (FAILING=100: every hundredth).
local certs = require "spec.tools.certs"
local command = require "spec.tools.command"
local peer = require "spec.tools.peer"
local tally = require "spec.tools.tally"

local share = tonumber(os.getenv "FAILING")
local is_sanitized = os.getenv "SMTP_SANITIZED" ~= nil -- then memory is not ours to refuse
local folder = "build/spec/"

local function compile(name, sources, flags)
   local out = folder .. name
   assert.equal("", command.run(("sh -c 'cc -std=c11 -O1 -shared -fPIC -Wall -Wextra %s -o %s.$$ %s -ldl && "
      .. "mv %s.$$ %s'"):format(flags, out, sources, out, out)))
end

local lua = peer.interpreter:match "[^/]*$"
local faults = ("faults-%s%s.so"):format(lua, is_sanitized and "-sanitized" or "")

setup(function()
   certs.make()
   command.run("mkdir -p " .. folder)
   compile(faults, "spec/failing/faults.c spec/failing/wrappers.c",
      ("$(pkg-config --cflags %s)%s"):format(lua, is_sanitized and " -DSANITIZED" or ""))
   compile("resolver.so", "spec/tools/resolver.c", "")
end)

-- Every n-th case of these parts of client.lua, without a problem.
local function try(parts, every, scenarios)
   local said = command.own(("ASAN_OPTIONS=\"$ASAN_OPTIONS:verify_asan_link_order=0\" BESIDE=\"$LD_PRELOAD\" "
      .. "LD_PRELOAD=\"%s%s %sresolver.so $LD_PRELOAD\" PARTS=\"%s\" %s spec/failing/client.lua %s%s %d %s")
      :format(folder, faults, folder, parts, peer.interpreter, folder, faults, share or every, scenarios))
   local cases, struck = said:match "^done: cases (%d+), .* struck (%d+), unsent %d+\n$"
   assert(cases, said)
   tally.add(tonumber(cases))
   return tonumber(cases), tonumber(struck)
end

local SENDS = "plain composed starttls implicit lmtp large many kept connection signed loop probe "

describe("A machine that fails", function()
   it("at any call of the system leaves a receipt or an error, and both are true", function()
      local cases, struck = try("errnos", 401, SENDS .. "spooled resolved outbox")
      assert(cases > 30 and struck > cases / 3)
   end)

   it("and interrupts calls, moves single bytes, or sets its clock, changes nothing", function()
      try("harmless", 37, SENDS .. "resolved outbox")
   end)

   it("and interrupts each of the first calls, changes nothing", function()
      for _ = 1, 3 do try("interrupted", 1, "starttls implicit") end
   end)

   it("without end takes no longer than a send may take", function()
      try("endless", 1, "plain")
   end)

   if not is_sanitized then
      it("ends lua-smtp with a status that is true, and one line", function()
         local said = command.own(("%s spec/failing/commands.lua $PWD/%s%s %d send login sendmail probe")
            :format(peer.interpreter, folder, faults, share or 4999))
         local cases, struck = said:match "^done: cases (%d+), problems 0, sent %d+, struck (%d+), .*\n$"
         assert(cases and tonumber(cases) > 5 and tonumber(struck) > tonumber(cases) / 2, said) -- LuaJIT has few
         tally.add(tonumber(cases))
      end)

      it("to give memory to Lua is an error of this library, and the next message is sent", function()
         try("lua", 599, (SENDS:gsub("loop ", "")))
         try("lua", 1999, "outbox")
      end)

      it("to give memory to C, at the start of a program or later, sends nothing by mistake", function()
         try("start", 2999, "starttls signed outbox")
         try("memory", 1999, "starttls implicit signed kept outbox")
      end)
   end
end)
