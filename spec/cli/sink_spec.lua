local command = require "spec.tools.command"
local safe = require "smtp.safe"
local socket = require "smtp.socket"
local terminal = require "spec.tools.terminal"

local sh, start_sink = terminal.sh, terminal.start_sink

local function send(port, more)
   local options = { host = "127.0.0.1", port = port, from = "ann@me.example", to = "bob@there.example",
      subject = "Grüße", text = "hello\n", timeout = 20 }
   for name, value in pairs(more or {}) do options[name] = value end
   return safe.send(options)
end

describe("lua-smtp sink", function()
   local folder
   before_each(function() folder = terminal.prepare() end)
   after_each(function() assert.is_true(terminal.clean_up()) end)

   local function files(path)
      return select(2, sh(("ls -A %s/%s"):format(folder, path)):gsub("[^\n]+", ""))
   end

   it("takes no certificate without TLS, which would be in clear text", function()
      for _, flag in ipairs { "--tls-cert", "--tls-key" } do
         local said, status = command.smtp("sink " .. flag .. " x.pem")
         assert.equal(64, status)
         assert.matches(flag .. " has no effect without --tls. Write --tls starttls or --tls implicit", said, 1, true)
      end
   end)

   it("stores a message, shows it as JSON, and ends", function()
      local flags = ("--json --once --maildir %s/a --eml %s/b --tls starttls 2>&1"):format(folder, folder)
      local pipe = io.popen("timeout 20 env " .. terminal.command("sink " .. flags))
      local place = pipe:read("*l")
      local attachment = { filename = "größe.txt", content = "7\n" }
      assert(send(tonumber(place:match('"port":(%d+)')), { attachments = attachment,
         tls = "require", tls_ca_file = place:match('"tls_ca_file":"([^"]+)') }))
      local shown = pipe:read("*l")
      assert.is_nil(pipe:read("*l"))
      pipe:close()
      for _, part in ipairs { '"headers":{', '"subject":"Grüße"', '"text":"hello\\n"', '"filename":"größe.txt",',
         '"size":2,', '"from":"ann@me.example"', '"tls":true,"tls_cipher":"', '"tls_version":"TLSv1.3"',
         '"to":["bob@there.example"]', ('"paths":["%s/a/new/'):format(folder), ('","%s/b/'):format(folder) } do
         assert.truthy(shown:find(part, 1, true), part)
      end
      assert.is_nil(shown:find('"data":', 1, true))
      assert.is_nil(shown:find('"content":', 1, true))
      assert.same({ 1, 0, 1 }, { files "a/new", files "a/tmp", files "b" })
      sh(("rm -r %s/a %s/b"):format(folder, folder))
   end)

   it("shows the beginning of a large message, and how much it leaves out", function()
      local pipe, port = start_sink("--once")
      local body = (("x"):rep(70) .. "\r\n"):rep(3000)
      assert(safe.send { host = "127.0.0.1", port = port, from = "ann@me.example", to = "bob@there.example",
         raw = "Subject: x\r\n\r\n" .. body, timeout = 20 })
      local shown = pipe:read "*a"
      pipe:close()
      assert.truthy(#shown > 60000 and #shown < 70000, #shown)
      local left = shown:match "x\n%-%-%- (%d+) more bytes are not shown; %-%-maildir or %-%-eml [^\n]*\n$"
      assert.truthy(left and tonumber(left) > #body - 65600 and tonumber(left) < #body - 65000, left)
   end)

   it("refuses a message that it cannot store", function()
      local pipe, port, pid = start_sink(("--maildir %s/a --eml %s/b"):format(folder, folder), "&1")
      sh(("rm -r %s/b"):format(folder))
      local _, err = send(port)
      assert.same({ "data_refused", 452 }, { err.kind, err.code })
      assert.matches("^lua%-smtp: a message was refused: .*/b/.*: No such file or directory$", pipe:read("*l"))
      assert.equal(0, files "a/new")
      sh(("mkdir %s/b"):format(folder))
      assert(send(port))
      assert.matches("^%-%-%- from <ann@me.example> to <bob@there.example>, in clear text: .*/a/new/.*, .*/b/.*%.eml$",
         pipe:read("*l"))
      sh("kill " .. pid)
      pipe:close()
      sh(("rm -r %s/a %s/b"):format(folder, folder))
   end)

   it("answers as --reply says", function()
      local pipe, port, pid = start_sink("--reply 'RCPT:bob@*#1=450 4.2.0 later' --reply END#2=drop "
         .. "--reply QUIT='slow 0.1'")
      local kinds = {}
      for i = 1, 3 do
         local receipt, err = send(port)
         kinds[i] = receipt and "sent" or err.kind
      end
      assert.same({ "recipients_refused", "sent", "disconnected" }, kinds)
      sh("kill " .. pid)
      pipe:close()
   end)

   it("tells a descriptor when it listens, and closes it", function()
      for host, place in pairs { ["127.0.0.1"] = "127.0.0.1:", ["::1"] = "[::1]:" } do
         local line = "sh -c 'echo $$; exec env %s 3>&1 >/dev/null 2>&1' | { timeout 10 cat && echo end; }"
         local pipe = io.popen(line:format(
            terminal.command("sink --tls implicit --ready-fd 3 --host " .. host)))
         local pid, first, second = pipe:read("*l"), pipe:read("*l"), pipe:read("*l")
         assert.equal(place, first:match("^(.*:)%d+$"))
         assert.matches("CERTIFICATE", command.read(second))
         assert.equal("end", pipe:read("*l"))
         assert.equal(0, select(2, sh("kill " .. pid)))
         pipe:close()
      end
   end)

   it("says what is wrong with its flags", function()
      for flags, expected in pairs {
         ["--ready-fd 9 9>&-"] = "--ready-fd 9 cannot be used: Bad file descriptor. Write --ready-fd 3 3>FILE",
         ["--ready-fd 3 3</dev/null"] = "--ready-fd 3 cannot be used: it is not for writing",
         ["--ready-fd 1"] = "--ready-fd 1 is not a descriptor from 3 on", ["--ready-fd x"] = "--ready-fd x is not",
         ["--maildir /dev/null/x"] = "--maildir /dev/null/x cannot be used: /dev/null/x: Not a directory",
         ["--eml ''"] = "--eml  cannot be used: ", ["--once=2"] = "--once needs yes or no",
         ["--reply RCTP=450"] = "Did you mean RCPT?", ["--count 0"] = "--count needs" } do
         local text, status = sh("timeout 10 env " .. terminal.command("sink " .. flags))
         assert.equal(64, status, text)
         assert.truthy(text:find(expected, 1, true), text)
      end
   end)
end)

-- The sink waits a minute for each of them, the others 20 seconds for the sink.
describe("lua-smtp sink, with slow clients,", function()
   local folder, pipe, port, pid, trust
   local slow = {}
   before_each(function() folder = terminal.prepare() end)
   after_each(function()
      for i = 1, #slow do slow[i]:close() end
      slow = {}
      sh("kill " .. pid)
      pipe:close()
      sh(("rm -rf %s/a"):format(folder))
      assert.is_true(terminal.clean_up())
   end)

   local function start(flags)
      pipe, port, pid = start_sink(flags .. (" --maildir %s/a"):format(folder))
      trust = flags:find "tls" and pipe:read("*l"):match("^trust (.*)$")
   end

   local function open(text, send_ms)
      local sock = socket.new()
      sock:settimeouts(5000, send_ms or 20000, 20000)
      assert(sock:connect("127.0.0.1", tonumber(port)))
      sock:send(text or "")
      slow[#slow + 1] = sock
      return sock
   end

   -- A socket is read before it takes more, where something is there to be read.
   local function say(sock, text)
      while text ~= "" do
         local count = assert(sock:send(text))
         text = text:sub(count + 1)
         if text ~= "" then assert(sock:receiveany(4096)) end
      end
   end

   local envelope = "EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n"

   it("serves the others: those that are silent, or stop in the middle", function()
      start "--user ann --password-env SECRET"
      local options = { username = "ann", password = "sesame-cmd" }
      for _ = 1, 40 do open() end
      for _, text in ipairs { "E", "EHLO x\r\nAUTH PLAIN\r\n", "EHLO x\r\nMAIL FROM:<>\r\n" } do open(text) end
      assert(send(port, options))
      assert(send(port, options))
   end)

   it("serves the others: those that stop in a handshake", function()
      for _, tls in ipairs { "implicit", "starttls" } do
         start("--tls " .. tls)
         for _, text in ipairs { "", "\22\3\1\2\0\1\0\1\252\3\3", "EHLO x\r\nSTARTTLS\r\n" } do open(text) end
         assert(send(port, { tls = tls == "implicit" and tls or "require", tls_ca_file = trust }))
         if tls == "implicit" then
            sh("kill " .. pid)
            pipe:close()
         end
      end
   end)

   it("serves the others: those that do not read, or send a large message by and by", function()
      start "--once=no"
      local noops = ("NOOP\r\n"):rep(10000)
      local deaf = open("", 300)
      for _ = 1, 20 do deaf:send(noops) end
      local data, chunks = open(envelope .. "DATA\r\n"), open(envelope .. "BDAT 30000000 LAST\r\n")
      local piece = (("x"):rep(98) .. "\r\n"):rep(10000)
      for _ = 1, 12 do
         for _, sock in ipairs { data, chunks } do say(sock, piece) end
         assert(send(port))
      end
      say(data, "\r\n.\r\n")
      for _ = 1, 18 do say(chunks, piece) end
      for _, sock in ipairs { data, chunks } do
         local heard = ""
         while not heard:find("queued", 1, true) do heard = heard .. assert(sock:receiveany(4096)) end
      end
      assert.equal("14\n", (sh(("ls %s/a/new | wc -l; ls -A %s/a/tmp"):format(folder, folder))))
   end)
end)
