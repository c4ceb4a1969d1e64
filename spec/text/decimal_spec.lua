-- Numbers as digits, as MAIL says them in SIZE.
local core = require "smtp.core"
local sessions = require "spec.tools.sessions"

describe("a number", function()
   for _, digits in ipairs { "1", "9", "10", "99", "100", "65535", "65536", "4294967295", "4294967296",
      "9007199254740991" } do
      it("is written with all its digits: " .. digits, function()
         local session = sessions.open({}, "250-SIZE\r\n")
         session:add(core.transaction { from = "a@x", to = { "b@x" }, size = tonumber(digits), source_len = 1 })
         assert.equal("MAIL FROM:<a@x> SIZE=" .. digits .. "\r\n", session:output())
      end)
   end
end)
