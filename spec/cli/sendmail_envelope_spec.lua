local core = require "smtp.core"
local envelope = require "smtp.cli.sendmail_envelope"
local errors = require "smtp.errors"
local messages = require "smtp.cli.sendmail_message"
local resources = require "smtp.ground.resources"

local function read(text)
   return messages.read(text, true)
end

-- What fn(…) returns on a machine with this name, and with this line in /etc/mailname.
local function at(hostname, mailname, fn, ...)
   local own_name, own_read = core.hostname, resources.read_file
   core.hostname = function() return hostname end
   resources.read_file = function(path) return path == "/etc/mailname" and mailname or nil end
   local result, err = errors.returning(fn)(...)
   core.hostname, resources.read_file = own_name, own_read
   return result, err
end

describe("the domain of a machine's mailboxes", function()
   it("is that of the account, of /etc/mailname, or of the machine's full name", function()
      assert.equal("a.example", at("b.example", "c.example", envelope.domain, { domain = "a.example" }))
      assert.equal("c.example", at("b.example", "c.example ", envelope.domain, {}))
      assert.equal("c.example", at("b.example", "c.example", envelope.domain, { domain = "[192.0.2.1]" }))
      assert.equal("b.example", at("b.example", nil, envelope.domain, {}))
   end)

   it("is not known where these mean nothing to other machines", function()
      for _, name in ipairs { "box", "localhost", "box.localdomain", "b_x.example.", "" } do
         assert.is_nil(at(name, nil, envelope.domain, {}), name)
         assert.is_nil(at("box", name, envelope.domain, {}), name)
      end
   end)
end)

describe("the recipients of sendmail", function()
   local function recipients(plan, text, options)
      return at("box", nil, envelope.recipients, plan, read(text), options or { domain = "box.example" })
   end

   it("are those of the arguments, and then those of the header with -t", function()
      local header = "To: Ann <ann@x.example>\nBcc: dan\n\n"
      assert.same({ "bob@box.example", "root@box.example" }, recipients({ recipients = { "bob,root" } }, header))
      assert.same({ "bob@box.example", "ann@x.example", "dan@box.example" },
         recipients({ recipients = { "bob" }, from_header = true }, header))
   end)

   it("are refused where their domain is not known", function()
      local _, err = recipients({ recipients = { "root" } }, "", {})
      assert.truthy(errors.is(err, "usage"))
      assert.truthy(err.what:find("root is the name of a mailbox without its domain", 1, true))
      for _, part in ipairs { "--domain", "/etc/mailname" } do assert.truthy(err.hint:find(part, 1, true)) end
   end)

   it("are refused where they are not addresses, or there are none", function()
      assert.truthy(errors.is(select(2, recipients({ recipients = { "a b@x.example" } }, "")), "address"))
      assert.equal("-t", select(2, recipients({ recipients = {}, from_header = true }, "To: g:;\n")).option)
      assert.equal("TO", select(2, recipients({ recipients = { "" } }, "To: ann@x.example\n")).option)
   end)
end)

describe("the sender of sendmail", function()
   local function sender(plan, text, options)
      options.domain = "box.example"
      return at("box", nil, envelope.sender, plan, read(text), options)
   end

   it("is that of -f, of the header, or of the account", function()
      local header, account = "From: Ann <ann@x.example>\n", { from = "Me <me@x.example>" }
      assert.equal("bob@x.example", sender({ sender = "Bob <bob@x.example>" }, header, account))
      assert.equal("bob@box.example", sender({ sender = "bob" }, header, account))
      assert.equal("ann@x.example", sender({}, header, account))
      assert.equal("me@x.example", sender({}, "From: root (Cron Daemon)\n", account))
      assert.equal("me@x.example", sender({}, "", account))
      assert.equal("me@y.example", sender({}, "From: root\n", { username = "me@y.example" }))
      assert.equal("root@box.example", sender({}, "From: root (Cron Daemon)\n", { username = "me" }))
      assert.matches("^[^@]+@box%.example$", sender({}, "", {}))
   end)

   it("is empty where -f says so", function()
      for _, text in ipairs { "", "<>", " < > " } do
         assert.equal("", sender({ sender = text }, "From: ann@x.example\n", {}))
      end
   end)

   it("may choose the account", function()
      assert.equal("bob@x.example", envelope.named_sender({ sender = "<bob@x.example>" }, read "From: ann\n"))
      assert.equal("ann", envelope.named_sender({}, read "From: ann\n"))
      assert.is_nil(envelope.named_sender({}, read ""))
   end)

   it("is the author where the header names none", function()
      local function author(name, from, options)
         return at("box", nil, envelope.author, { name = name }, from, options)
      end
      assert.equal("Ann Lee <ann@x.example>", author("Ann Lee", "ann@x.example", {}))
      assert.equal("ann@x.example", author("", "ann@x.example", {}))
      assert.equal("=?UTF-8?Q?Ann_=C3=96?= <me@x.example>", author("Ann Ö", "", { from = "me@x.example" }))
      assert.equal("MAILER-DAEMON@box.example", author(nil, "", { domain = "box.example" }))
      assert.equal("MAILER-DAEMON", author(nil, "", {}))
      assert.equal("-F", select(2, author("Ann\nBcc: x", "ann@x.example", {})).option)
   end)
end)
