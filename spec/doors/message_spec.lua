local safe = require "smtp.safe"

describe("the size of smtp.message", function()
   local keys = require "spec.tools.dkim_keys"
   local spec_server = require "spec.tools.server"
   local dkim = { domain = "me.example", selector = "s", key = keys.rfc.ed25519 }

   local function file(text)
      local handle = io.tmpfile()
      handle:write(text)
      handle:seek("set", 0)
      return handle
   end

   local function pieces(text)
      return text:gmatch(".?.?.?") -- its last one is empty
   end

   local function with_pieces(text)
      local next_piece, given = pieces(text), 0
      return function()
         if given >= #text then return nil end
         local piece = next_piece()
         given = given + #piece
         return piece
      end
   end

   local bodies = { "", "x", "x\r\n", "x\n", "x\r", ".", ".\n.", "a\nb\r\nc\rd", ("x"):rep(2000), "\195\164",
      ("=\n"):rep(50), "\n\n", "x\r\n\r\n" }

   local function contents()
      local list = {}
      for _, text in ipairs(bodies) do
         list[#list + 1] = { text = text }
         list[#list + 1] = { html = text }
         list[#list + 1] = { text = text, html = text }
         list[#list + 1] = { text = text, attachments = { { content = text }, { path = "LICENSE" } } }
         list[#list + 1] = { attachments = { { source = with_pieces(text), size = #text } } }
         list[#list + 1] = { attachments = { { source = with_pieces(text) } } }
         list[#list + 1] = { text = "x", attachments = { { content = text, filename = "a" },
            { source = with_pieces(text), filename = "b" } } }
         for _, raw in ipairs { "From: ann@me.example\n\n" .. text, "From: ann@me.example\r\n\r\n" .. text,
            "From: ann@me.example" } do
            if #text < 998 then
               list[#list + 1] = { raw = raw }
               list[#list + 1] = { raw = file(raw) }
               list[#list + 1] = { raw = file(raw), eightbit = true }
               list[#list + 1] = { raw = with_pieces(raw), eightbit = true }
               list[#list + 1] = { raw = with_pieces(raw), size = #raw, eightbit = true }
            end
         end
      end
      list[#list + 1] = { calendar = "BEGIN:VCALENDAR\nEND:VCALENDAR" }
      list[#list + 1] = { raw = "From: a@b\r\n\r\n\0x\ny", extensions = { binarymime = "prefer" } }
      list[#list + 1] = { raw = file "From: a@b\r\n\r\n\0x\ny", extensions = { binarymime = "prefer" } }
      list[#list + 1] = { raw = with_pieces "From: a@b\r\n\r\n\0x\ny", extensions = { binarymime = "require" } }
      return list
   end

   local function all_of(message)
      local parts, read = {}, message:source()
      while true do
         local piece, err = read()
         assert(not err, tostring(err))
         if not piece then return table.concat(parts) end
         parts[#parts + 1] = piece
      end
   end

   for _, signed in ipairs { false, true } do
      it("is that of its bytes" .. (signed and ", signed" or ""), function()
         for _, t in ipairs(contents()) do
            t.from, t.to = "ann@me.example", "bob@there.example"
            t.dkim = signed and not t.extensions and dkim or nil
            local message, err = safe.message(t)
            assert(message, tostring(err))
            local text = all_of(message)
            assert.equal(#text, message.size)
            assert.equal(text, tostring(message))
            assert.equal(text, all_of(message))
            if not t.extensions then
               assert.equal("\r\n", text:sub(-2))
               assert.is_nil(text:gsub("\r\n", ""):find("[\r\n]"))
            end
         end
      end)
   end

   for _, signed in ipairs { false, true } do
      it("is that of the receipt, and its bytes are those that are sent" .. (signed and ", signed" or ""), function()
         local composed, sent = contents(), contents()
         local date = { date = 1764000000, message_id = "<1@me.example>" }
         for i = 1, #composed do
            local server = spec_server.new { capabilities = { "8BITMIME", "CHUNKING", "BINARYMIME" } }
            for _, t in ipairs { composed[i], sent[i] } do
               t.from, t.to, t.dkim = "ann@me.example", "bob@there.example", signed and not t.extensions and dkim or nil
               if not t.raw then t.date, t.message_id = date.date, date.message_id end
            end
            local message = assert(safe.message(composed[i]))
            sent[i].transport, sent[i].host, sent[i].tls, sent[i].domain = server, "mx.example", "skip", "me.example"
            local receipt, err = safe.send(sent[i])
            assert(receipt, tostring(err))
            local wire = server.taken[1].body
            assert.truthy(receipt.size == #wire or receipt.size == nil and (sent[i].raw or sent[i].attachments))
            assert.equal(message.size, #wire)
            local whole = tostring(message)
            if signed then
               whole, wire = whole:gsub("t=%d+", "", 1):gsub("b=[^;]*\r\n", "", 1), wire:gsub("t=%d+", "", 1)
                  :gsub("b=[^;]*\r\n", "", 1)
            end
            assert.equal(whole, wire)
         end
      end)
   end
end)

describe("a file of smtp.message that shrinks afterwards", function()
   it("is an error where the message is read", function()
      local name = os.tmpname()
      local file = assert(io.open(name, "w+b"))
      file:write("Subject: x\r\n\r\n", ("x\r\n"):rep(100))
      file:seek("set", 0)
      local message = assert(safe.message { from = "ann@me.example", to = "bob@there.example", raw = file })
      assert(io.open(name, "wb")):close()
      local read = message:source()
      local piece, err
      repeat piece, err = read() until not piece
      file:close()
      os.remove(name)
      assert.is_true(safe.is_error(err, "source"))
      assert.same({ "body", "size" }, { err.stage, err.reason })
   end)

   it("has to be called with a colon", function()
      local message = assert(safe.message { from = "ann@me.example", to = "bob@there.example", text = "x" })
      for _, given in ipairs { {}, false, "x" } do
         local read, err = message.source(given)
         assert.is_nil(read)
         assert.matches("Write message:source", tostring(err), 1, true)
      end
      assert.matches("Write message:source", tostring(select(2, message.source())), 1, true)
   end)
end)
