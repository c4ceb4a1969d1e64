-- Sends mail to two sinks, with auth = "require", "prefer" and "skip", and kills a program that
-- sends from an outbox. `make demo` runs this. It ends with status 0 only if each result is the
-- expected one.

local smtp = require "smtp"

local interpreter = arg[-1] or "lua"
local failures = 0

local function expect(what, holds)
   print((holds and "  ok      " or "  FAILED  ") .. what)
   if not holds then failures = failures + 1 end
end

-- A sink in a process of its own, for one connection after another.
local function start_sink(flags, connections)
   local log = os.tmpname()
   local pipe = assert(io.popen(("DEMO_PASSWORD=secret exec %s csrc/lua-smtp sink --count %d %s "
      .. "2>%s"):format(interpreter, connections, flags, log), "r"))
   local port = pipe:read("*l"):match(":(%d+)$")
   local ca_file = flags:find("--tls", 1, true) and pipe:read("*l"):match("^trust (.*)$") or nil
   return { pipe = pipe, port = tonumber(port), ca_file = ca_file, log = log }
end

-- The messages that arrived, after all connections have ended.
local function arrived(sink)
   local text = sink.pipe:read("*a")
   sink.pipe:close()
   os.remove(sink.log)
   local _, count = text:gsub("\n?%-%-%- from <", "")
   return text, count
end

local function show(value, indent)
   for name, inner in pairs(value) do
      if type(inner) ~= "table" then
         print(("%s%s = %s"):format(indent, tostring(name), tostring(inner)))
      elseif next(inner) ~= nil then
         print(indent .. tostring(name) .. ":")
         show(inner, indent .. "   ")
      end
   end
end

local function send(title, sink, auth)
   print(("\n== %s, auth = %q\n"):format(title, auth))
   local ok, result = pcall(smtp.send, {
      host = "localhost", port = sink.port, tls = sink.ca_file and "require" or "skip",
      tls_ca_file = sink.ca_file, auth = auth, username = "ann", password = "secret",
      from = "Ann Ö <ann@example.org>", to = "bob@example.net", subject = "auth = " .. auth,
      text = "Hello Bob,\n.this line begins with a dot,\nand this one is über 7 bits.\n",
      trace = function(direction, line) print("   " .. direction .. ": " .. line) end,
      timeout = 20,
   })
   if ok then
      print("\n   the receipt:")
      show({ accepted = result.accepted, auth = result.auth, tls = result.tls,
         reply = result.reply }, "      ")
   else
      print("\n   " .. tostring(result))
   end
   print()
   return ok, result
end

local secure = start_sink("--tls starttls --user ann --password-env DEMO_PASSWORD", 3)
for _, auth in ipairs { "require", "prefer" } do
   local ok, receipt = send("A server with AUTH after STARTTLS", secure, auth)
   expect("the message was accepted", ok and receipt.accepted[1] == "bob@example.net")
   expect("after authentication", ok and receipt.auth.state == "authenticated")
   expect("over TLS with a certificate that was checked", ok and receipt.tls.verified == true)
end
local ok, err = send("A server with AUTH after STARTTLS", secure, "skip")
expect("the server requires authentication, and the error says so", not ok and smtp.is_error(err,
   smtp.AuthRequiredError))
local text, count = arrived(secure)
print("\n== What arrived there\n\n" .. text)
expect("two messages, both authenticated and over TLS", count == 2
   and select(2, text:gsub("authenticated as ann, over TLS", "")) == 2)

local plain = start_sink("", 3)
ok, err = send("A server without AUTH", plain, "require")
expect("an AuthUnsupportedError, a class of its own", not ok
   and smtp.is_error(err, smtp.AuthUnsupportedError) and err.reason == "not_advertised")
expect("nothing was sent", not ok and err.sent == "no")
local receipt
ok, receipt = send("A server without AUTH", plain, "prefer")
expect("sent without authentication, and the receipt says so",
   ok and receipt.auth.state == "unavailable")
ok, receipt = send("A server without AUTH", plain, "skip")
expect('sent without authentication, as auth = "skip" asks', ok and receipt.auth.state == "skipped")
text, count = arrived(plain)
print("\n== What arrived there\n\n" .. text)
expect('two messages: the one with auth = "require" is not among them', count == 2
   and not text:find("Subject: auth = require", 1, true))
expect("lines that begin with a dot arrived",
   select(2, text:gsub("\n=2Ethis line begins with a dot,\n", "")) == 2)

-- ---- the outbox: put, kill, run ----

print("\n== The outbox: the program that sends a message is killed, and another sends it\n")
local store = os.tmpname()
local outbox = smtp.outbox { store = store, name = "demo", server = { host = "localhost" } }
local id = outbox:put { from = "ann@example.org", to = "bob@example.net", text = "Hi" }
expect("the message is on the disk", outbox:get(id).state == "queued")

local function runner(port, flags)
   return ("%s csrc/lua-smtp outbox run --store %s --name demo --host localhost --port %d "
      .. "--lease 1 %s"):format(interpreter, store, port, flags)
end

local silent = start_sink("--reply RCPT=silence", 1)
local command = runner(silent.port, ">" .. silent.log .. " 2>&1 & echo $!")
local pid = io.popen(command):read("*l")
for _ = 1, 100 do
   if outbox:get(id).state == "claimed" then break end
   os.execute("sleep 0.1")
end
os.execute("kill -9 " .. pid)
expect("it was about to be sent when the program was killed", outbox:get(id).state == "claimed")

local relay = start_sink("", 1)
os.execute(runner(relay.port, "--until-empty"))
text, count = arrived(relay)
print("\n== What arrived there\n\n" .. text)
expect("the message arrived, once", count == 1 and outbox:get(id).state == "sent")
arrived(silent)
for _, ending in ipairs { "", "-wal", "-shm" } do os.remove(store .. ending) end

print(failures == 0 and "\nAll results are as expected."
   or ("\n%d results are not as expected."):format(failures))
os.exit(failures == 0 and 0 or 1)
