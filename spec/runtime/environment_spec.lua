-- What needs nginx, where there is none.
local safe = require "smtp.safe"

describe("smtp.defer outside nginx", function()
   it("sends its user to smtp.send", function()
      local _, err = safe.defer { from = "a@b", to = "c@d", text = "" }
      assert.equal("usage", err.kind)
      assert.truthy(err.hint:find("smtp.send", 1, true))
   end)
end)
