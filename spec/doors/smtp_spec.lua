local smtp = require "smtp"

describe("errors", function()
   it("are raised as they are by smtp, and returned by smtp.safe", function()
      local ok, err = pcall(smtp.send, { nonsense = true })
      assert.is_false(ok)
      assert.is_true(smtp.is_error(err, smtp.UsageError))
      local receipt, same = require("smtp.safe").send { nonsense = true }
      assert.is_nil(receipt)
      assert.equal(tostring(err), tostring(same))
   end)
end)
