-- Every block of code in README.md and in lua/README.md runs. The servers of the text are replaced by a sink, and what
-- the text leaves to the reader by values.
local command = require "spec.tools.command"
local flag_table = require "smtp.cli.flag_table"
local outboxes = require "spec.tools.outboxes"
local redis_model = require "spec.tools.redis_model"

local read = command.read

local compile = rawget(_G, "loadstring") or load

local function blocks_of(path, language)
   local list = {}
   for block in read(path):gmatch("\n```" .. language .. "\n(.-)\n```\n") do list[#list + 1] = block end
   return list
end

-- The functions of a module, which send to `sink` wherever the text says another server.
local function towards(module, sink)
   local copy = setmetatable({}, { __index = module })
   local function to_sink(options)
      local all = { transport = function() return sink:transport() end, tls = "skip", auth_plaintext = true }
      for option, value in pairs(options) do all[option] = value end
      all.loop = nil -- through a transport, the caller waits
      return all
   end
   for _, name in ipairs { "send", "send_many" } do
      copy[name] = function(options, ...) return module[name](to_sink(options), ...) end
   end
   copy.outbox = setmetatable({}, { __index = module.outbox, __call = function(_, options)
      return module.outbox { store = options.store, server = to_sink(options.server) }
   end })
   return copy
end

-- Runs a block. -> what it printed
local function run(block, sink, values)
   local printed = {}
   local environment = setmetatable(values or {}, { __index = _G })
   environment.print = function(...)
      local words = { ... }
      for i = 1, select("#", ...) do words[i] = tostring(words[i]) end
      printed[#printed + 1] = table.concat(words, "\t")
   end
   environment.os = setmetatable({ getenv = function() return "sesame-71" end }, { __index = os })
   environment.require = function(name)
      local module = require(name)
      return name:find("^smtp") and towards(module, sink) or module
   end
   local names = {}
   for name in pairs(environment) do names[#names + 1] = name end
   table.sort(names)
   local list = table.concat(names, ", ")
   local chunk = assert(compile(("local _ENV = ...; local %s = %s; %s"):format(list, list, block), block))
   if rawget(_G, "setfenv") then rawget(_G, "setfenv")(chunk, environment) end
   chunk(environment)
   return table.concat(printed, "\n")
end

local function new_sink(options)
   options = options or {}
   if options.auth == nil then options.auth = { users = { ann = "sesame-71" }, before_tls = true } end
   return require("smtp").sink(options)
end

describe("README.md", function()
   local blocks = blocks_of("README.md", "lua")

   it("sends the first mail, with both modules", function()
      for i = 1, 2 do
         local sink = new_sink()
         assert.matches("queued as 1", run(blocks[i], sink))
         assert.equal("ann", sink.messages[1].authenticated)
      end
   end)

   it("shows the line where the first mail cannot be sent", function()
      for i = 1, 2 do
         local printed = run(blocks[i], new_sink { auth = { users = { ann = "other" }, before_tls = true } })
         assert.matches("^smtp: mail.example.org", printed)
      end
   end)

   it("sends without a login where the server has none", function()
      local sink = new_sink { auth = false }
      local printed = run(blocks[3], sink)
      assert.matches("does not offer AUTH, but auth = \"require\" (EHLO offered PIPELINING, SIZE", printed, 1, true)
      assert.matches("\nsent$", printed)
      assert.equal(1, #sink.messages)
      assert.equal("sent without a login: not_advertised", run(blocks[4], sink))
      assert.equal(2, #sink.messages)
      assert.equal("", run(blocks[4], new_sink()))
   end)

   it("decides what to do by the fields of an error", function()
      for reply, expected in pairs {
         ["451 4.7.1 greylisted"] = "^try again later: smtp: ", ["550 5.1.1 unknown user"] = "^check the address: ",
         ["554 5.7.1 blocked using zen"] = "^smtp: ",
      } do
         assert.matches(expected, run(blocks[5], new_sink { auth = false, faults = { rcpt = reply } }))
      end
   end)

   it("tests code with a sink", function()
      run(blocks[6], nil)
      assert.equal(6, #blocks)
   end)

   it("has at most 300 lines, and a contents list of all its chapters", function()
      local text = read "README.md"
      assert(select(2, text:gsub("\n", "")) <= 300)
      for heading in text:gmatch("\n## ([^\n]*)") do
         local anchor = heading:lower():gsub(" ", "-")
         assert.matches(("- [%s](#%s)\n"):format(heading, anchor), text, 1, true)
      end
   end)

   it("names commands, targets and flags that exist", function()
      local text, makefile = read "README.md", read "Makefile"
      for _, before in ipairs { "\n    make ", "`make " } do
         for target in text:gmatch(before .. "([a-z]+)") do
            assert.truthy(makefile:find("\n" .. target .. ":", 1, true), target)
         end
      end
      for sub, line in text:gsub("\nlua%-smtp sends", ""):gmatch("[` ]lua%-smtp ([a-z]+)([^`\n]*)") do
         local names = {}
         assert.truthy(flag_table.command(sub), sub)
         for _, flag in ipairs(flag_table.flags(sub)) do
            names["--" .. flag.name], names[flag.short and "-" .. flag.short or 1] = true, true
         end
         for flag in line:gmatch(" (%-%-?[A-Za-z-]+)") do assert.truthy(names[flag], line) end
      end
   end)
end)

describe("lua/README.md", function()
   local blocks = blocks_of("lua/README.md", "lua")

   local function find(word)
      for _, block in ipairs(blocks) do
         if block:find(word, 1, true) then return block end
      end
      error("no block with " .. word, 2)
   end

   it("shows attachments that can be sent", function()
      local logo, report = os.tmpname(), os.tmpname()
      local block = find("attachments = {"):gsub("logo%.png", logo):gsub("report%.pdf", report)
      local pieces = { ("x"):rep(1048576) }
      local values = { csv = "a;b\n", next_piece = function() return table.remove(pieces) end }
      local sink = new_sink()
      run("local smtp = require 'smtp'\nlocal " .. block .. "\nsmtp.send { from = 'ann@example.org', "
         .. "to = 'bob@example.net', subject = 'Hi', html = '<p>x', attachments = attachments }", sink, values)
      os.remove(logo)
      os.remove(report)
      assert.matches("Content-Type: application/x-dump", sink.messages[1].data, 1, true)
   end)

   it("sends many messages", function()
      local messages = {}
      for i = 1, 3 do
         messages[i] = { from = "ann@example.org", to = "bob@example.net", subject = tostring(i), text = "Hello\n" }
      end
      local printed = run("local smtp = require 'smtp'\n" .. find "smtp.send_many", new_sink { auth = false },
         { messages = messages })
      assert.matches("\n3\t0\t0", printed)
   end)

   it("delivers what was put", function()
      local sink, store = new_sink(), outboxes.path()
      local block = find("smtp.outbox {"):gsub("/var/lib/app/mail%.db", store)
      run("local smtp = require 'smtp'\n" .. block, sink, { read_password = function() return "sesame-71" end })
      assert.equal(1, #sink.messages)
      outboxes.clean()
   end)

   it("keeps messages in Redis", function()
      local sink, model = new_sink { auth = false }, redis_model.new()
      package.loaded["resty.redis"] = { new = function()
         local client = model.connect()
         function client.set_timeouts() end
         function client.connect() return 1 end
         return client
      end }
      run("local smtp = require 'smtp'\n" .. find "smtp.outbox.redis {" .. [[
         outbox:put { from = "ann@example.org", to = "bob@example.net", subject = "Hi", text = "Hello" }
         outbox:run { once = true }
      ]], sink)
      package.loaded["resty.redis"] = nil
      assert.equal(1, #sink.messages)
   end)

   it("tests with a sink", function()
      run("local smtp = require 'smtp.safe'\n" .. find "smtp.sink {")
      run(find "message.parts")
   end)

   it("logs in by a mechanism of the reader's", function()
      local context = { first = function() return "first" end, step = function() return "answer", true end }
      local sink = new_sink { auth = { mechanisms = { { name = "GSSAPI", run = function(exchange, ask)
         return exchange.initial == "first" and ask "challenge" == "answer" and "ann"
      end } } } }
      run("local smtp = require 'smtp'\nlocal " .. find "GSSAPI" .. "\nsmtp.send { auth_mechanisms = auth_mechanisms, "
         .. "host = 'mail.example.org', username = 'ann', from = 'ann@example.org', to = 'bob@example.net', "
         .. "subject = 'Hi', text = 'Hello' }", sink, { gss = { init = function() return context end } })
      assert.equal("ann", sink.messages[1].authenticated)
   end)

   it("shows a file with accounts", function()
      local name = os.tmpname()
      command.write(name, find "accounts = {")
      local file = require("smtp.cli.account_file").read(name)
      os.remove(name)
      local _, names = require("smtp.cli.account_options").read(file)
      assert.same({ "friends", "work" }, names)
   end)

   it("waits in an event loop", function()
      local loaded, wrapped = package.loaded.cqueues, nil
      package.loaded.cqueues = { new = function()
         return { wrap = function(_, fn) wrapped = fn end, loop = function() wrapped() return true end }
      end }
      local printed = run(find "queue:wrap", new_sink())
      package.loaded.cqueues = loaded
      assert.matches("^<.+@.+>$", printed)
   end)

   it("sends each message of a list over the same connection", function()
      local sink = new_sink()
      local list = {}
      for i = 1, 2 do
         list[i] = { from = "ann@example.org", to = "bob@example.net", subject = tostring(i), text = "Hello\n" }
      end
      local block = find("keepalive = { idle = 60 }"):gsub(", keepalive = { idle = 60 }", "") -- not by a transport
      run("local smtp = require 'smtp'\n" .. block, sink, { list = list, secret = "sesame-71" })
      assert.equal(2, #sink.messages)
   end)

   it("measures and counts what it observes", function()
      local stages, counted = {}, {}
      run("local smtp = require 'smtp'\n" .. find "local function observe" .. [[
         smtp.send { host = "mail.example.org", from = "ann@example.org", to = "bob@example.net", text = "Hello",
            observe = observe }
      ]], new_sink { auth = false }, {
         histogram = function(name, stage, seconds)
            assert(name == "smtp_stage_seconds" and seconds >= 0)
            stages[stage] = true
         end,
         counter = function(...) counted[#counted + 1] = table.concat({ ... }, " ") end,
      })
      assert.same({ "smtp_messages sent " }, counted)
      assert.is_true(stages.connect and stages.final and stages.quit)
   end)

   it("has no other blocks of Lua", function()
      assert.equal(11, #blocks)
   end)
end)

describe("csrc/README.md", function()
   it("names every file of csrc and of the composer", function()
      local text = read "csrc/README.md"
      local pipe = io.popen "ls csrc/*.h csrc/*/*.[ch] lua/smtp/compose/*.lua"
      for path in pipe:lines() do
         local name = path:match "[^/]*$"
         assert.truthy(text:find("[`/]" .. name:gsub("%p", "%%%0") .. "`"), path)
      end
      pipe:close()
   end)

   it("names files that exist", function()
      local pipe = io.popen "find csrc lua .ci -type f"
      local paths = "\n" .. pipe:read "*a"
      pipe:close()
      for name in read("csrc/README.md"):gmatch "`([a-z0-9_./]+)`" do
         if name:find "%.[ch]$" or name:find "%.lua$" then
            assert.truthy(paths:find("[/\n]" .. name:gsub("%p", "%%%0") .. "\n"), name)
         end
      end
   end)
end)
