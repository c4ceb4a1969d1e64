-- A message that is signed is kept before it is sent: in memory, and then in a temporary file.
local keys = require "spec.tools.dkim_keys"
local safe = require "smtp.safe"
local signed = require "spec.tools.signed"

local arrived, send, is_signed = signed.arrived, signed.send, signed.is_signed

local key = keys.make()

describe("where no temporary file can be written", function()
   local tmpfile = io.tmpfile

   after_each(function() io.tmpfile = tmpfile end) -- luacheck: ignore

   local function sign()
      local left = 40
      return safe.message { from = "a@b.example", to = "c@d.example",
         dkim = { domain = "b.example", selector = "s", key = key "rsa" },
         attachments = { { filename = "x", source = function()
            left = left - 1
            return left > 0 and ("x"):rep(100000) or nil
         end } } }
   end

   local function refused(words)
      local message, err = sign()
      assert.is_nil(message)
      assert.same({ "system", "tmpfile", "later" }, { err.kind, err.reason, err.retry })
      assert.truthy(tostring(err):find(words, 1, true), tostring(err))
   end

   it("the system's own words say why", function()
      io.tmpfile = function() return nil, "Read-only file system", 30 end -- luacheck: ignore
      refused "Read-only file system"
   end)

   it("the words of a full disk are shown, at whichever write, and the file is closed", function()
      for _, fails_at in ipairs { 1, 20, "seek" } do
         local count, closed = 0, 0
         io.tmpfile = function() -- luacheck: ignore
            return { write = function(self)
               count = count + 1
               if count == fails_at then return nil, "No space left on device", 28 end
               return self
            end, seek = function() return nil, "No space left on device", 28 end,
            close = function() closed = closed + 1 end }
         end
         refused "No space left on device"
         assert.equal(1, closed)
      end
   end)

   it("a file in which nothing can be looked for again is of no use", function()
      for fails_at = 1, 4 do -- to its beginning; where it is, its end, and back
         local made, count = nil, 0
         io.tmpfile = function() -- luacheck: ignore
            made = tmpfile()
            return setmetatable({}, { __index = function(_, name)
               return function(_, ...)
                  count = count + (name == "seek" and 1 or 0)
                  if name == "seek" and count == fails_at then return nil, "Input/output error", 5 end
                  return made[name](made, ...)
               end
            end })
         end
         refused(fails_at == 2 and "cannot be read twice" or fails_at == 3 and "cannot be read twice"
            or "Input/output error")
         assert.equal("closed file", io.type(made))
      end
   end)
end)

describe("the temporary file of a message", function()
   local tmpfile = io.tmpfile

   after_each(function() io.tmpfile = tmpfile end) -- luacheck: ignore

   it("is closed when the message is over, sent or not", function()
      local made
      io.tmpfile = function() -- luacheck: ignore
         made = tmpfile()
         return made
      end
      local function options(transport)
         local left = 12
         return { transport = transport, tls = "skip", from = "ann@me.example", to = "bob@there.example",
            dkim = { domain = "me.example", selector = "s", key = signed.key },
            attachments = { source = function()
               left = left - 1
               return left > 0 and ("x"):rep(100000) or nil
            end } }
      end
      local sink = safe.sink()
      assert(safe.send(options(sink:transport())))
      assert.equal("closed file", io.type(made))
      assert.is_nil(safe.send(options(safe.sink { faults = { mail = "550 no" } }:transport())))
      assert.equal("closed file", io.type(made))
      local server = { transport = function() return sink:transport() end, tls = "skip" }
      local message = options()
      message.tls = nil
      assert.equal(1, safe.send_many(server, { message }).sent)
      assert.equal("closed file", io.type(made))
      local conn = assert(safe.connect(server))
      message = options()
      message.tls = nil
      assert(conn:send(message))
      assert.equal("closed file", io.type(made))
      conn:close()
   end)
end)

describe("a signed message", function()
   it("of a function is kept until it is signed, in memory or in a file", function()
      for _, count in ipairs { 0, 1, 100, 30000 } do -- pieces of 100 octets: up to 3 MB
         local i, sink = 0, safe.sink()
         assert(safe.send { transport = sink:transport(), tls = "skip", from = "ann@me.example",
            to = "bob@there.example", text = "x", dkim = { domain = "me.example", selector = "s", key = signed.key },
            attachments = { source = function()
               i = i + 1
               return i <= count and ("%099d\n"):format(i) or nil
            end } })
         assert.is_true(is_signed(sink.messages[1].data))
         assert(#sink.messages[1].data > count * 100)
      end
      local pieces, i = { "From: ann@me.example\n", "\n", "a\r", "\nb\n" }, 0
      local peer, receipt, err = send { raw = function()
         i = i + 1
         return pieces[i]
      end }
      assert(receipt, tostring(err))
      assert.truthy(arrived(peer):find("\r\n\r\na\r\nb\r\n$"))
      assert.is_true(is_signed(arrived(peer)))
   end)
end)
