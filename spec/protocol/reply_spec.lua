local talk = require "spec.tools.talk"

local script = talk.snippets {
   rest = [[
      C: RCPT TO:<bob@there.example>
      S: 250 ok
      C: DATA
      S: 354 go
      MESSAGE
      S: 250 ok
      <bye>
   ]],
}

describe("a reply", function()
   for _, reply in ipairs { "S: 250", "S: 250 ", [[
      S: 250-
      S: 250
   ]], [[
      S: 250-a
      S: 250-b
      S: 250 c
   ]],
      "S~ 250 ok\\n", "S~ 250-a\\n250 b\\n", "S: 250 a\\rb" } do
      it("may be " .. reply, function()
         local _, err = talk.send({}, script([[
            <hello>
            C: MAIL FROM:<ann@me.example>
            <reply>
            <rest>
         ]], { reply = reply }))
         assert.is_nil(err)
      end)
   end

   for _, line in ipairs { "25", "2", "", "25x", "2500 x", "012 x", "+25 x", " 250 x", "250x", "250_x",
      "199 x", "000 x", "600 x", "999 x", "250\\tx", "250 a\\0b" } do
      it("cannot be '" .. line .. "'", function()
         local _, err = talk.send({}, script([[
            <hello>
            C: MAIL FROM:<ann@me.example>
            S: $line
         ]], { line = line }))
         assert.equal("protocol", err.kind)
         assert.equal("malformed", err.reason)
         assert.equal("unsent", err.recipients[1].state)
      end)
   end

   for _, lines in ipairs { [[
      S: 550-a
      S: 250 b
   ]], [[
      S: 250-a
      S: 550 b
   ]], [[
      S: 250-a
      S: 251 b
   ]] } do
      it("cannot contradict itself: " .. lines, function()
         local _, err = talk.send({}, script([[
            <hello>
            C: MAIL FROM:<ann@me.example>
            <lines>
         ]], { lines = lines }))
         assert.equal("mixed_codes", err.reason)
      end)
   end

   for _, lines in ipairs { [[
      S: 250-a
      S: 250+b
   ]], [[
      S: 250-a
      S: foo
      S: 250 b
   ]] } do
      it("cannot lose its form: " .. lines, function()
         local _, err = talk.send({}, script([[
            <hello>
            C: MAIL FROM:<ann@me.example>
            <lines>
         ]], { lines = lines }))
         assert.equal("malformed", err.reason)
      end)
   end

   it("cut by the end of the connection does not count", function()
      for _, part in ipairs { "2", "25", "250", "250 ok", "250-a\\r\\n", "250 ok\\r" } do
         local _, err = talk.send({}, script([[
            <hello>
            C: MAIL FROM:<ann@me.example>
            S~ $part
            CLOSE
         ]], { part = part }))
         assert.equal("disconnected", err.kind)
         if #part < 3 then assert.equal(part, err.text) end
      end
   end)

   it("of just as many lines as there may be is taken", function()
      local _, err = talk.send({}, script([[
         <hello>
         C: MAIL FROM:<ann@me.example>
         <repeated>
         S: 250 x
         <rest>
      ]], { repeated = ("S: 250-x\n"):rep(255) }))
      assert.is_nil(err)
   end)

   it("with control bytes and broken UTF-8 is made printable", function()
      local _, err = talk.send({}, script [[
         <hello>
         C: MAIL FROM:<ann@me.example>
         S: 550 a\x1B[31m\xC3\xA4\xFF\xC3 b\xC2\x9B1m\xC2\xA0
         <bye>
      ]])
      local shown = "a?[31m\195\164?? b??1m\194\160"
      assert.equal(shown, err.text)
      assert.equal("S: 550 " .. shown, err.transcript[#err.transcript - 2])
   end)

   for _, at in ipairs { "", [[
      C: MAIL FROM:<ann@me.example>
      S: 250 ok
   ]],
      [[
         C: MAIL FROM:<ann@me.example>
         S: 250 ok
         C: RCPT TO:<bob@there.example>
         S: 250 ok
      ]] } do
      it("that was not asked for is an error after '" .. at:match("([^\n]*)\n?$") .. "'", function()
         local _, err = talk.send({}, script([[
            <hello>
            <at>
            S: 250 surprise
         ]], { at = at }))
         assert.equal("protocol", err.kind)
         assert.equal("unasked", err.reason)
         assert.equal("unsent", err.recipients[1].state)
      end)
   end
end)

describe("enhanced status codes", function()
   for line, want in pairs {
      ["550 5.1.1 x"] = { "5.1.1", "x" }, ["550 4.1.1 x"] = { nil, "4.1.1 x" },
      ["550 5.1.1000 x"] = { nil, "5.1.1000 x" }, ["550 5..1 x"] = { nil, "5..1 x" },
      ["550 5.1 x"] = { nil, "5.1 x" }, ["550 5.123.456"] = { "5.123.456", "" },
      ["550 x 5.1.1"] = { nil, "x 5.1.1" },
   } do
      it("are read from '" .. line .. "' as they should", function()
         local _, err = talk.send({}, script([[
            <hello>
            C: MAIL FROM:<ann@me.example>
            S: $line
            <bye>
         ]], { line = line }))
         assert.equal(want[1], err.enhanced)
         assert.equal(want[2], err.text)
      end)
   end

   it("are taken from each line of a reply", function()
      local _, err = talk.send({}, script [[
         <hello>
         C: MAIL FROM:<ann@me.example>
         S: 550-5.7.1 one
         S: 550 5.7.1 two
         <bye>
      ]])
      assert.equal("5.7.1", err.enhanced)
      assert.equal("one\ntwo", err.text)
      assert.is_nil(tostring(err):find("\n"))
   end)
end)
