local core = require "smtp.core"
local sockets = require "spec.tools.sockets"

local send = sockets.send

describe("a look-up", function()
   it("to a name that does not exist fails in the look-up", function()
      local started = core.now()
      local _, err = send(25, { host = "nowhere.invalid", tls = "skip", connect_timeout = 3 })
      assert.truthy(err.kind == "resolve" or err.kind == "timeout", tostring(err))
      assert.equal("resolve", err.stage)
      assert.equal(err.reason == "unknown_host" and "never" or "later", err.retry)
      assert.truthy(core.now() - started < 5)
   end)
end)
