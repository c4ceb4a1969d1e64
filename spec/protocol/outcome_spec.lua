-- What an error says of a refusal: which command, which stage, which of its causes.
local talk = require "spec.tools.talk"
local smtp = require "smtp.safe"

local script = talk.snippets {
   envelope = [[
      <hello>
      C: MAIL FROM:<ann@me.example>
      S: 250 ok
      C: RCPT TO:<bob@there.example>
      S: 250 ok
      C: DATA
   ]],
}

describe("err.command", function()
   local opening = script "<hello PIPELINING>"
   local flight = [[
      C: MAIL FROM:<ann@me.example>
      C: RCPT TO:<bob@there.example>
      C: DATA
   ]]
   local ending = script "<bye>"

   for command, replies in pairs {
      ["MAIL FROM:<ann@me.example>"] = [[
         S: 550 no
         S: 503 no
         S: 503 no
      ]],
      ["RCPT TO:<bob@there.example>"] = [[
         S: 250 ok
         S: 550 no
         S: 503 no
      ]],
      ["DATA"] = [[
         S: 250 ok
         S: 250 ok
         S: 354 go
         MESSAGE
         S: 554 no
      ]],
   } do
      it("is what was refused, not what was said after it: " .. command, function()
         local _, err = talk.send({ raw = "x" }, opening .. flight .. replies .. ending)
         assert.equal(command, err.command)
      end)
   end

   it("is never that of the greeting", function()
      local _, err = talk.send({}, script([[
         S: 554 no
         <ending>
      ]], { ending = ending }))
      assert.equal("QUIT", err.command)
   end)
end)

-- Of a message that is too large some servers say so only after they have seen it (RFC 1870 6.4).
describe("a message refused for its size", function()
   local chunks = script([[
      <to_chunking>
      C: BDAT 21 LAST
      OCTETS 21
   ]], {
      to_chunking = script.envelope:gsub("S: 250 mx\n", "S: 250-mx\nS: 250 CHUNKING\n"):gsub("C: DATA\n", ""),
   })
   local places = { [script.envelope] = "data", [script [[
      <envelope>
      S: 354 go
      MESSAGE
   ]]] = "final", [chunks] = "final" }

   for line, kind in pairs { ["552 5.3.4 too big"] = "message_too_large", ["552 5.2.3 too big"] = "message_too_large",
      ["552 too big"] = "message_too_large", ["523 too big"] = "message_too_large",
      ["552 5.2.2 over quota"] = "data_refused",
      ["552 5.7.0 virus"] = "data_refused", ["534 no"] = "data_refused", ["554 5.3.4 no"] = "data_refused" } do
      for place, stage in pairs(places) do
         it(("by %s is %s, at %s"):format(line, kind, stage .. (place == chunks and " (BDAT)" or "")), function()
            local _, err = talk.send({}, script([[
               <place>
               S: $line
               <bye>
            ]], { place = place, line = line }))
            assert.same({ kind, stage, tonumber(line:sub(1, 3)), line:find("quota") and "later" or "never", "no",
               "refused" },
               { err.kind, err.stage, err.code, err.retry, err.sent, err.recipients[1].state })
            assert.equal(line:match("%l.*$"), err.recipients[1].text)
            if kind == "message_too_large" then assert.equal(21, err.size) end
         end)
      end
   end

   it("is one in LMTP where every recipient's verdict says so", function()
      local _, err = talk.send({ protocol = "lmtp" }, script([[
         <lmtp_envelope>
         S: 354 go
         MESSAGE
         S: 552 5.3.4 too big
         <bye>
      ]], { lmtp_envelope = script.envelope:gsub("EHLO", "LHLO") }))
      assert.same({ "message_too_large", "refused" }, { err.kind, err.recipients[1].state })
   end)

   it("leaves a connection usable, and is one message's in send_many", function()
      local one = [[
         C: MAIL FROM:<ann@me.example>
         S: 250 ok
         C: RCPT TO:<bob@there.example>
         S: 250 ok
         C: DATA
      ]]
      local options = talk.options({ from = false, to = false, raw = false }, talk.peer(script([[
         <hello>
         <one>
         S: 354 go
         MESSAGE
         S: 552 5.3.4 too big
         <one>
         S: 354 go
         MESSAGE
         S: 250 ok
         <bye>
      ]], { one = one })))
      local message = { from = "ann@me.example", to = "bob@there.example", raw = "x" }
      local summary = smtp.send_many(options, { message, message })
      assert.same({ "message_too_large", 1 }, { summary.results[1].kind, summary.sent })
   end)
end)
