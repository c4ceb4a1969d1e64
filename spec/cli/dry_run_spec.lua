local command = require "spec.tools.command"
local interpreter = require("spec.tools.peer").interpreter

local message = command.message

describe("lua-smtp send --dry-run", function()
   it("prints the message byte for byte, and connects to nothing", function()
      local name = os.tmpname()
      local said, status = command.smtp("send -n --port 1 --bcc eve@there.example" .. message .. " 2>&1 >" .. name
         .. " | cat")
      local text = command.read(name)
      os.remove(name)
      assert.equal(0, status)
      assert.equal("lua-smtp: nothing was sent; the envelope is from <ann@me.example> to <bob@there.example>, "
         .. "<eve@there.example>\n", said)
      assert.matches("\r\nFrom: ann@me.example\r\nTo: bob@there.example\r\nSubject: Hi\r\n", text, 1, true)
      assert.matches("\r\n\r\nhello\r\n$", text)
      assert.is_nil(text:find("eve", 1, true))
   end)

   it("prints JSON", function()
      local said, status = command.smtp("send -n --json" .. message)
      assert.equal(0, status)
      assert.matches('"envelope":{"from":"ann@me.example","to":["bob@there.example"]}', said, 1, true)
      assert.matches('"data":"Date: ', said, 1, true)
   end)

   it("asks for no password, and checks all other options", function()
      assert.equal(0, (select(2, command.smtp("send -n --username ann" .. message))))
      for _, flags in ipairs { "--quit-after EHLO", "--port x", "--tls ssl", "--cc bob", "--attach /nonexistent",
         "--timeout 9999" } do
         assert.equal(flags:find("/nonexistent", 1, true) and 66 or 64,
            (select(2, command.smtp("send -n " .. flags .. message))), flags)
      end
   end)

   it("prints the message that --raw reads", function()
      local said = command.own("sh -c \"printf 'Subject: raw\\n\\nbody\\n' | " .. interpreter
         .. " csrc/lua-smtp send -nf a@x.example -t b@x.example --raw 2>/dev/null\"")
      assert.equal("Subject: raw\r\n\r\nbody\r\n", said)
   end)
end)
