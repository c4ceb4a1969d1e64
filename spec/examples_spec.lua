-- Every example runs as it stands.
local peer = require "spec.peer"

-- The demo has a target of its own, and takes ports.
local left_out = { ["demo.lua"] = true }

describe("the example", function()
   local pipe = io.popen "ls examples/*.lua"
   for path in pipe:lines() do
      local name = path:match("[^/]+$")
      if not left_out[name] then
         it(name .. " ends well", function()
            local run = io.popen(("%s %s 2>&1; echo status $?"):format(peer.interpreter, path))
            local said = run:read("*a")
            run:close()
            assert.truthy(said:find("status 0\n$"), said)
         end)
      end
   end
   pipe:close()
end)
