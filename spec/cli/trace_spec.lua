local core = require "smtp.core"
local talk = require "spec.tools.talk"
local trace = require "smtp.cli.trace"
local safe = require "smtp.safe"

-- Shows these events. -> the lines
local function shown(events, options)
   local lines = {}
   local t = { write = function(text) lines[#lines + 1] = text end }
   for name, value in pairs(options or {}) do t[name] = value end
   local observe = trace.new(t)
   for _, event in ipairs(events) do
      event.connection = event.connection or 1
      observe(event)
   end
   return table.concat(lines)
end

local function sent(seconds, text) return { name = "sent", seconds = seconds, text = text } end
local function heard(seconds, text) return { name = "heard", seconds = seconds, text = text } end
local function bytes(seconds, count) return { name = "message", seconds = seconds, bytes = count } end

local function connected(seconds, more)
   local event = { name = "connected", seconds = seconds, host = "mx.example", port = 25, address = "192.0.2.1" }
   for name, value in pairs(more or {}) do event[name] = value end
   return event
end

-- The second time of each line, and what follows it.
local function took(text)
   local rows = {}
   for line in text:gmatch("[^\n]+") do
      local at, rest = line:match("^ *%d+%.%d%d%d  (.........) +(.*)$")
      rows[#rows + 1] = assert(at, line):gsub(" ", "") .. " " .. rest
   end
   return rows
end

describe("a trace", function()
   it("shows when, how long a reply took, which side, and what", function()
      assert.same({
         " *: connected to mx.example:25 (192.0.2.1)",
         "+0.020 S: 220 hi",
         " C: EHLO me.example",
         " S: 250-mx.example",
         "+0.041 S: 250 SIZE",
      }, took(shown {
         connected(5.010), heard(5.030, "220 hi"), sent(5.031, "EHLO me.example"), heard(5.071, "250-mx.example"),
         heard(5.072, "250 SIZE"),
      }))
   end)

   it("has the times in columns", function()
      local text = shown { connected(2), heard(2.5, "220 hi") }
      assert.matches("\n   %d%.%d%d%d    %+0%.500  S: 220 hi\n$", text)
   end)

   it("counts the time of each reply from its own command", function()
      assert.same({ " C: MAIL", " C: RCPT", " C: DATA", "+0.100 S: 250 ok", "+0.300 S: 250 ok", "+0.500 S: 354 go" },
         took(shown {
            sent(1, "MAIL"), sent(1, "RCPT"), sent(1, "DATA"), heard(1.1, "250 ok"), heard(1.3, "250 ok"),
            heard(1.5, "354 go"),
         }))
   end)

   it("counts the time of a chunk's reply from its last byte", function()
      assert.same({ " C: BDAT 7 LAST", " C: (7 bytes of the message)", "+0.500 S: 250 ok" },
         took(shown { sent(1, "BDAT 7 LAST"), bytes(2, 3), bytes(3, 4), heard(3.5, "250 ok") }))
   end)

   it("counts the times of several replies of LMTP from the end of the message", function()
      assert.same({ " C: (9 bytes of the message)", " C: .", "+1.000 S: 250 ok", "+2.000 S: 450 later" },
         took(shown { bytes(1, 9), sent(2, "."), heard(3, "250 ok"), heard(4, "450 later") }))
   end)

   it("shows what became of TLS, and how long it took", function()
      local tls = { name = "tls", seconds = 1.25, version = "TLSv1.3", cipher = "X", verified = true }
      assert.same({ " C: STARTTLS", "+0.100 S: 220 go", "+0.150 *: TLSv1.3, X, certificate verified" },
         took(shown { sent(1, "STARTTLS"), heard(1.1, "220 go"), tls }))
      assert.matches("certificate not verified", shown { { name = "tls", seconds = 1 } })
   end)

   it("counts the greeting inside TLS from the end of the handshake", function()
      assert.same({ " *: connected to mx.example:25 (192.0.2.1)", "+0.500 *: TLSv1.2, X, certificate not verified",
         "+0.250 S: 220 hi" },
         took(shown { connected(1), { name = "tls", seconds = 1.5, version = "TLSv1.2", cipher = "X" },
            heard(1.75, "220 hi") }))
   end)

   it("shows how the connection ended", function()
      assert.matches("%*: closed\n$", shown { { name = "done", seconds = 1 } })
      assert.matches("%*: closed: tls flood\n$", shown { { name = "done", seconds = 1, kind = "protocol",
         reason = "tls_flood" } })
      assert.matches("%*: closed\n$", shown { { name = "done", seconds = 1, kind = "auth_rejected", reason = "x" } })
   end)

   it("writes the place as the user does", function()
      assert.matches("connected to %[::1%]:25\n", shown { connected(1, { host = "::1", address = "::1" }) })
      assert.matches("connected to %[::1%]:25 through the proxy proxy.example:1080\n", shown { connected(1,
         { host = "::1", address = false, proxy = "proxy.example:1080" }) })
      assert.matches("connected to /run/lmtp\n", shown { { name = "connected", seconds = 1, socket = "/run/lmtp" } })
   end)

   it("goes on counting on a further connection", function()
      local first = connected(0)
      local second = connected(0, { connection = 2 })
      local text = shown { first, second }
      local a, b = text:match("^ *(%S+).*\n *(%S+)")
      assert.is_true(tonumber(a) <= tonumber(b))
   end)

   it("shows long lines whole", function()
      local long = ("x"):rep(3000)
      assert.matches(long .. "\n$", shown { heard(1, "250 " .. long) })
   end)

   it("shows no byte that a terminal obeys", function()
      assert.is_nil(shown({ heard(1, "250 \27[2J\155") }):find("[\27\155]"))
   end)

   it("has colours where they are asked for", function()
      local text = shown({ sent(1, "EHLO"), heard(2, "250 ok"), heard(3, "450 no"), heard(3, "550 no"),
         { name = "done", seconds = 4 } }, { color = true })
      local codes = {}
      for code in text:gmatch("\27%[(%d%d)m") do codes[#codes + 1] = code end
      assert.same({ "36", "32", "33", "31", "35" }, codes)
      assert.is_nil(shown({ sent(1, "EHLO") }):find("\27", 1, true))
   end)

   it("can name the connection", function()
      assert.matches("  587 C: EHLO\n$", shown({ sent(1, "EHLO") }, { label = "587" }))
   end)

   it("passes each event on", function()
      local seen = {}
      local observe = trace.new { write = function() end, observe = function(event) seen[#seen + 1] = event.name end }
      observe { name = "stage", seconds = 0, connection = 1 }
      observe { name = "sent", text = "EHLO", seconds = 0, connection = 1 }
      assert.same({ "stage", "sent" }, seen)
   end)

   it("counts from the beginning that several connections have in common", function()
      local lines = shown({ sent(0, "EHLO me.example"), sent(0.5, "QUIT") }, { began = core.now() - 20 })
      local first, second = lines:match("^ +(%d+)[^\n]+\n +(%d+)")
      assert.equal("20", first)
      assert.equal("20", second)
   end)

   it("is written to standard error otherwise", function()
      local real, written = io.stderr, nil
      io.stderr = { write = function(_, text) written = text end } -- luacheck: ignore
      local ok, why = pcall(trace.new(), { name = "sent", text = "QUIT", seconds = 1, connection = 1 })
      io.stderr = real -- luacheck: ignore
      assert(ok, why)
      assert.matches("C: QUIT\n$", written)
   end)

   it("observes a conversation without its secrets", function()
      local lines = {}
      local observe = trace.new { write = function(text) lines[#lines + 1] = text end }
      local peer = talk.peer(talk.script [[
         <hello AUTH PLAIN>
         C: AUTH PLAIN AGFubgBzZXNhbWU=
         S: 235 ok, sesame
         <accepted>
      ]])
      assert(safe.send(talk.options({ username = "ann", password = "sesame", auth_plaintext = true, observe = observe },
         peer)))
      local all = table.concat(lines)
      assert.is_nil(all:find("sesame", 1, true))
      assert.matches("C: AUTH PLAIN %[secret%]\n.-S: 235 ok, %[secret%]\n", all)
      assert.matches("C: DATA\n.-S: 354 go on\n.-C: %(%d+ bytes of the message%)\n.-C: %.\n.-S: 250 ok\n", all)
   end)
end)

describe("the lines of a sink", function()
   -- Shows these lines: the number of the connection, the side, the text. -> the lines
   local function of_sink(lines)
      local shown_lines = {}
      local fn = trace.lines { write = function(text) shown_lines[#shown_lines + 1] = text end }
      for _, line in ipairs(lines) do
         local connection, side, text = line:match("^(%d)(%a)(.*)$")
         fn(side, text, tonumber(connection))
      end
      return took(table.concat(shown_lines))
   end

   -- "+1 S" where the line has the time of a reply.
   local function marks(rows)
      local list = {}
      for i, row in ipairs(rows) do list[i] = row:match("^(%+?)") .. row:match(" (%d %a): ") end
      return list
   end

   it("are shown like those of a client", function()
      local rows = of_sink { "1S220 hi", "1CEHLO me", "1S250 ok", "1CBDAT 5 LAST", "1C(5 bytes of the message)",
         "1S250 ok", "1CQUIT", "1S221 bye" }
      assert.same({ "+1 S", "1 C", "+1 S", "1 C", "1 C", "+1 S", "1 C", "+1 S" }, marks(rows))
   end)

   it("of several connections have the number of theirs", function()
      local rows = of_sink { "1CEHLO a", "2CEHLO b", "2S250-x", "1S250 ok", "2S250 ok" }
      assert.same({ "1 C", "2 C", "2 S", "+1 S", "+2 S" }, marks(rows))
   end)
end)
