-- Every example runs unchanged.
local peer = require "spec.tools.peer"

describe("the example", function()
   local pipe = io.popen "ls examples/*.lua"
   for path in pipe:lines() do
      local name = path:match("[^/]+$")
      it(name .. " ends well", function()
         local run = io.popen(("%s %s 2>&1; echo status $?"):format(peer.interpreter, path))
         local said = run:read("*a")
         run:close()
         assert.truthy(said:find("status 0\n$"), said)
      end)
   end
   pipe:close()
end)
