--- Elsewhere these modules are loaded when they are first needed. In nginx they are loaded with the
-- library, because a worker that reads a file keeps all its requests waiting.
-- @module smtp.runtime.nginx.preload

local system = require "smtp.ground.resources"

local names = { "smtp.client.connection", "smtp.client.many", "smtp.client.probe",
   "smtp.compose.attachment", "smtp.compose.calendar", "smtp.compose.dkim_options",
   "smtp.compose.outgoing", "smtp.compose.sign", "smtp.message", "smtp.options.proxy",
   "smtp.options.unknown", "smtp.options.url_parts", "smtp.result.causes",
   "smtp.runtime.callers_transport", "smtp.runtime.nginx.defer", "smtp.runtime.nginx.entry",
   "smtp.runtime.tunnel" }

-- What cannot be read now is read when it is needed, which then reports why it cannot be.
for i = 1, #names do system.load(names[i]) end

return { names = names }
