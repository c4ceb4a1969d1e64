local command = require "spec.tools.command"
local core = require "smtp.core"
local peer = require "spec.tools.peer"
local socket = require "smtp.socket"
local sockets = require "spec.tools.sockets"

local send = sockets.send

describe("a look-up", function()
   it("to a name that does not exist fails in the look-up", function()
      local started = core.now()
      local _, err = send(25, { host = "nowhere.invalid", tls = "skip", connect_timeout = 3 })
      assert.truthy(err.kind == "resolve" or err.kind == "timeout", tostring(err))
      assert.equal("resolve", err.stage)
      assert.equal(err.reason == "unknown_host" and "never" or "later", err.retry)
      assert.truthy(core.now() - started < 30)
   end)
end)

-- Look-ups of the spec's own: spec/tools/resolver.c.
describe("the answer of the resolver", function()
   local library = "build/spec/resolver.so"

   setup(function()
      command.run "mkdir -p build/spec"
      assert.equal("", command.run(("cc -shared -fPIC -o %s.$$ spec/tools/resolver.c -ldl "
         .. "&& mv %s.$$ %s"):format(library, library, library)))
   end)

   -- What this program prints, and the resolver.
   local function run(text, wrapper)
      local name = os.tmpname()
      command.write(name, [[
         local socket = require "smtp.socket"
         local function connect(name, port, source, ms)
            local sock = socket.new()
            sock:settimeouts(ms or 5000, 1000, 1000)
            local ok, why, text = sock:connect(name, port, source)
            return sock, ok, why, text
         end
         local function count()
            local pipe = io.popen("sleep 0.1; ls -l /proc/$PPID/fd 2>/dev/null | grep -cE 'pipe:|socket:'")
            local n = tonumber(pipe:read("*l"))
            pipe:close()
            return n
         end
      ]] .. text)
      -- Without the sanitizers: the sockets are what counts here.
      local pipe = io.popen(("ulimit -n 64; RESOLVER_LOG=%s.log LD_PRELOAD=\"$LD_PRELOAD %s\" "
         .. "%s %s %s 2>&1"):format(name, library, wrapper or "", peer.interpreter, name))
      local said = pipe:read("*a")
      pipe:close()
      os.remove(name)
      os.remove(name .. ".log")
      return said
   end

   -- A port that nothing listens on, in either family.
   local function closed_port()
      local listener = socket.listen("127.0.0.1", 0)
      local _, port = listener:getsockname()
      listener:close()
      return port
   end

   it("is waited for in an event loop", function()
      local port = closed_port()
      local said = run(([[
         local poll_loop = require "spec.tools.poll_loop"
         local result, loop, turns = poll_loop.call(function(loop)
            return require "smtp.safe".send { host = "300.46.test", port = %d, tls = "skip", loop = loop,
               from = "a@b", to = "c@d", raw = "" }
         end)
         print(result[2].kind, result[2].stage, turns > 20, loop.waits)]]):format(port))
      assert.matches("^connect\tconnect\ttrue\t[1-3]\n$", said)
   end)

   it("is tried by turns of the families, without what is of no use", function()
      local port = closed_port()
      for list, expected in pairs { ["4"] = "1", ["44"] = "1 2", ["46"] = "1 6", ["64"] = "6 1", ["446"] = "1 6 2",
         ["4446"] = "1 6 2 3", ["u46"] = "1 6", ["4u4"] = "1 2", ["66"] = "6 6" } do
         local said = run(([[print((select(4, connect("0.%s.test", %d))))]]):format(list, port))
         local tried = {}
         for label in said:gmatch("([%d.:%[%]]+):" .. port .. ": ") do
            tried[#tried + 1] = label == "[::1]" and "6" or label:match("^127%.0%.0%.(%d+)$")
         end
         assert.equal(expected, table.concat(tried, " "), said)
      end
   end)

   it("without an address that is of use is an error", function()
      assert.equal("resolve\t0.uu.test: no usable address\n", run [[print(select(3, connect("0.uu.test", 25)))]])
   end)

   it("may have more addresses than are tried, and more failures than are reported", function()
      local port = closed_port()
      for _, count in ipairs { 1, 7, 8, 9, 15, 16, 17, 40 } do
         local said = run(([[print((select(4, connect("0.%s.test", %d))))]]):format(("4"):rep(count), port))
         local text, told = said:gsub("\n", ""), 0
         local reason = text:match(": ([^;]+)")
         for part in (text .. "; "):gmatch("(.-); ") do
            told = told + 1
            assert.equal(("127.0.0.%d:%d: %s"):format(told, port, reason), part)
         end
         local room = 0
         for i = 1, count do
            local len = #("127.0.0.%d:%d: %s"):format(i, port, reason) + (i > 1 and 2 or 0)
            if room + len < 400 then room = room + len end
         end
         assert.equal(room, #text, text)
      end
   end)

   it("is connected to where the last one of it listens, among those that are tried", function()
      local listener, port
      repeat
         listener = socket.listen("127.0.0.16", 0)
         port = select(2, listener:getsockname())
      until port
      for count, ok in pairs { [15] = "nil", [16] = "true", [17] = "true" } do
         local said = run(([[
            local sock, ok = connect("0.%s.test", %d)
            print(ok, (sock:getpeername()))
         ]]):format(("4"):rep(count), port))
         assert.truthy(said:find(ok == "true" and "true\t127.0.0.16\n" or "nil\tnil\n", 1, true), said)
      end
      listener:close()
   end)

   it("of IPv6 addresses only is of no use to a machine without IPv6, and the word says so", function()
      local said = run([[
         for _, name in ipairs { "0.g.test", "0.g4.test", "192.0.2.99", "2001:db8::9" } do
            print((select(3, connect(name, 587))))
         end
      ]], command.namespace "n")
      assert.equal("connect:no_ipv6\nconnect:unreachable\nconnect:unreachable\nconnect:unreachable\n", said)
   end)

   it("of one family only is what a source address needs", function()
      local listener = socket.listen("127.0.0.1", 0)
      local _, port = listener:getsockname()
      local said = run(([[
         local sock, ok = connect("0.64.test", %d, "127.0.0.5")
         print(ok, (sock:getpeername()), (sock:getsockname()))
         print(select(3, connect("0.66.test", %d, "127.0.0.5")))
         print(select(3, connect("0.44.test", %d, "::1")))
      ]]):format(port, port, port))
      assert.equal("true\t127.0.0.1\t127.0.0.5\n"
         .. "connect:source_address\t0.66.test has no address of the family of 127.0.0.5\n"
         .. "connect:source_address\t0.44.test has no address of the family of ::1\n", said)
      listener:close()
   end)

   it("may be an error: no such name, or one for later", function()
      for code, word in pairs { e2 = "resolve:unknown_host", e5 = "resolve:unknown_host", e3 = "resolve",
         e4 = "resolve", e11 = "resolve", e10 = "system", e11m = "system" } do
         local said = run(([[print(select(3, connect("0.%s.test", 25)))]]):format(code))
         assert.equal(word, said:match("^(%S+)\t"), said)
         if code ~= "e10" then assert.truthy(said:find(("0.%s.test: "):format(code), 1, true), said) end
      end
   end)

   it("that there is no such name is not believed without free descriptors", function()
      -- The pipe of the look-up takes two.
      for left, word in pairs { [2] = "system", [3] = "system", [4] = "resolve:unknown_host" } do
         local said = run(([[
            local kept = {}
            repeat kept[#kept + 1] = io.open("/dev/null") until not io.open("/dev/null")
            collectgarbage()
            repeat local file = io.open("/dev/null") kept[#kept + 1] = file until not file
            for _ = 1, %d do table.remove(kept):close() end
            print((select(3, connect("0.e2.test", 25))))
         ]]):format(left))
         assert.equal(word .. "\n", said)
      end
   end)

   it("is freed, and leaves no descriptor behind, well or not, in time or not", function()
      local said = run [[
         local function freed()
            local file = io.open(os.getenv "RESOLVER_LOG")
            local text = file and file:read("*a") or ""
            if file then file:close() end
            return select(2, text:gsub("freed", ""))
         end
         local before = count()
         for _, name in ipairs { "0.u", "0.e2", "0.e4", "0.e11m", "300.u", "300.e2" } do
            connect(name .. ".test", 25, nil, 100)
         end
         local till = require("smtp.core").now() + 5
         repeat
            require("smtp.core").sleep(0.05)
            collectgarbage()
         until count() <= before and freed() == 2 or require("smtp.core").now() > till
         print(count() <= before, freed())
      ]]
      assert.equal("true\t2\n", said)
   end)

   it("is waited for until it comes, no longer than the time-out, and no longer than it takes", function()
      local listener = socket.listen("127.0.0.1", 0)
      local _, port = listener:getsockname()
      local said = run(([[
         local core = require "smtp.core"
         local began = core.now()
         print(select(3, connect("2000.4.test", %d, nil, 200)))
         local took = core.now() - began
         print(took >= 0.2 and took < 1.8 or took)
         local sock, agains = socket.new(), 0
         sock:nonblocking(true)
         sock:settimeouts(20000, 1000, 1000)
         began = core.now()
         local ok, why
         repeat
            ok, why = sock:connect("300.4.test", %d)
            if why == "again" then
               agains = agains + 1
               socket.wait({ sock }, 10000)
            end
         until why ~= "again"
         took = core.now() - began
         print(ok, agains >= 1 and agains < 6 or agains, took >= 0.3 and took < 5 or took)
      ]]):format(port, port))
      assert.equal("timeout:resolve\tlooking up 2000.4.test\ntrue\ntrue\ttrue\ttrue\n", said)
      listener:close()
   end)
end)
