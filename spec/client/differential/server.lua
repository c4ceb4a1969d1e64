--- The server of one case of the corpus: it answers as the case says and keeps what it hears.

local spec_server = require "spec.tools.server"

--- A server for a connection of this case; `wire` holds what arrived.
return function(case)
   local replies, counts = case.replies or {}, {}
   local server = spec_server.new { capabilities = case.capabilities, wire = {},
      reply = function(_, what)
         local list = replies[what]
         counts[what] = (counts[what] or 0) + 1
         return list and (list[counts[what]] or list[#list])
      end }
   local send = server.send
   function server:send(data)
      local count, why, text, partly = send(self, data)
      self.wire[#self.wire + 1] = data:sub(1, count or partly or 0)
      return count, why, text, partly
   end
   return server
end
