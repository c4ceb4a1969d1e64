-- Real servers, each in the same cases: what the table of the manual says of them. CI looks at those servers that other
-- specs start as well; MATRIX=all at all of them, MATRIX=write writes the table.
local matrix = require "spec.live.matrix"
local servers = require "spec.live.servers"

local wanted = os.getenv "MATRIX" or ""
local is_writing = wanted == "write"

describe("the table of servers", function()
   local manual, found = matrix.read(), {}

   for _, server in ipairs(matrix.servers) do
      if wanted == "" and server.is_in_ci or wanted == "all" or is_writing or wanted:find(server.name, 1, true) then
         describe(server.name, function()
            local live = servers.during(setup, teardown, function() return servers.run(server.script) end)

            for _, case in ipairs(matrix.cases) do
               it(case[1], function()
                  local cell, label = case[3](live), matrix.label(case)
                  if not is_writing then assert.equal((manual[server.name] or {})[label], cell) end
                  found[server.name] = found[server.name] or {}
                  found[server.name][label] = cell
               end)
            end
         end)
      end
   end

   if is_writing then
      it("is written", function()
         matrix.write(found)
         assert.same(found, matrix.read())
      end)
   end
end)
