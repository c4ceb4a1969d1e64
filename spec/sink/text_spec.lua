local safe = require "smtp.safe"
local sinks = require "spec.tools.sinks"

describe("to the sink, a message beyond its limit", function()
   local body = ("x"):rep(98) .. "\r\n"

   -- -> what the sink said, how many KiB it had at most
   local function feed(options, before, count, after)
      local sink = assert(safe.sink(options))
      local client = sink:transport()
      client:connect()
      client:send(before)
      local piece = body:rep(600)
      collectgarbage()
      local base, most = collectgarbage("count"), 0
      for _ = 1, count do
         client:send(piece)
         if collectgarbage("count") - base > 5000 then collectgarbage() end
         most = math.max(most, collectgarbage("count") - base)
      end
      client:send(after)
      return sinks.hear(client), most, sink
   end

   local hello_line = "%s me.example\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nRCPT TO:<c@b.example>\r\n"
   local small = "RSET\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\nhello\r\n.\r\nNOOP\r\n"

   for _, verb in ipairs { "EHLO", "HELO", "LHLO" } do
      it("is read but not kept, by DATA after " .. verb, function()
         local said, most, sink = feed({ capabilities = { "SIZE 1000000" },
            protocol = verb == "LHLO" and "lmtp" or nil }, hello_line:format(verb) .. "DATA\r\n", 250,
            "\r\n.\r\n" .. small)
         local _, count = said:gsub("552 5.3.4", "")
         assert.equal(verb == "LHLO" and 2 or 1, count)
         local line = "[^\n]*\n"
         assert.matches("552 5.3.4" .. line .. "250 2.0.0 ok\r\n250 " .. line .. "250 " .. line .. "354 " .. line
            .. "250 2" .. line .. "250 2.0.0 ok\r\n$", said)
         assert.same({ 1, "hello\r\n" }, { #sink.messages, sink.messages[1].data })
         assert(most < 9000, most .. " KiB")
      end)
   end

   it("is read but not kept, by BDAT in one chunk and in many", function()
      local said, most, sink = feed({ capabilities = { "SIZE 1000000", "CHUNKING" } }, hello_line:format("EHLO")
         .. "BDAT 15000000 LAST\r\n", 250, small)
      assert.matches("552 5.3.4[^\n]*\n250 2.0.0 ok\r\n", said)
      assert.equal(1, #sink.messages)
      assert(most < 9000, most .. " KiB")
      said = feed({ capabilities = { "SIZE 1000000", "CHUNKING" } },
         hello_line:format("EHLO") .. "BDAT 1200000\r\n", 20, "BDAT 6 LAST\r\nQUIT\r\n" .. small)
      assert.matches("552 5.3.4[^\n]*\n503 [^\n]*\n250 2.0.0 ok\r\n", said)
   end)

   it("is just within it where its dots are not counted", function()
      local text = (".\r\n"):rep(300)
      local client = safe.sink { capabilities = { "SIZE " .. #text } }:transport()
      client:connect()
      client:send("EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n")
      local sent = text:gsub("%.", "..") .. ".\r\n"
      for at = 1, #sent, 7 do client:send(sent:sub(at, at + 6)) end
      assert.matches("354 [^\n]*\n250 2.0.0 queued", sinks.hear(client))
   end)
end)

describe("to the sink, a message is the same in pieces of any size", function()
   -- After CRLF, a dot is removed only where CRLF comes before it; after LF alone, where LF does.
   local texts = {
      { "", "", "" },
      { "\r\n..dot\r\n", "\r\n.dot\r\n" },
      { "\r\n\r\n..\r\n", "\r\n\r\n.\r\n" },
      { "\n\r\nSubject: x\r\n\r\n..dot\r\n", "\n\r\nSubject: x\r\n\r\n.dot\r\n" },
      { "\n..\r\n", "\n..\r\n", "\n.\r\n" },
      { "\r\r\n..\r\n", "\r\r\n.\r\n" },
      { "..\r\n\n..\r\n", ".\r\n\n..\r\n", ".\r\n\n.\r\n" },
   }

   for i, line_end in ipairs { "\r\n", "\n" } do
      it("after commands that end with " .. (i == 1 and "CRLF" or "LF"), function()
         local commands = ("EHLO x\nMAIL FROM:<>\nRCPT TO:<a@b.example>\nDATA\n"):gsub("\n", line_end)
         for _, text in ipairs(texts) do
            local input, expected = commands .. text[1] .. "." .. line_end, text[i + 1] or text[2]
            for size = 1, #input do
               local sink = safe.sink {}
               local client = sink:transport()
               client:connect()
               for at = 1, #input, size do client:send(input:sub(at, at + size - 1)) end
               assert.same({ expected, size }, { sink.messages[1].data, size })
            end
         end
      end)
   end
end)
