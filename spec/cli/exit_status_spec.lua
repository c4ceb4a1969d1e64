local command = require "spec.tools.command"
local errors = require "smtp.errors"
local exit_status = require "smtp.cli.exit_status"

describe("The exit status", function()
   it("of every class of errors is listed", function()
      local listed = {}
      for _, row in ipairs(exit_status.list) do listed[row[1]] = row[2] end
      for _, class in pairs(errors.classes) do
         assert.is_truthy(listed[exit_status.of(errors.new(class.kind, {}))], class.kind)
      end
   end)

   it("is 66 where a file cannot be read", function()
      for _, flags in ipairs { "--attach /nonexistent --text x", "--text-file /nonexistent", "--html-file /nonexistent",
         "--calendar /nonexistent", "--text x --username ann --password-file /nonexistent", "--attach /tmp --text x",
         "--text x --tls require --tls-ca-file /nonexistent" } do
         local said, status = command.smtp("send -S localhost -p 1 -f ann@x.example -t bob@x.example " .. flags)
         assert.equal(66, status, said)
         assert.equal(1, said:find("lua-smtp: " .. flags:match("(%-%-[a-z-]+) /"), 1, true), said)
      end
   end)

   it("is 75 where a later attempt may help, and 77 where the recipients are not at fault", function()
      assert.equal(75, exit_status.of(errors.new("data_refused", { retry = "later" })))
      assert.equal(77, exit_status.of(errors.new("recipients_refused", { concerns = "sender" })))
      assert.equal(67, exit_status.of(errors.new("recipients_refused", {})))
      assert.equal(78, exit_status.of(errors.new("usage", { option = "accounts" })))
      assert.equal(70, exit_status.of(errors.new("error", {})))
   end)
end)
