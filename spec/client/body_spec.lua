local smtp = require "smtp.safe"
local spec_server = require "spec.tools.server"
local talk = require "spec.tools.talk"

local script = talk.snippets {
   envelope = [[
      <hello>
      C: MAIL FROM:<ann@me.example>
      S: 250 ok
      C: RCPT TO:<bob@there.example>
      S: 250 ok
      C: DATA
   ]],
   go = [[
      <envelope>
      S: 354 go
      MESSAGE
   ]],
}

local pieces = talk.pieces

local function wire(raw)
   local _, err, peer = talk.send({ raw = raw }, script [[
      <go>
      S: 250 ok
      <bye>
   ]])
   assert.is_nil(err)
   return peer.body
end

describe("a streamed message", function()
   local cut = script [[
      <envelope>
      S: 354 go
      SILENCE
   ]]

   for name, list in pairs { ["a NUL"] = { "a", "b\0c" }, ["a line over 998 octets"] =
      { ("x"):rep(600), ("x"):rep(600) }, ["undeclared 8-bit bytes"] = { "a", "\195\164" } } do
      it("with " .. name .. " is cut before its end", function()
         local _, err = talk.send({ raw = pieces(list) }, cut)
         assert.equal("source", err.kind)
         assert.equal("body", err.stage)
         assert.equal("unsent", err.recipients[1].state)
         assert.equal("no", err.sent)
      end)
   end

   it("in many small pieces is whole", function()
      assert.equal("a\r\n..b\r\n.\r\n", wire(pieces { "a", "\r", "\n", ".", "", "b" }))
   end)

   it("that yields is passed on", function()
      local safe = require "smtp.safe"
      local peer = talk.peer(script [[
         <go>
         S: 250 ok
         <bye>
      ]])
      local list = { "a\r\n", "b\r\n" }
      local thread = coroutine.create(function()
         return safe.send(talk.options({ raw = function()
            coroutine.yield("waiting")
            return table.remove(list, 1)
         end }, peer))
      end)
      local yields = 0
      local ok, result = coroutine.resume(thread)
      while ok and result == "waiting" do
         yields = yields + 1
         ok, result = coroutine.resume(thread)
      end
      assert.is_true(ok)
      assert.same({ "bob@there.example" }, result.accepted)
      assert.equal(3, yields)
      assert.equal("a\r\nb\r\n.\r\n", peer.body)
   end)

   for name, source in pairs {
      ["raises"] = function() error("disk on fire", 0) end,
      ["returns nil and an error"] = function() return nil, "disk on fire" end,
      ["returns a number"] = function() return 7 end,
      ["returns empty strings without end"] = function() return "" end,
      -- In nginx something always resumes it.
      ["yields where nobody can resume it"] = not package.loaded.ngx and function() coroutine.yield() end or nil,
   } do
      it("whose function " .. name .. " is a SourceError, and nothing was delivered", function()
         local _, err = talk.send({ raw = source }, cut)
         assert.equal("source", err.kind)
         assert.equal("never", err.retry)
         assert.equal("unsent", err.recipients[1].state)
         if name:find("error") then assert.equal("disk on fire", err.cause) end
      end)
   end

   it("of another length than declared never ends", function()
      for _, size in ipairs { 3, 5 } do
         local _, err = talk.send({ raw = pieces { "ab", "cd" }, size = size }, cut)
         assert.equal("source", err.kind)
         assert.equal("size", err.reason)
      end
      assert.is_nil((select(2, talk.send({ raw = pieces { "ab", "cd" }, size = 4 },
         script [[
            <go>
            S: 250 ok
            <bye>
         ]]))))
   end)
end)

local message = talk.message

local function options(more, servers)
   return talk.options_to(servers, more)
end

local function repeated(piece, count)
   return function()
      count = count - 1
      return count >= 0 and piece or nil
   end
end

describe("A message", function()
   it("that was read from a file leaves nothing of it in memory", function()
      local function used()
         collectgarbage()
         collectgarbage()
         return collectgarbage "count"
      end
      local server = spec_server.new {}
      local connection = assert(smtp.connect(options({}, { server })))
      local file = assert(io.tmpfile())
      file:write(("x"):rep(70), "\r\n", (("y"):rep(70) .. "\r\n"):rep(3000))
      local function send()
         file:seek("set", 0)
         assert(connection:send(message { raw = file }))
         server.taken[1] = nil
      end
      file:seek("set", 0)
      assert(connection:send(message { raw = "x\r\n" }))
      server.taken[1] = nil
      local before, least = used(), math.huge
      for _ = 1, 3 do -- what else is in memory may grow meanwhile
         send()
         least = math.min(least, used() - before)
      end
      assert.truthy(least < 100, least) -- KiB: a piece has 124
      connection:close()
      file:close()
   end)

   it("has nothing of the one before it, which was refused on its way", function()
      local refused = false
      local server = spec_server.new { reply = function(_, what)
         if what == "chunk" and not refused then
            refused = true
            return "554 no"
         end
      end }
      local connection = assert(smtp.connect(options({}, { server })))
      local _, err = connection:send(message { raw = repeated(("one "):rep(18) .. "\r\n", 2000) })
      assert.equal("data_refused", err.kind)
      assert(connection:send(message { raw = repeated("two\r\n", 1) }))
      assert.equal(1, #server.taken)
      assert.equal("two\r\n", server.taken[1].body)
   end)
end)
