-- lua-smtp probe HOST and send --quit-after against servers on the real ports 465, 587 and 25, in a network of its own.
-- It runs once, under one Lua.
local certs = require "spec.tools.certs"
local command = require "spec.tools.command"

local interpreter = require("spec.tools.peer").interpreter
local cert = certs.make()

local SILENT = [[%s -e '
   local listener = require("smtp.socket").listen("127.0.0.1", %d)
   print "listening"
   io.stdout:flush()
   require("smtp.core").sleep(30)']]

-- By the word for a server in the cases below: the flags of the sink.
local login = " --user ann --password-env SECRET"
local function tls(kind, name)
   return ("--tls %s --tls-cert %s --tls-key %s"):format(kind, cert(name or "good"))
end
local kinds = {
   implicit = tls "implicit" .. login, starttls = tls "starttls" .. login, ["no AUTH"] = tls "starttls", clear = "",
   expired = tls("implicit", "expired") .. login, ["other name"] = tls("starttls", "wrong_host") .. login,
}

-- The lines of a shell that start a server, and wait until it listens.
local function server_lines(folder, port, kind)
   local program = kind == "silent" and SILENT:format(interpreter, port)
      or ("%s csrc/lua-smtp sink --host 127.0.0.1 --port %d --trace %s"):format(interpreter, port, kinds[kind])
   local log = ("%s/%d"):format(folder, port)
   return ("SECRET=sesame-cmd %s >%s.out 2>%s.trace & pids=\"$pids $!\"\n"):format(program, log, log)
      .. ("until grep -qs listening %s.out; do sleep 0.02; done\n"):format(log)
end

-- Runs lua-smtp with these arguments beside these servers. -> what it printed, its status, by port what was said there
local function run(servers, arguments)
   local folder = os.tmpname()
   os.remove(folder)
   assert(os.execute("mkdir " .. folder))
   local lines = { "ip link set lo up\n" }
   for port, kind in pairs(servers) do lines[#lines + 1] = server_lines(folder, port, kind) end
   lines[#lines + 1] = ("SECRET=sesame-cmd WRONG=sesame-wrong NO_COLOR=1 timeout 30 %s csrc/lua-smtp %s\n")
      :format(interpreter, arguments)
   lines[#lines + 1] = "echo status $?\nkill $pids 2>/dev/null\nwait\n"
   command.write(folder .. "/script", table.concat(lines))
   local said = command.run(("%s sh %s/script"):format(command.namespace "n", folder))
   local heard = {}
   for port in pairs(servers) do heard[port] = command.read(("%s/%d.trace"):format(folder, port)) end
   os.execute("rm -r " .. folder)
   local text, status = said:match("^(.*)status (%d+)\n")
   return text or said, tonumber(status), heard
end

-- The rows of the ports, without what they offer, and the other lines.
local function rows(text)
   local list = {}
   for port, state in text:gmatch("\n *(%d+)  (%S+ ?%S*)[^\n]*") do
      list[#list + 1] = port .. " " .. state:gsub(" $", "")
   end
   return list, text:match("\nflags +([^\n]*)"), text:match("\nlogin +([^\n]*)")
end

local TRUST = " --tls-ca-file " .. (cert "ca")
local ANN = " --username ann --password-env "

describe("lua-smtp probe HOST", function()
   it("looks at three ports, and logs in on the best one alone", function()
      local text, status, heard = run({ [465] = "implicit", [587] = "starttls", [25] = "no AUTH" },
         "probe localhost" .. TRUST .. ANN .. "SECRET")
      assert.equal(0, status, text)
      local list, flags, logged_in = rows(text)
      assert.same({ "465 TLS", "587 STARTTLS", "25 STARTTLS" }, list)
      assert.equal(("--host localhost --port 465%s%sSECRET"):format(TRUST, ANN), flags)
      assert.equal("ann is logged in by PLAIN with these options", logged_in)
      assert.matches("C: AUTH PLAIN", heard[465])
      for _, port in ipairs { 587, 25 } do
         assert.matches("C: EHLO", heard[port])
         assert.is_nil(heard[port]:find("C: AUTH", 1, true))
      end
   end)

   it("does without 465, and its flags send", function()
      local text, status = run({ [587] = "starttls" }, "probe localhost" .. TRUST .. ANN .. "SECRET")
      assert.equal(0, status, text)
      local list, flags = rows(text)
      assert.same({ "465 closed", "587 STARTTLS", "25 closed" }, list)
      text, status = run({ [587] = "starttls" }, "send --from ann@me.example --to bob@there.example --text x " .. flags)
      assert.equal(0, status, text)
   end)

   it("waits no longer than --timeout for a silent port, and for all at once", function()
      local text, status = run({ [465] = "silent", [587] = "starttls", [25] = "silent" },
         "probe localhost --timeout 1 --json" .. TRUST)
      assert.equal(0, status, text)
      assert.matches('"kind":"timeout","port":465', text, 1, true)
      assert.matches('"kind":"timeout","port":25', text, 1, true)
      assert.matches('"best":587', text, 1, true)
      assert.matches('"options":{"host":"localhost","port":587,"tls":"require"', text, 1, true)
   end)

   it("prefers a port with a certificate that is valid", function()
      local servers = { [465] = "expired", [587] = "other name", [25] = "no AUTH" }
      local text, status = run(servers, "probe 127.0.0.1" .. TRUST)
      assert.equal(0, status, text)
      local list, flags = rows(text)
      assert.same({ "465 unusable", "587 unusable", "25 STARTTLS" }, list)
      assert.equal("--host 127.0.0.1 --tls require" .. TRUST, flags)
      assert.matches("465  unusable .*: it ended on 2021%-01%-01", text)
   end)

   it("says that no port offers AUTH", function()
      local text, status, heard = run({ [25] = "no AUTH" }, "probe localhost" .. TRUST .. ANN .. "SECRET")
      assert.equal(69, status, text)
      assert.matches("does not offer AUTH", text)
      assert.is_nil(heard[25]:find("C: AUTH", 1, true))
   end)

   it("has one login refused, and says so", function()
      local text, status, heard = run({ [465] = "implicit", [587] = "starttls" },
         "probe localhost" .. TRUST .. ANN .. "WRONG")
      assert.equal(77, status, text)
      assert.matches("rejected the user name or password", text)
      assert.is_nil(text:find("logged in", 1, true))
      assert.equal(1, select(2, (heard[465] .. heard[587]):gsub("C: AUTH", "")))
      assert.is_nil(text:find("sesame", 1, true))
   end)

   it("says that nothing listens", function()
      local text, status = run({}, "probe localhost")
      assert.equal(75, status, text)
      assert.same({ "465 closed", "587 closed", "25 closed" }, (rows(text)))
      assert.matches("localhost: no mail can be sent by ports 465, 587, 25", text, 1, true)
   end)

   it("shows which port each line of --trace is of", function()
      local text, status = run({ [465] = "implicit", [25] = "clear" },
         "probe localhost --trace" .. TRUST .. ANN .. "SECRET")
      assert.equal(0, status, text)
      for _, line in ipairs { "465 *: connected to localhost:465", "25 C: EHLO", "login C: AUTH PLAIN [secret]" } do
         assert.matches(line, text, 1, true)
      end
      assert.is_nil(text:find("sesame", 1, true))
   end)
end)

describe("lua-smtp send --quit-after", function()
   it("says what was reached, and sends nothing", function()
      for word, mark in pairs { BANNER = "connected to", EHLO = "AUTH PLAIN LOGIN", AUTH = "authenticated by PLAIN",
         STARTTLS = "certificate verified", RCPT = "bob@there.example: accepted (250 2.1.5 ok)" } do
         local text, status, heard = run({ [587] = "starttls" }, ("send --host localhost --tls require%s%sSECRET%s "
            .. "--pipelining eager --quit-after %s --port 587"):format(TRUST, ANN, command.message, word))
         assert.equal(0, status, text)
         assert.matches(mark, text, 1, true)
         assert.matches("quit after " .. word .. ": no message was sent\n", text, 1, true)
         assert.is_nil(heard[587]:find("C: DATA", 1, true) or heard[587]:find("C: BDAT", 1, true))
         assert.equal(word == "RCPT", heard[587]:find("C: RSET\n.*C: QUIT\n") ~= nil)
      end
   end)

   it("fails where the point is not reached", function()
      local text, status = run({ [25] = "clear" },
         "send --host localhost --port 25 --tls require --quit-after STARTTLS")
      assert.equal(69, status, text)
      assert.matches("STARTTLS", text, 1, true)
   end)
end)
