--- What smtp.runtime.runtime uses of this folder inside nginx.
-- @module smtp.runtime.nginx.entry

local checks = require "smtp.runtime.nginx.checks"
local pace = require "smtp.runtime.nginx.pace"
local transport = require "smtp.runtime.nginx.transport"

return { check = checks.check, check_directives = checks.check_directives, new = transport.new,
   pace = pace, breathe = pace.breathe }
