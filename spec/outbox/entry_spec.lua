-- Messages as records: what is kept of them is all that sending needs.
local outboxes = require "spec.tools.outboxes"
local dkim_keys = require "spec.tools.dkim_keys"
local smtp = require "smtp.safe"
local sqlite = require "smtp.outbox.sqlite"

local message = outboxes.message

-- What the sink got, after a message was put by one outbox and sent by another one.
local function delivered(options, sink)
   local case = outboxes.new(nil, sink)
   assert(case.box:put(options))
   local other = outboxes.beside(case)
   assert(other:run { once = true })
   return case.sink.messages[1], case
end

local function with(changes)
   local options = message "bob@example.net"
   for name, value in pairs(changes) do options[name] = value end
   return options
end

describe("A message that was put", function()
   after_each(outboxes.clean)

   it("has the bytes that smtp.send would send", function()
      local options = with { html = "<p>Hi", attachments = { { content = "file", filename = "a.txt" } } }
      local got = delivered(options)
      assert.matches("Message%-ID: <m@example.org>", got.data)
      assert.matches("ZmlsZQ==", got.data)
      local text = delivered(message "bob@example.net").data
      assert.equal(tostring(smtp.message(message "bob@example.net")), text)
   end)

   it("keeps its envelope", function()
      local options = with { envelope = { from = "", to = { { address = "eve@example.net",
         notify = "failure", orcpt = "old@example.net" }, "zoe@example.net" } },
         dsn = { ret = "hdrs", envid = "order 7" } }
      local got = delivered(options)
      assert.equal("", got.from)
      assert.same({ "eve@example.net", "zoe@example.net" }, got.to)
      assert.same({ RET = "HDRS", ENVID = "order+207" },
         { RET = got.parameters.RET, ENVID = got.parameters.ENVID })
      assert.same({ NOTIFY = "FAILURE", ORCPT = "rfc822;old@example.net" },
         got.recipients[1].parameters)
      assert.same({}, got.recipients[2].parameters)
   end)

   it("is stored in pieces that are not small", function()
      local own = assert(sqlite.open(outboxes.path()))
      local sizes = {}
      local case = outboxes.new { store = setmetatable({}, { __index = function(_, name)
         return function(_, outbox, record, pieces, ...)
            local read = pieces
            if name == "put" then
               function pieces() -- luacheck: ignore
                  local piece = read()
                  sizes[#sizes + 1] = piece and #piece
                  return piece
               end
            end
            return own[name](own, outbox, record, pieces, ...)
         end
      end }) }
      local given = { "Subject: " .. ("x"):rep(499) .. "\r\n\r\n" }
      for i = 2, 200 do given[i] = ("x"):rep(510) .. "\r\n" end
      local at = 0
      local function raw()
         at = at + 1
         return given[at]
      end
      assert(case.box:put { from = "ann@example.org", to = "bob@example.net", raw = raw })
      assert.same({ 65536, 36864 }, sizes)
   end)

   it("must not change its size meanwhile", function()
      local path = outboxes.path()
      local function write(char)
         local file = assert(io.open(path, "wb"))
         file:write("Subject: x\n\n", (char):rep(70000))
         file:close()
      end
      local own = assert(sqlite.open(outboxes.path()))
      local case = outboxes.new { store = setmetatable({}, { __index = function(_, name)
         return function(_, ...)
            if name == "put" then write "\n" end -- each is two octets on the wire
            return own[name](own, ...)
         end
      end }) }
      write "x"
      local id, err = case.box:put { from = "ann@example.org", to = "bob@example.net", raw = io.open(path, "rb") }
      assert.is_nil(id)
      assert.equal("source size message not sent: the message changed its size while it was put",
         ("%s %s %s"):format(err.kind, err.reason, err.what))
      assert.same({}, case.box:list())
   end)

   it("needs SMTPUTF8 if an address in its header does", function()
      local got = delivered(with { reply_to = "jörg@example.org" })
      assert.is_truthy(got.parameters.SMTPUTF8)
   end)

   it("is sent as 8-bit text if it is that", function()
      local got = delivered { from = "ann@example.org", to = "bob@example.net",
         raw = "Subject: x\n\nJ\195\182rg\n" }
      assert.equal("8BITMIME", got.parameters.BODY)
      assert.equal("Subject: x\r\n\r\nJ\195\182rg\r\n", got.data)
   end)

   it("fails where the server does not take 8-bit text", function()
      local case = outboxes.new(nil, { capabilities = { "PIPELINING" } })
      local id = assert(case.box:put { from = "ann@example.org", to = "bob@example.net",
         raw = "Subject: x\n\nJ\195\182rg\n" })
      assert(case.box:run { once = true })
      local entry = case.box:get(id)
      assert.equal("failed", entry.state)
      assert.equal("8bitmime", entry.attempts[1].reason)
   end)

   it("is signed when it is put, and the key is not kept", function()
      local options = with { dkim = { domain = "example.org", selector = "s",
         key = dkim_keys.rfc.rsa } }
      local got, case = delivered(options)
      assert.matches("^DKIM%-Signature:", got.data)
      case.box:close()
      for _, ending in ipairs { "", "-wal" } do
         local file = io.open(case.path .. ending, "rb")
         local text = file and file:read("*a") or ""
         if file then file:close() end
         assert.is_nil(text:find("PRIVATE KEY", 1, true))
      end
   end)

   it("has copies of its attachments", function()
      local path = outboxes.path()
      local file = io.open(path, "wb")
      file:write("first")
      file:close()
      local case = outboxes.new()
      assert(case.box:put(with { attachments = { path = path, content_type = "text/plain" } }))
      file = io.open(path, "wb")
      file:write("other")
      file:close()
      assert(case.box:run { once = true })
      assert.matches("Zmlyc3Q=", case.sink.messages[1].data)
   end)

   it("may be long, and is read in pieces", function()
      local line, count = ("x"):rep(76) .. "\r\n", 0
      local got, case = delivered { from = "ann@example.org", to = "bob@example.net",
         raw = function()
            count = count + 1
            if count == 1 then return "Subject: x\r\n\r\n" end
            if count < 4000 then return line end
         end }
      assert.equal("Subject: x\r\n\r\n" .. line:rep(3998), got.data)
      assert.equal(#got.data, case.box:list()[1].size)
   end)

   it("is not put if its source fails, or changes its size", function()
      local case = outboxes.new()
      local id, err = case.box:put { from = "ann@example.org", to = "bob@example.net",
         raw = function() error "no tape" end }
      assert.is_nil(id)
      assert.equal("source", err.kind)
      local n = 0
      id, err = case.box:put { from = "ann@example.org", to = "bob@example.net", size = 300000,
         raw = function()
            n = n + 1
            return n == 1 and ("Subject: x\r\n\r\nhello\r\n") or nil
         end }
      assert.is_nil(id)
      assert.equal("source", err.kind)
      assert.same({}, case.box:list())
   end)

   it("is checked as by smtp.send", function()
      local case = outboxes.new()
      local id, err = case.box:put(with { to = "nobody at all" })
      assert.is_nil(id)
      assert.equal("address", err.kind)
      id, err = case.box:put(with { host = "other.example" })
      assert.is_nil(id)
      assert.equal("host", err.option)
      assert.same({}, case.box:list())
   end)

   it("fails if its record was damaged, and others are sent", function()
      local case = outboxes.new()
      local id = assert(case.box:put(message "bob@example.net"))
      assert(case.box:put(message "eve@example.net"))
      case.box.store.db:run("UPDATE messages SET facts = x'00' WHERE id = ?", id)
      assert(case.box:run { once = true })
      assert.equal("failed", case.box:get(id).state)
      assert.equal("store_damaged", case.box:get(id).attempts[1].reason)
      assert.equal(1, #case.sink.messages)
   end)
end)
