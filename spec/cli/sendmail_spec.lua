-- lua-smtp sendmail, run as programs run it: in a process of its own, the message on standard input.
local command = require "spec.tools.command"
local interpreter = require("spec.tools.peer").interpreter
local keeper = require "spec.tools.keeper"

local HEADER = "From: Ann <ann@me.example>\nTo: bob@there.example\nDate: x\nMessage-ID: <1@x>\nSubject: Hi\n"

describe("lua-smtp sendmail", function()
   local sink, link

   setup(function()
      sink = keeper.start [[faults = { rcpt = function(line)
         if line:find("nobody", 1, true) then return "550 5.1.1 unknown" end
         if line:find("later", 1, true) then return "450 4.2.0 later" end
      end }]]
      link = os.tmpname()
      os.remove(link)
      os.execute(("mkdir %s && ln -s $PWD/csrc/lua-smtp %s/sendmail && cd %s && ln -s sendmail mailq && "
         .. "ln -s sendmail newaliases"):format(link, link, link))
   end)

   teardown(function()
      sink.stop()
      os.execute("rm -r " .. link)
   end)

   local server
   before_each(function()
      server = ("--host localhost --port %d --tls skip --domain box.example "):format(sink.port)
   end)

   -- Runs a program with this text as its standard input. -> what it printed, its status
   local function run(program, arguments, text)
      local name = os.tmpname()
      command.write(name, text or "")
      local pipe = io.popen(("LOGNAME=ann %s %s %s <%s 2>&1; echo status $?")
         :format(interpreter, program, arguments, name))
      local said = pipe:read("*a")
      pipe:close()
      os.remove(name)
      return said:match("^(.-)status %d+\n$"), tonumber(said:match("status (%d+)\n$"))
   end

   local function sendmail(arguments, text)
      return run("csrc/lua-smtp", "sendmail " .. server .. arguments, text)
   end

   -- It prints nothing. -> the message that arrived
   local function send(arguments, text)
      assert.same({ "", 0 }, { sendmail(arguments, text) })
      return sink.next()
   end

   local function fails(status, arguments, text, ...)
      local said, found = sendmail(arguments, text)
      assert.equal(status, found, said)
      for _, part in ipairs { ... } do assert.truthy(said:find(part, 1, true), said) end
   end

   it("sends the message as it is to the recipients of its arguments, and prints nothing", function()
      assert.same({ from = "ann@me.example", to = "bob@there.example carol@x.example",
         data = (HEADER:gsub("\n", "\r\n")) .. "\r\n.a\r\n\200\r\n" },
         send("-i bob@there.example carol@x.example", HEADER .. "\n.a\n\200"))
   end)

   it("is not sent where standard input is closed", function()
      local said = command.own(("sh -c '%s csrc/lua-smtp sendmail %s bob@there.example <&-; echo status $?' 2>&1")
         :format(interpreter, server))
      assert.matches("cannot read the message from standard input: Bad file descriptor", said, 1, true)
      assert.matches("status 66\n$", said)
   end)

   it("sends to those of the header with -t, and to those of the arguments as well", function()
      local arrived = send("-t eve", HEADER .. "Bcc: dan@x.example\n\nhello\n.\nno more\n")
      assert.equal("box.example", arrived.to:match("eve@(%S+)"))
      assert.equal("eve@box.example bob@there.example dan@x.example", arrived.to)
      assert.equal((HEADER .. "\nhello\n"):gsub("\n", "\r\n"), arrived.data)
   end)

   it("takes several addresses in one argument", function()
      assert.equal("bob@there.example root@box.example", send("bob@there.example,root", HEADER).to)
      assert.equal("bob@x.example", send("'Bob (b) <bob@x.example>'", HEADER).to)
   end)

   it("takes the sender from -f, from the header, or from the user", function()
      assert.equal("cron@box.example", send("-fcron bob", HEADER).from)
      assert.equal("", send("-f '<>' bob", HEADER).from)
      assert.equal("", send("-f '' bob", HEADER).from)
      assert.equal("root@box.example", send("bob", "From: root (Cron Daemon)\n\n").from)
      assert.equal("ann@box.example", send("bob", "Subject: x\n\n").from)
   end)

   it("takes server, domain and sender from the account, which the sender may choose", function()
      local config = link .. "/accounts.lua"
      command.write(config, ([[return { default = "home", accounts = {
         home = { host = "localhost", port = %d, domain = "home.example", from = "Me <me@home.example>" },
         work = { host = "localhost", port = %d, domain = "work.example", from = "ann@work.example" } } }]])
         :format(sink.port, sink.port))
      server = "--config " .. config .. " "
      local function envelope(arguments, text)
         local arrived = send(arguments, text)
         return arrived.from .. " " .. arrived.to
      end
      assert.equal("me@home.example bob@home.example", envelope("bob", "From: root (Cron Daemon)\n\n"))
      assert.equal("ann@work.example bob@work.example", envelope("bob", "From: Ann <ann@work.example>\n\n"))
      assert.equal("ann@work.example bob@work.example", envelope("-f ann@work.example bob", HEADER))
      assert.equal("eve@x.example bob@home.example", envelope("-f eve@x.example bob", HEADER))
      server = server .. "--account work "
      assert.equal("ann@work.example bob@work.example", envelope("bob", "Subject: x\n\n"))
      os.remove(config)
   end)

   it("adds what the header lacks", function()
      assert.matches("^Subject: x\r\nFrom: CronDaemon <ann@box%.example>\r\nDate: [^\r]+\r\n"
         .. "Message%-ID: <[^\r]+>\r\n\r\n$", send("-FCronDaemon bob", "Subject: x\n\n").data)
      assert.matches("From: MAILER%-DAEMON@box%.example\r\n", send("-f '<>' bob", "Subject: x\n\n").data)
      assert.matches("From: =%?UTF%-8%?Q%?Ann_=C3=96%?= <ann@x%.example>\r\n",
         send("-F 'Ann Ö' -f ann@x.example bob").data)
      assert.equal((HEADER .. "\n"):gsub("\n", "\r\n"), send("-F '\200' bob", HEADER).data)
   end)

   it("ends with the status that the callers of sendmail know", function()
      fails(67, "nobody@x.example bob@x.example", HEADER, "(550 5.1.1): unknown [nobody@x.example]")
      fails(75, "later@x.example", HEADER, "later@x.example")
      fails(64, "-bs", "", "-bs speaks SMTP")
      fails(64, "", HEADER, "no recipient is given")
      fails(64, "-t", "Subject: x\n\n", "To, Cc or Bcc")
      fails(64, "-t", "To: Bob Smith\n\n", "To = \"Bob Smith\" is not a valid address")
      fails(64, "bob@x.example -f ann", HEADER, "after an address")
      server = "--host localhost --port 1 "
      fails(75, "bob@x.example", HEADER)
   end)

   it("sends to some of the recipients where --recipients any allows it, and says to which it did not", function()
      local said, status = sendmail("--recipients any nobody@x.example bob@x.example", HEADER)
      assert.same({ "bob@x.example", 67 }, { sink.next().to, status })
      assert.equal("lua-smtp: nobody@x.example: refused (unknown)\n", said)
   end)

   it("asks for reports of the delivery with -N, -R and -V, and shows the dialogue with -v", function()
      local said, status = sendmail("-v -N failure,delay -R hdrs -V id-7 bob@x.example", HEADER)
      assert.equal(0, status, said)
      assert.truthy(said:find("RET=HDRS ENVID=id-7", 1, true), said)
      assert.truthy(said:find("NOTIFY=FAILURE,DELAY", 1, true), said)
      sink.next()
   end)

   it("sends without these reports where the server does not offer them", function()
      local old = keeper.start [[capabilities = { "8BITMIME" }]]
      server = ("--host localhost --port %d --tls skip "):format(old.port)
      local said = { sendmail("-N never ann@x.example", HEADER) }
      local arrived = said[2] == 0 and old.next()
      old.stop()
      assert.same({ "", 0 }, said)
      assert.equal("ann@x.example", arrived.to)
   end)

   it("is sendmail where a link has that name", function()
      local said, status = run(link .. "/sendmail", server .. "-oem -oi -- bob@there.example", HEADER)
      assert.same({ "", 0 }, { said, status })
      assert.equal("bob@there.example", sink.next().to)
      for name, text in pairs { mailq = "-bp lists the queue", newaliases = "-bi rebuilds the table of aliases" } do
         said, status = run(link .. "/" .. name, "")
         assert.equal(64, status)
         assert.truthy(said:find(text, 1, true), said)
      end
   end)
end)
