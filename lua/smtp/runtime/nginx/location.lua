--- The location of nginx.conf that a request is in: its directives say which certificates are
-- trusted, so nothing that rests on trust may go from one location to another.
-- @module smtp.runtime.nginx.location

local location = {}

local SIGNATURE = 0x50545448 -- "HTTP": the first field of every ngx_http_request_t

-- How ngx_http_request_t begins, in nginx since 0.5 and in all that descends from it.
local BEGINNING = [[
   struct {
      uint32_t signature;
      void *connection;
      void **ctx, **main_conf, **srv_conf, **loc_conf;
   } *
]]

local ffi, request_type

local function load_ffi()
   if ffi == nil then
      local ok, module = pcall(require, "ffi")
      ffi = ok and module
      request_type = ffi and ffi.typeof(BEGINNING)
   end
   return ffi
end

--- The request that runs now, as lua-resty-core's object points to it.
---@return any   nil outside a request, and where lua-resty-core is not loaded
function location.request()
   local base = package.loaded["resty.core.base"]
   -- Where a module could not be loaded, Lua 5.1 leaves a mark there, of another type.
   return type(base) == "table" and base.get_request and base.get_request() or nil
end

--- The identity of the location whose directives apply now. A timer has that of the location that
-- started it.
---@return string|nil   nil where it cannot be had, as in stream {}
function location.identity()
   local pointer = location.request()
   local ngx = package.loaded.ngx
   if pointer == nil or ngx.config.subsystem ~= "http" or not load_ffi() then return nil end
   local request = ffi.cast(request_type, pointer)
   if request.signature ~= SIGNATURE or request.loc_conf == nil then return nil end
   return ("%.0f"):format(tonumber(ffi.cast("uintptr_t", request.loc_conf)))
end

return location
