local messages = require "smtp.cli.sendmail_message"

local function crlf(text)
   return (text:gsub("\n", "\r\n"))
end

-- The message as it is sent, without the fields that were missing.
local function sent(text, dot_ends)
   return (messages.read(text, dot_ends):text():gsub("\r\n", "\n"))
end

local function addresses(text)
   local list = {}
   for i, one in ipairs(messages.addresses_in(text)) do list[i] = one.address end
   return list
end

local function recipients(text)
   local list = {}
   for i, one in ipairs(messages.read(text, true):recipients()) do list[i] = one.name .. " " .. one.address end
   return list
end

describe("the addresses in a text", function()
   it("are found beside names, comments and groups", function()
      for text, list in pairs {
         ["ann@x.example"] = { "ann@x.example" },
         ["Ann <ann@x.example>, bob@x.example"] = { "ann@x.example", "bob@x.example" },
         ['"Lee, Ann" <ann@x.example>,bob'] = { "ann@x.example", "bob" },
         ["root (Cron Daemon)"] = { "root" },
         ["(a, b) ann@x.example (c <d@e>)"] = { "ann@x.example" },
         ['"ann lee"@x.example'] = { '"ann lee"@x.example' },
         ["friends: ann@x.example, bob@x.example; carol"] = { "ann@x.example", "bob@x.example", "carol" },
         ["undisclosed-recipients:;"] = {},
         ["ann @ x.example"] = { "ann@x.example" },
         ["ann@[IPv6:::1], bob@[192.0.2.1]"] = { "ann@[IPv6:::1]", "bob@[192.0.2.1]" },
         ["<ann>, < bob@x.example >, <>"] = { "ann", "bob@x.example" },
         ["Ann Lee"] = { "Ann Lee" },
         [""] = {}, [" , ,, "] = {}, ["<"] = { "<" }, ['"ann'] = { '"ann' },
      } do
         assert.same(list, addresses(text), text)
      end
   end)
end)

describe("the recipients in a header", function()
   it("are those of To, Cc and Bcc", function()
      assert.same({ "To ann@[IPv6:::1]", "To bob" }, recipients "To: ann@[IPv6:::1], (x) g: bob;\n")
      assert.same({ "To bob", "To carol@x.example", "Bcc dan", "Cc eve" },
         recipients "TO: bob,\n Carol <carol@x.example>\nbcc: dan\nCc : eve\nSubject: To: no\n\nTo: nobody\n")
   end)

   it("are those of the fields with Resent- where there is one", function()
      assert.same({ "Resent-To bob", "Resent-Bcc dan" }, recipients "Resent-To: bob\nTo: ann\nResent-Bcc: dan\n\n")
      assert.same({}, recipients "Resent-To:\nTo: ann\n\n")
      assert.same({ "To ann" }, recipients "Resent-From: bob\nTo: ann\n\n")
   end)
end)

describe("the sender in a header", function()
   it("is that of Sender, or the first of From", function()
      local function sender(text) return messages.read(text, true):sender() end
      assert.equal("root", sender "From: root (Cron Daemon)\n\n")
      assert.equal("a@x.example", sender "From: Ann <a@x.example>, b@x.example\n\n")
      assert.equal("s@x.example", sender "From: a@x.example, b@x.example\nSender: s@x.example\n\n")
      assert.equal("r@x.example", sender "From: a@x.example\nResent-From: r@x.example\n\n")
      assert.is_nil(sender "Subject: x\n\n")
   end)
end)

describe("the author in a header", function()
   it("is the value of From, or of Resent-From where the message is sent once more", function()
      assert.equal(" Ann\t<a@x.example>", messages.read("From: Ann\n\t<a@x.example>\n", true):author())
      assert.is_nil(messages.read("From: ann\nResent-To: bob\n", true):author())
   end)
end)

