local composing = require "spec.tools.composing"
local safe = require "smtp.safe"
local source = require "smtp.compose.source"
local talk = require "spec.tools.talk"

local message, with_file = composing.message, composing.with_file
local script = talk.script

describe("a source that fails", function()
   local opening = script [[
      <hello>
      C: MAIL FROM:<ann@me.example>
      S: 250 ok
      C: RCPT TO:<bob@there.example>
      S: 250 ok
      C: DATA
      S: 354 go
      MESSAGE
   ]]

   local function sent(attachment)
      local peer = talk.peer(opening)
      local options = talk.options({ raw = false, text = "x", attachments = attachment }, peer)
      local receipt, err = safe.send(options)
      assert.is_nil(receipt)
      return err, peer
   end

   for what, row in pairs {
      ["raises an error"] = { function() return { source = function() error("broken", 0) end } end, "broken" },
      ["returns nil and a reason"] = { function() return { source = function() return nil, "gone" end } end, "gone" },
      ["returns no string"] = { function() return { source = function() return 7 end } end, "number" },
      ["gives less than declared"] = { function() return { source = function() end, size = 5 } end, nil, "size" },
      ["gives more than declared"] = { function() return { source = function() return "xx" end, size = 1 } end, nil,
         "size" },
      ["is empty without end"] = { function() return { source = function() return "" end } end },
   } do
      it("because it " .. what .. " ends the connection before the message's end", function()
         local err, peer = sent(row[1]())
         assert.same({ "source", row[2], "no" }, { err.kind, err.cause, err.sent })
         if row[3] then assert.equal(row[3], err.reason) end
         assert.is_nil((peer.body or ""):find("\r\n.\r\n", 1, true))
         assert.truthy(peer.closed)
      end)
   end

   it("because the file grew or shrank since it was looked at does so, too", function()
      for _, now in ipairs { ("x"):rep(100001), ("x"):rep(99999), "" } do
         with_file(("x"):rep(100000), function(path)
            local peer = talk.peer(opening)
            local connect = peer.connect
            function peer.connect(...)
               local file = io.open(path, "wb")
               file:write(now)
               file:close()
               return connect(...)
            end
            local _, err = safe.send(talk.options({ raw = false, text = "x", attachments = { path = path } }, peer))
            assert.same({ "source", "size", "no" }, { err.kind, err.reason, err.sent })
            assert.is_nil((peer.body or ""):find("\r\n.\r\n", 1, true))
         end)
      end
   end)

   it("because the file is gone does so, too", function()
      local path = os.tmpname()
      local peer = talk.peer(opening)
      local connect = peer.connect
      function peer.connect(...)
         os.remove(path)
         return connect(...)
      end
      local _, err = safe.send(talk.options({ raw = false, text = "x", attachments = { path = path } }, peer))
      assert.equal("source", err.kind)
   end)

   it("is reported with its cause by the composer alone as well", function()
      local made, err = message { attachments = { source = function() error("broken", 0) end } }
      assert.is_nil(made)
      assert.same({ "source", "broken" }, { err.kind, err.cause })
      assert.truthy(tostring(err):find("raised an error: broken", 1, true))
   end)

   it("may yield, also under Lua 5.1", function()
      local i = 0
      local peer = talk.peer(script([[
         <opening>
         S: 250 ok
         <bye>
      ]], { opening = opening }))
      local thread = coroutine.create(function()
         return safe.send(talk.options({ raw = false, text = "x", attachments = { source = function()
            i = i + 1
            coroutine.yield("pause")
            return i < 4 and "piece" or nil
         end } }, peer))
      end)
      local pauses = 0
      local ok, said = coroutine.resume(thread)
      while said == "pause" do
         pauses = pauses + 1
         ok, said = coroutine.resume(thread)
      end
      assert.is_true(ok)
      assert.equal("accepted", said.recipients[1].state)
      assert.equal(4, pauses)
   end)
end)

describe("a source of a function", function()
   it("can be read once", function()
      local one = source.of_function(coroutine.wrap(function() coroutine.yield "x" end), nil, "raw")
      local read = one.open()
      assert.equal("x", read())
      assert.is_nil(read())
      local piece, trouble = one.open()()
      assert.is_false(piece)
      assert.equal("raw can be read only once", trouble.what)
   end)
end)

describe("files", function()
   local open = io.open

   after_each(function() io.open = open end) -- luacheck: ignore

   it("that were read in part are closed when the message is over", function()
      local path, files = os.tmpname(), {}
      local file = assert(open(path, "wb"))
      file:write(("x"):rep(500000))
      file:close()
      io.open = function(name, ...) -- luacheck: ignore
         local opened, why, errno = open(name, ...)
         if name == path then files[#files + 1] = opened end
         return opened, why, errno
      end
      local sink, left = safe.sink {}, 200000
      local transport = sink:transport()
      local function send(self, data)
         left = left - #data
         if left < 0 then return nil, "closed" end
         return transport.send(self, data)
      end
      local options = talk.options { attachments = { { path = path } }, raw = false, text = "x", tls = "skip",
         timeout = 20 }
      options.host, options.port, options.transport = nil, nil, setmetatable({ send = send }, { __index = transport })
      local _, err = safe.send(options)
      assert.equal("disconnected", err.kind, tostring(err))
      os.remove(path)
      assert.truthy(#files > 0)
      for i = 1, #files do assert.equal("closed file", io.type(files[i])) end
   end)

   it("of /proc, which have a content but no size, are sent", function()
      local path = "/proc/self/status"
      local file = io.open(path, "rb")
      if not file then return end
      local size = file:seek "end"
      file:close()
      if size ~= 0 then return end
      local t = { from = "ann@me.example", to = "bob@there.example" }
      t.raw = io.open(path, "rb")
      assert.matches("^Name:", tostring(assert(safe.message(t))))
      t.raw:close()
      t.raw, t.attachments = nil, { path = path }
      assert.matches("status", tostring(assert(safe.message(t))), 1, true)
   end)

   it("in which the place to read from cannot be found again are not sent from another place", function()
      for fails_at = 2, 4 do
         local count, at = 0, 3
         local file = { read = function(_, len) return len == 0 and "" or nil end, seek = function(_, whence, place)
            count = count + 1
            if count == fails_at then return nil, "Input/output error" end
            at = whence == "end" and 9 or place or at
            return at
         end }
         local one, why = source.of_file(file)
         if fails_at == 2 then
            assert.falsy(one.again) -- it has no end: it is read from where it is
            assert.equal(3, at)
         elseif fails_at == 3 then
            assert.same({ nil, "Input/output error" }, { one, why })
         else
            local piece, trouble = one.open()()
            assert.is_false(piece)
            assert.equal("Input/output error", trouble.cause)
         end
      end
   end)
end)
