local errors = require "smtp.errors"
local message_flags = require "smtp.cli.message_flags"

local function read(options)
   message_flags.read(options)
   return options
end

local function wrong(options)
   local _, err = errors.returning(message_flags.read)(options)
   return tostring(err)
end

describe("The flags of a message", function()
   it("become options of smtp.send", function()
      assert.same({ attachments = { { path = "logos/logo.png", cid = "logo.png" }, { path = "a.pdf" } } },
         read { attach = { "a.pdf" }, inline = { "logos/logo.png" } })
      assert.same({ headers = { { "X-A", "1" }, { "X-B", "2: 3" } } }, read { header = { "X-A: 1", "X-B:2: 3" } })
      assert.same({ dkim = { { domain = "x.example", selector = "s1", key = "/k:ey.pem" } } },
         read { dkim = { "x.example:s1:/k:ey.pem" } })
      assert.same({ extensions = { chunking = "skip", dsn = "prefer" } },
         read { extension = { "chunking=skip", "dsn=prefer" } })
      assert.same({ dsn = { notify = { "failure" }, ret = "hdrs", envid = "7" } },
         read { dsn_notify = { "failure" }, dsn_ret = "hdrs", dsn_envid = "7" })
      assert.same({ envelope = { from = "", to = { "b@x" } } }, read { envelope_from = "", envelope_to = { "b@x" } })
      assert.same({ list_unsubscribe = { "https://x.example/u", one_click = true } },
         read { list_unsubscribe = { "https://x.example/u" }, one_click = true })
      assert.same({ subject = "x" }, read { subject = "x", raw = false, one_click = false })
   end)

   it("are refused where their form is wrong", function()
      for option, row in pairs { header = { { "x" }, "has no colon" }, dkim = { { "a:b" }, "DOMAIN:SELECTOR:KEYFILE" },
         extension = { { "dsn" }, "KEYWORD=WORD" }, one_click = { true, "needs --list-unsubscribe" },
         text_file = { "/nonexistent", "No such file" } } do
         assert.matches(row[2], wrong { [option] = row[1] }, 1, true)
      end
   end)
end)

describe("A file on standard input", function()
   local standard_input = require "smtp.cli.standard_input"
   local read_it = standard_input.read
   after_each(function() standard_input.read = read_it end)

   it("is named for what it is", function()
      standard_input.read = function(...) return table.concat({ ... }, ": ") end
      assert.same({ text = "text-file: the text" }, read { text_file = "-" })
      assert.same({ html = "html-file: the HTML" }, read { html_file = "-" })
      assert.same({ calendar = "calendar: the invitation" }, read { calendar = "-" })
   end)
end)
