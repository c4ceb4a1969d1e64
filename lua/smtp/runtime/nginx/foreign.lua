--- C functions of nginx and its libraries, by FFI. They are declared under names of this library
-- (smtp_…), because other modules may have declared them differently.
-- @module smtp.runtime.nginx.foreign

-- ffi.C looks among nginx's symbols first and then in its libraries, as nginx does itself.
local function load(declarations)
   local ffi = require "ffi"
   local functions = { ffi = ffi }
   ffi.cdef(declarations)
   for name in declarations:gmatch("smtp_([a-z_]+)") do
      functions[name] = ffi.C["smtp_" .. name]
   end
   return functions
end

--- A function that returns these functions by their names without smtp_, and the module `ffi`; or
-- false if one of them cannot be had. They are loaded when it is first called.
---@param declarations string
---@return fun(): table|false
local function functions(declarations)
   local loaded
   return function()
      if loaded == nil then
         local ok, result = pcall(load, declarations)
         loaded = ok and result
      end
      return loaded
   end
end

return { functions = functions }
