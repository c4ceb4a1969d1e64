--- What smtp.safe says in each phase of nginx.

local phases = { found = {}, deferred = {} }

--- Tries to send, and to defer, in the phase this is called in.
function phases.note(phase)
   local safe = require "smtp.safe"
   local options = { host = "127.0.0.1", port = 1, from = "a@b.example", to = "c@d.example", text = "" }
   local ok, receipt, err = pcall(safe.send, options)
   phases.found[phase] = { ok = ok, receipt = receipt, err = err }
   if safe.defer then
      local called, accepted, why = pcall(safe.defer, options, function(_, failure)
         phases.deferred[phase].failure = failure
      end)
      phases.deferred[phase] = { ok = called, accepted = accepted, err = why }
   end
end

return phases
