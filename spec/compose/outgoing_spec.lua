local checked = require "spec.tools.checked"
local request = require "smtp.client.request"
local safe = require "smtp.safe"
local source = require "smtp.compose.source"

local with, refused, server = checked.with, checked.refused, checked.server

describe("what is sent", function()
   -- Everything that takes text, and what it must not take.
   local attacks = { "x\r\nRCPT TO:<evil@x>", "x\nBcc: evil@x", "x\rx", "x\0x" }
   for _, name in ipairs { "from", "to", "cc", "bcc", "reply_to", "sender", "subject", "message_id",
      "date" } do
      for i, attack in ipairs(attacks) do
         it(("%s refuses attack %d"):format(name, i), function()
            local value = attack
            if name ~= "subject" and name ~= "message_id" and name ~= "date" then
               value = "a@b.example>" .. attack
            end
            refused { [name] = value }
         end)
      end
   end

   it("refuses attacks in names, headers and envelope", function()
      for _, attack in ipairs(attacks) do
         refused { to = { name = attack, address = "a@b.example" } }
         refused { to = "\"" .. attack .. "\" <a@b.example>" }
         refused { headers = { ["X-A"] = attack } }
         refused { headers = { [attack] = "x" } }
         refused { headers = { { "X-A", attack } } }
         refused { envelope = { from = "a@b.example>" .. attack } }
         refused { envelope = { to = "a@b.example>" .. attack } }
      end
   end)

   it("needs a recipient and a sender", function()
      local t = with {}
      t.to = nil
      assert.equal("to", select(2, safe.send(t)).option)
      t = with { to = {} }
      assert.equal("to", select(2, safe.send(t)).option)
      t = with {}
      t.from = nil
      assert.equal("from", select(2, safe.send(t)).option)
      assert.equal("sender", refused({ from = { "a@x.example", "b@x.example" } }).option)
   end)

   it("as several addresses in one string is refused with a hint", function()
      local err = refused { to = "a@x.example, b@x.example" }
      assert.equal("address", err.kind)
      assert.truthy(err.hint:find("list", 1, true))
   end)

   it("goes once to each of to, cc and bcc", function()
      local _, mail = server { to = { "a@x.example", "b@x.example" }, cc = "a@x.example",
         bcc = "c@x.example" }
      assert.same({ "a@x.example", "b@x.example", "c@x.example" }, mail.to)
      local bytes = {}
      for piece in source.of_message(mail).open() do bytes[#bytes + 1] = piece end
      bytes = table.concat(bytes)
      assert.truthy(bytes:find("b@x.example", 1, true))
      assert.is_nil(bytes:find("c@x.example", 1, true))
      assert.is_nil(("\n" .. bytes:lower()):find("\nbcc", 1, true))
   end)

   it("may have another envelope than its headers say", function()
      local _, mail = server { envelope = { from = "", to = { "z@x.example" } } }
      assert.same({ "", { "z@x.example" } }, { mail.from, mail.to })
      _, mail = server { cc = "c@x.example", bcc = "d@x.example", envelope = { to = "z@x.example" } }
      assert.same({ "z@x.example" }, mail.to)
   end)

   it("leaves the caller's tables alone, and runs nothing of theirs", function()
      local to = setmetatable({ "bob@there.example" }, { __index = function() error("ran") end })
      local t = with { to = to }
      setmetatable(t, { __index = function() error("ran") end })
      assert.is_table((request.send(t)))
      assert.same({ "bob@there.example" }, { rawget(to, 1) })
      assert.is_nil(rawget(t, "port"))
   end)
end)

describe("a composed message that is small and in memory", function()
   local keys = require "spec.tools.dkim_keys"
   local sign = require "smtp.compose.sign"

   local function mail_of(more)
      local t = { from = "a@x.example", to = "b@x.example", subject = "hi", text = "one\ntwo" }
      for name, value in pairs(more or {}) do t[name] = value end
      local mail = assert(request.message(t))
      assert(sign.message(mail, math.huge))
      return mail
   end

   local function whole(mail)
      local list = {}
      for piece in source.of_message(mail).open() do list[#list + 1] = piece end
      return table.concat(list)
   end

   it("is handed over as one string, signed or not", function()
      local dkim = { domain = "x.example", selector = "s", key = (keys.make()("rsa")) }
      for _, more in ipairs { {}, { html = "<b>hi</b>" }, { attachments = { { content = "a", filename = "b" } } },
         { dkim = dkim } } do
         local mail = mail_of(more)
         assert.equal(whole(mail), mail.text)
         assert.equal(#mail.text, mail.size)
      end
   end)

   it("is streamed where it is large, or a file or a function gives a part of it", function()
      assert.is_nil(mail_of({ text = ("x\n"):rep(200000) }).text)
      assert.is_nil(mail_of({ attachments = { { path = "LICENSE" } } }).text)
      assert.is_nil(mail_of({ attachments = { { source = function() end, filename = "a" } } }).text)
   end)
end)
