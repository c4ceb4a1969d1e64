local talk = require "spec.talk"

local hi = "S: 220 hi\nC: EHLO me.example\nS: 250 mx\n"
local mail = "C: MAIL FROM:<ann@me.example>\n"
local bye = "C: QUIT\nS: 221 bye\n"
local rest = "C: RCPT TO:<bob@there.example>\nS: 250 ok\nC: DATA\nS: 354 go\nMESSAGE\nS: 250 ok\n" .. bye

describe("a reply", function()
   for _, reply in ipairs { "S: 250", "S: 250 ", "S: 250-\nS: 250", "S: 250-a\nS: 250-b\nS: 250 c",
      "S~ 250 ok\\n", "S~ 250-a\\n250 b\\n", "S: 250 a\\rb" } do
      it("may be " .. reply, function()
         local _, err = talk.send({}, hi .. mail .. reply .. "\n" .. rest)
         assert.is_nil(err)
      end)
   end

   for _, line in ipairs { "25", "2", "", "25x", "2500 x", "012 x", "+25 x", " 250 x", "250x", "250_x",
      "199 x", "000 x", "600 x", "999 x", "250\\tx", "250 a\\0b" } do
      it("cannot be '" .. line .. "'", function()
         local _, err = talk.send({}, hi .. mail .. "S: " .. line)
         assert.equal("protocol", err.kind)
         assert.equal("malformed", err.reason)
         assert.equal("unsent", err.recipients[1].state)
      end)
   end

   for _, lines in ipairs { "S: 550-a\nS: 250 b", "S: 250-a\nS: 550 b", "S: 250-a\nS: 251 b" } do
      it("cannot contradict itself: " .. lines, function()
         local _, err = talk.send({}, hi .. mail .. lines)
         assert.equal("mixed_codes", err.reason)
      end)
   end

   for _, lines in ipairs { "S: 250-a\nS: 250+b", "S: 250-a\nS: foo\nS: 250 b" } do
      it("cannot lose its form: " .. lines, function()
         local _, err = talk.send({}, hi .. mail .. lines)
         assert.equal("malformed", err.reason)
      end)
   end

   it("cut by the end of the connection is none", function()
      for _, part in ipairs { "25", "250", "250 ok", "250-a\\r\\n", "250 ok\\r" } do
         local _, err = talk.send({}, hi .. mail .. "S~ " .. part .. "\nCLOSE")
         assert.equal("disconnected", err.kind)
      end
   end)

   it("of a very long line is kept to a bound, and its code is right", function()
      local _, err = talk.send({}, hi .. mail .. "S: 550 5.7.1 " .. ("x"):rep(5000) .. "\n" .. bye)
      assert.equal(550, err.code)
      assert.equal("5.7.1", err.enhanced)
      assert.truthy(#err.text <= 512 and err.text:find("[cut]", 1, true))
   end)

   it("of an endless line is refused", function()
      local _, err = talk.send({}, hi .. mail .. "S~ 250 " .. ("x"):rep(13000))
      assert.equal("too_long", err.reason)
   end)

   it("of endless lines is refused", function()
      local _, err = talk.send({}, hi .. mail .. ("S: 250-x\n"):rep(300))
      assert.equal("too_long", err.reason)
      _, err = talk.send({}, hi .. mail .. ("S: 250-" .. ("x"):rep(1000) .. "\n"):rep(70))
      assert.equal("too_long", err.reason)
   end)

   it("of just as many lines as there may be is taken", function()
      local _, err = talk.send({}, hi .. mail .. ("S: 250-x\n"):rep(255) .. "S: 250 x\n" .. rest)
      assert.is_nil(err)
   end)

   it("with control bytes and broken UTF-8 is made printable", function()
      local _, err = talk.send({}, hi .. mail
         .. "S: 550 a\\x1B[31m\\xC3\\xA4\\xFF\\xC3 b\\xC2\\x9B1m\\xC2\\xA0\n" .. bye)
      local shown = "a?[31m\195\164?? b??1m\194\160"
      assert.equal(shown, err.text)
      assert.equal("S: 550 " .. shown, err.transcript[#err.transcript - 2])
   end)

   for _, at in ipairs { "", mail .. "S: 250 ok\n",
      mail .. "S: 250 ok\nC: RCPT TO:<bob@there.example>\nS: 250 ok\n" } do
      it("that nobody asked for is an error after '" .. at:match("([^\n]*)\n?$") .. "'", function()
         local _, err = talk.send({}, hi .. at .. "S: 250 surprise")
         assert.equal("protocol", err.kind)
         assert.equal("unasked", err.reason)
         assert.equal("unsent", err.recipients[1].state)
      end)
   end
end)
