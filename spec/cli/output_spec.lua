local command = require "spec.tools.command"
local peer = require "spec.tools.peer"
local safe = require "smtp.safe"
local terminal = require "spec.tools.terminal"

local interpreter = peer.interpreter
local run, message = command.smtp, command.message
local sh, start_sink = terminal.sh, terminal.start_sink

describe("lua-smtp sink", function()
   before_each(terminal.prepare)
   after_each(function() assert.is_true(terminal.clean_up()) end)

   it("shows nothing that a terminal would obey", function()
      local pipe, port = start_sink("--count 1 --trace", "&1")
      assert(safe.send { host = "127.0.0.1", port = port, from = "a@b.example", to = "c@d.example",
         raw = "X: \27]0;title\7\r\n\r\na\tb caf\195\169 \194\155 31m \226\128\174 \155 \rover\r\n", eightbit = true })
      local arrived = pipe:read("*a")
      pipe:close()
      assert.matches("caf\195\169", arrived)
      assert.matches("a\tb", arrived)
      assert.is_nil(arrived:find("[%z\1-\8\11-\31\127]"))
      for _, bytes in ipairs { "\194\155", "\226\128\174", " \155" } do assert.is_nil(arrived:find(bytes, 1, true)) end
   end)

   it("shows nothing in JSON, and in the words of a server, that a terminal would obey", function()
      local json = require("smtp.cli.output").json
      assert.equal([["\u001b\u009b\u202e\u061cé"]], json("\27\194\155\226\128\174\216\156é"))
      local printable = require("smtp.core").printable
      assert.equal("?a???b??\nc d?é", printable("\27a\226\128\174b\194\155\nc\td\255é"))
   end)

   it("says that its output could not be written", function()
      local said, status = sh(terminal.command("probe --version >/dev/full"))
      assert.equal(64, status, said)
      for _, line in ipairs { "send --help=all", "--version", "completion bash",
         "send -n" .. message .. " --header X:" .. ("x "):rep(5000):gsub(" ", "\\ ") } do
         said, status = sh(terminal.command(line .. " >/dev/full"))
         assert.equal(74, status, said)
         assert.matches("lua%-smtp: standard output: ", said)
      end
      local pipe, port = start_sink "--count 1"
      said, status = sh(terminal.command("send --host localhost --port " .. port .. message .. " >/dev/full"))
      pipe:read("*a")
      pipe:close()
      assert.equal(74, status, said)
      assert.matches("standard output: No space left", said)
   end)

   it("ends without a word where the program that reads its output has ended", function()
      local line = terminal.command "send --help=all"
      local said = sh(("{ { sleep 0.05; %s; echo code $? >&3; } | true; } 3>&1"):format(line))
      assert.equal("code 141\n", said)
   end)
end)

describe("JSON of the sink", function()
   it("is a line for its address, for each message and for an error", function()
      local pipe = io.popen(interpreter .. " csrc/lua-smtp sink --json --count 1 2>/dev/null")
      local port = pipe:read("*l"):match('^{"address":"127.0.0.1","port":(%d+)}$')
      assert.equal(0, (select(2, run("send --host localhost --port " .. port .. message))))
      local arrived = pipe:read("*l")
      assert.is_nil(pipe:read("*l"))
      pipe:close()
      for _, part in ipairs { '"from":"ann@me.example"', '"to":["bob@there.example"]', '"tls":false',
         '"recipients":[{"address":"bob@there.example","parameters":{}}]', '"data":"' } do
         assert.truthy(arrived:find(part, 1, true), part .. "\n" .. arrived)
      end
      local said, status = run "sink --json --port 99999"
      assert.equal(64, status)
      assert.truthy(said:find('"option":"port"', 1, true), said)
   end)
end)

describe("JSON", function()
   local json = require("smtp.cli.output").json

   it("writes an empty list as [] and an empty map as {}", function()
      local sink = safe.sink { capabilities = {} }
      local receipt = assert(safe.send { transport = sink:transport(), tls = "skip", from = "a@b.example",
         to = "c@d.example", text = "", auth = "prefer" })
      local text = json(receipt)
      for _, part in ipairs { '"refused":[]', '"extensions":{}', '"capabilities":{}', '"offered":[]' } do
         assert.truthy(text:find(part, 1, true), part .. "\n" .. text)
      end
      text = json(assert(safe.probe { transport = sink:transport(), tls = "skip" }))
      for _, part in ipairs { '"before_tls":{"capabilities":{},"mechanisms":[]}', '"limits":{}', '"offered":[]',
         '"usable":{}' } do
         assert.truthy(text:find(part, 1, true), part .. "\n" .. text)
      end
      sink = safe.sink { faults = { ehlo = "550 no" } }
      text = json(assert(safe.probe { host = "mx.example", transport = sink:transport() }))
      assert.truthy(text:find('"options":{}', 1, true), text)
      assert.truthy(json({ recipients = {}, warnings = {} }):find('"recipients":[],"warnings":[]', 1, true))
      assert.equal('{"auth":{"mechanisms":{}}}', json { auth = { mechanisms = {} } })
      assert.equal('{"options":{"auth_mechanisms":["PLAIN"],"extensions":{}}}',
         json { options = { auth_mechanisms = { "PLAIN" }, extensions = {} } })
   end)

   it("is JSON whatever a server says, and however long it took", function()
      assert.equal('"gr\195\188n \\u001b\\"\\\\"', json("gr\195\188n \27\"\\"))
      assert.equal('"gr\195\188n"', json("gr\252n")) -- Latin-1
      assert.equal("[null,null,0.500000,7,true]", json { 0 / 0, 1 / 0, 0.5, 7, true })
   end)
end)
