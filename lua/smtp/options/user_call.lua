--- Functions of the caller's own, called so that they may raise and yield, and objects of the
-- caller's own.
--
-- Lua 5.1 cannot yield across pcall. There each runs in a coroutine of its own, and its yields are
-- passed on to whoever resumes us.
-- @module smtp.options.user_call

local guard = {}

local unpack = table.unpack or unpack -- luacheck: ignore

--- Is there somebody to resume us?
function guard.can_yield()
   local thread, is_main = coroutine.running()
   return thread ~= nil and not is_main
end

--- The arguments as a list, with their number as `n`.
---@return table
function guard.pack(...)
   return { n = select("#", ...), ... }
end

local function call_in_thread(fn, ...)
   local thread = coroutine.create(fn)
   local result = guard.pack(coroutine.resume(thread, ...))
   while result[1] and coroutine.status(thread) == "suspended" do
      if not guard.can_yield() then return false, "it yields, and nobody is there to resume it" end
      result = guard.pack(coroutine.resume(thread, coroutine.yield(unpack(result, 2, result.n))))
   end
   return unpack(result, 1, result.n)
end

--- Can what pcall calls yield? Not by trying: nginx's coroutines yield themselves, which nothing
-- may while it is being loaded.
guard.yields_across_pcall = _VERSION ~= "Lua 5.1" or package.loaded.jit ~= nil

--- Call fn with these arguments: guard.call(fn, …).
---@param fn function
---@return boolean      did it return?
---@return any          its results, or the error it raised
guard.call = guard.yields_across_pcall and pcall or call_in_thread

--- A value for a person to read: what a __tostring of its own raises is not let out.
---@return string
function guard.text(value)
   local ok, text = pcall(tostring, value)
   return ok and type(text) == "string" and text or type(value)
end

--- A field of a table that may have metamethods, nil where they raise.
function guard.field(t, name)
   local ok, value = pcall(function() return t[name] end)
   if not ok then return nil end
   return value
end

local transport_methods = { "connect", "send", "receiveany", "sslhandshake", "settimeouts",
   "close" }

--- Has a value all methods of a transport?
---@return boolean|nil ok
---@return string|nil missing   the first method that it does not have
function guard.is_transport(value)
   local kind = type(value)
   for i = 1, #transport_methods do
      local name = transport_methods[i]
      if kind ~= "table" and kind ~= "userdata" or not guard.field(value, name) then
         return nil, name
      end
   end
   return true
end

return guard
