-- DKIM on the way: what is signed is what is sent, or nothing is.
local dkim_keys = require "spec.tools.dkim_keys"
local safe = require "smtp.safe"
local signed = require "spec.tools.signed"
local talk = require "spec.tools.talk"

local script, key, arrived, send = signed.script, signed.key, signed.arrived, signed.send
local is_signed = signed.is_signed

describe("a signed message", function()
   for name, more in pairs {
      ["of text"] = { text = "hi\n\n\n" }, ["of text that ends within a line"] = { text = "hi" },
      ["without text"] = { text = "" }, ["with dots"] = { text = ".\n..\nx\n" },
      ["with parts"] = { text = "hi", html = "<p>", attachments = { { content = ("\0"):rep(100000) } } },
      ["given raw"] = { raw = "From: ann@me.example\nSubject: x\n\n.hello \n\n" },
      ["given raw, in 8-bit"] = { raw = "From: ann@me.example\nSubject: x\n\n\195\164\r\n" },
      ["given raw, without a body"] = { raw = "From: ann@me.example\n" },
   } do
      it(name .. " has a signature that holds for what is sent", function()
         local peer, receipt, err = send(more)
         assert(receipt, tostring(err))
         assert.is_true(is_signed(arrived(peer)), arrived(peer))
         assert.equal(receipt.size, #arrived(peer))
      end)
   end

   it("of an open file is read from its current position", function()
      local file = io.tmpfile()
      file:write("skipped From: ann@me.example\n\nbody\n")
      file:seek("set", 8)
      local peer, receipt, err = send { raw = file }
      assert(receipt, tostring(err))
      assert.is_true(is_signed(arrived(peer)))
      file:close()
   end)

   it("has a signature by each of several keys", function()
      local peer, receipt = send { text = "hi", dkim = { { domain = "me.example", selector = "a", key = key },
         { domain = "me.example", selector = "b", key = dkim_keys.rfc.rsa } } }
      assert(receipt)
      local algorithms = {}
      for algorithm in arrived(peer):gmatch("DKIM%-Signature: v=1; a=([^;]+)") do
         algorithms[#algorithms + 1] = algorithm
      end
      assert.same({ "ed25519-sha256", "rsa-sha256" }, algorithms)
   end)

   it("whose function fails is not sent, and no connection is made", function()
      local peer = talk.peer(script "<hello 8BITMIME>")
      function peer.connect() error("connected") end
      local _, err = safe.send(talk.options({ raw = false, text = "x", dkim = { domain = "me.example",
         selector = "s", key = key }, attachments = { source = function() error("broken", 0) end } }, peer))
      assert.same({ "source", "broken", "no" }, { err.kind, err.cause, err.sent })
   end)

   it("whose function never ends is given up in time, and no connection is made", function()
      local peer = talk.peer(script "<hello 8BITMIME>")
      function peer.connect() error("connected") end
      local _, err = safe.send(talk.options({ raw = false, text = "x", timeout = 0.2, dkim = {
         domain = "me.example", selector = "s", key = key }, attachments = { source = function() return "x" end } },
         peer))
      assert.same({ "timeout", "no" }, { err.kind, err.sent })
   end)

   it("whose file changes meanwhile is not sent", function()
      local path = os.tmpname()
      local function write(text)
         local file = assert(io.open(path, "wb"))
         file:write(text)
         file:close()
      end
      write(("x"):rep(100000))
      local peer = talk.peer(script [[
         <hello 8BITMIME>
         <until_body>
      ]])
      local connect = peer.connect
      function peer.connect(...)
         write(("y"):rep(100000))
         return connect(...)
      end
      local receipt, err = safe.send(talk.options({ raw = false, text = "x", attachments = { path = path },
         dkim = { domain = "me.example", selector = "s", key = key } }, peer))
      os.remove(path)
      assert.is_nil(receipt)
      assert.same({ "source", "changed", "no" }, { err.kind, err.reason, err.sent })
      assert.is_nil(peer.body:find("\r\n.\r\n", 1, true))
   end)

   it("with an invalid header is refused before anything is sent", function()
      local peer = talk.peer(script "<hello 8BITMIME>")
      function peer.connect() error("connected") end
      for _, text in ipairs { "no header\n\nx\n", "Subject: no From\n\nx\n" } do
         local file = assert(io.tmpfile())
         file:write(text, ("x"):rep(100000))
         file:seek "set"
         for _, raw in ipairs { text, file } do
            local _, err = safe.send(talk.options({ raw = raw, dkim = { domain = "me.example", selector = "s",
               key = key } }, peer))
            assert.equal("usage", err.kind)
         end
         file:close()
      end
   end)

   it("is what smtp.message gives, too", function()
      local made = assert(safe.message { from = "ann@me.example", to = "bob@there.example", text = "hi\n",
         dkim = { domain = "me.example", selector = "s", key = key } })
      assert.is_true(is_signed(tostring(made)))
      assert.equal(made.size, #tostring(made))
   end)

   it("over a connection is signed as well", function()
      local peer = talk.peer(script [[
         <hello 8BITMIME>
         <until_body>
         <rest>
      ]])
      local connection = assert(safe.connect { transport = peer, host = "mx.example", domain = "me.example",
         tls = "skip" })
      assert(connection:send { from = "ann@me.example", to = "bob@there.example", text = "hi",
         dkim = { domain = "me.example", selector = "s", key = key } })
      connection:quit()
      assert.is_true(is_signed(arrived(peer)))
   end)
end)