describe("the message of sendmail", function()
   it("stays as it is, with CRLF at the end of each line", function()
      local text = "Received: by x\n\tof y\nX-Odd : a  b \nSubject: =?utf-8?q?=C3=96?= \195\150 \200\nTo: bob\n\n"
         .. ".\n..x\n\nend"
      for _, line_end in ipairs { "\n", "\r\n", "\r" } do
         assert.equal(crlf(text), messages.read(text:gsub("\n", line_end), false):text())
      end
   end)

   it("ends at a line that is one dot, unless that is switched off", function()
      for text, rest in pairs { ["a: b\n\nc\n.\nd\n"] = "a: b\n\nc\n", ["a: b\n.\nc"] = "a: b\n\n",
         [".\na"] = "\n", ["a: b\n\nc\n."] = "a: b\n\nc\n", ["a: b\n\nc\n..\n.d\n"] = "a: b\n\nc\n..\n.d\n" } do
         assert.equal(rest, sent(text, true), text)
      end
      assert.equal("a: b\n\nc\n.\nd\n", sent("a: b\n\nc\n.\nd\n", false))
   end)

   it("loses lines of mbox files and a byte order mark before its header", function()
      assert.equal("To: bob\n\nFrom x\n", sent "From ann Mon Nov 30\n>From bob Tue\nTo: bob\n\nFrom x\n")
      assert.equal("From : ann\n\nx", sent "From : ann\n\nx")
      assert.equal("To: bob\n\nx", sent "\239\187\191To: bob\n\nx")
   end)

   it("loses Bcc and Return-Path, with all their lines", function()
      assert.equal("To: bob\nSubject: x\n\n",
         sent "To: bob\nBCC: carol,\n dan\nReturn-Path: <x@y>\nSubject: x\nResent-Bcc: e\n")
   end)

   it("has an empty header where its first line is not a field", function()
      assert.equal("\nhello\nTo: bob\n", sent "hello\nTo: bob\n")
      assert.equal("a: b\n\nhello\n", sent "a: b\nhello\n")
      assert.equal("\n hello\n", sent " hello\n")
      assert.equal("\n", sent "")
   end)

   it("gets a domain in the addresses that have none", function()
      local message = messages.read('From: root (Cron Daemon)\nTo: "A, b" <ann>, bob@x.example,\n carol\n'
         .. "Cc: g: dan, e@f;\nSubject: x <ann>\nReply-To:\n\n", true)
      message:complete("box.example")
      assert.equal(crlf('From: root@box.example (Cron Daemon)\nTo: "A, b" <ann@box.example>, bob@x.example,\n'
         .. " carol@box.example\nCc: g: dan@box.example, e@f;\nSubject: x <ann>\nReply-To:\n\n"), message:text())
   end)

   it("gets From, Date and Message-ID where it lacks them", function()
      local message = messages.read("Subject: x\n\nhello", true)
      message:add_missing("Ann <ann@x.example>")
      assert.matches("^Subject: x\r\nFrom: Ann <ann@x%.example>\r\nDate: %a%a%a, %d+ %a%a%a %d%d%d%d [%d:]+ %+0000\r\n"
         .. "Message%-ID: <%x+@x%.example>\r\n\r\nhello$", message:text())
      local whole = "from: a\nDATE: b\nMessage-Id: c\n\nhello"
      message = messages.read(whole, true)
      message:add_missing("ann@x.example")
      assert.equal(crlf(whole), message:text())
   end)

   it("gets the fields with Resent- where it is sent once more", function()
      local message = messages.read("Resent-To: bob\nFrom: a\n\nhello", true)
      message:add_missing("ann@x.example")
      assert.matches("^Resent%-To: bob\r\nFrom: a\r\nResent%-From: ann@x%.example\r\nResent%-Date: [^\n]+\n"
         .. "Resent%-Message%-ID: <[^\n]+\n\r\nhello$", message:text())
   end)

   it("has long lines of its header folded", function()
      local list = ("bob@x.example, "):rep(100) .. "carol@x.example"
      local text = sent("To: " .. list .. "\nSubject: x\n\n")
      for line in text:gmatch("[^\n]+") do assert.truthy(#line <= 78, line) end
      assert.equal("To: " .. list .. "\nSubject: x\n\n", (text:gsub("\n ", " ")))
   end)

   it("has a long field as it is where its lines are short", function()
      local long, short = "X: " .. ("y"):rep(990), " " .. ("z"):rep(990)
      local text = long .. "\n" .. short .. "\n\n"
      assert.equal(text, sent(text))
   end)

   it("is the same when it is read again, however odd it is", function()
      local atoms = { "To: ", "From: ", "Bcc:", "Cc :", "Resent-To: ", "Subject: x", "ann", "@", "x.example", "<", ">",
         '"', "(", ")", ",", ";", ":", "@[", "]", "\\", " ", "\t", "\n", "\r\n", "\r", ".", "\n.\n", "\0", "\200",
         "From x", "Content-Type: multipart/x", "DKIM-Signature: x", ("y"):rep(1200) }
      for _ = 1, 500 do
         local parts = {}
         for i = 1, math.random(30) do parts[i] = atoms[math.random(#atoms)] end
         local text = table.concat(parts)
         local message = messages.read(text, true)
         message:complete("box.example")
         message:add_missing(message:author() or "ann@x.example")
         local whole = message:text()
         assert.equal(whole, messages.read(whole, false):text(), ("%q"):format(text))
         assert.falsy(("\n" .. whole:match("^(.-)\r\n\r\n")):find("\n[Bb][Cc][Cc] *:"), ("%q"):format(text))
      end
   end)

   it("becomes quoted-printable where its text has long lines or NUL", function()
      local long = ("x"):rep(999)
      assert.matches("^MIME%-Version: 1%.0\nContent%-Type: text/plain; charset=utf%-8\n"
         .. "Content%-Transfer%-Encoding: quoted%-printable\n\n" .. ("x"):rep(75) .. "=\n", sent("\n" .. long))
      assert.equal("MIME-Version: 1.0\nContent-Type: text/plain; charset=x\nContent-Transfer-Encoding: "
         .. "quoted-printable\n\na=00=C8\n",
         sent "MIME-Version: 1.0\nContent-Type: text/plain; charset=x\nContent-Transfer-Encoding: 8bit\n\na\0\200\n")
      assert.truthy(sent("\n\200" .. long):find("charset=unknown-8bit", 1, true))
      for _, field in ipairs { "Content-Type: multipart/mixed; boundary=x", "Content-Transfer-Encoding: base64",
         "DKIM-Signature: v=1" } do
         assert.equal(field .. "\n\n" .. long, sent(field .. "\n\n" .. long))
      end
   end)
end)
