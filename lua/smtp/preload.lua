--- Loads all of this library now, for a program that cannot or must not read files later: because
-- it changes its root, or because a look at the disk holds up too much. nginx does not need this.
--
--    require "smtp.preload"
--
-- @module smtp.preload

local environment = require "smtp.runtime.environment"
local system = require "smtp.ground.resources"

require "smtp"

system.load_late()
if not environment.is_nginx() then
   for _, name in ipairs { "smtp.runtime.kept_socket", "smtp.runtime.scheduler", "smtp.tls",
      "smtp.crypto", "smtp.sqlite_store" } do
      system.load(name)
   end
   for _, library in ipairs { "cqueues", "luv", "copas" } do
      if package.loaded[library] then system.load("smtp.loop." .. library) end
   end
end

return require "smtp"
