--- Functions of the caller's own, called so that they may raise and yield; and values of the
-- caller's own, read so that their metamethods may raise.
--
-- Lua 5.1 cannot yield across pcall. There each function runs in a coroutine of its own, and its
-- yields are passed on to the code that resumes the calling coroutine.
-- @module smtp.options.user_call

local errors = require "smtp.errors"

local user_call = {}

local unpack = table.unpack or unpack -- luacheck: ignore

--- Does this code run in a coroutine that other code can resume?
function user_call.can_yield()
   local thread, is_main = coroutine.running()
   return thread ~= nil and not is_main
end

--- The arguments as a list, with their number as `n`.
---@return table
function user_call.pack(...)
   return { n = select("#", ...), ... }
end

local pack = user_call.pack

local function call_in_thread(fn, ...)
   -- coroutine.create takes no functions of C, such as print.
   local thread = coroutine.create(function(...) return fn(...) end)
   local result = pack(coroutine.resume(thread, ...))
   while result[1] and coroutine.status(thread) == "suspended" do
      if not user_call.can_yield() then
         return false, "it yields, and nothing resumes it"
      end
      result = pack(coroutine.resume(thread, coroutine.yield(unpack(result, 2, result.n))))
   end
   return unpack(result, 1, result.n)
end

--- Can a function that pcall calls yield?
user_call.yields_across_pcall = errors.yields_across_pcall

--- Call fn with these arguments: user_call.call(fn, …).
---@param fn function
---@return boolean      did it return?
---@return any          its results, or the error that it raised
user_call.call = user_call.yields_across_pcall and pcall or call_in_thread

--- A value as text for people. If its __tostring raises, the text is the name of its type.
---@param value any
---@return string
function user_call.text(value)
   local ok, text = pcall(tostring, value)
   return ok and type(text) == "string" and text or type(value)
end

local SHOWN_MAX = 60 -- bytes of a string

local with_article = { ["nil"] = "nil", boolean = "a boolean", ["function"] = "a function",
   thread = "a coroutine", userdata = "a userdata" }

--- The type of a value with its article, for an error that must not show the value.
---@param value any
---@return string
function user_call.type_name(value)
   local file = io.type(value)
   if file then return file == "file" and "an open file" or "a closed file" end
   return with_article[type(value)] or "a " .. type(value)
end

--- A value as an error shows it: a string is quoted and cut, and a table never shows its address.
---@param value any
---@return string
function user_call.shown(value)
   local kind = type(value)
   if kind == "string" then
      if value:find("://", 1, true) then return "a URL" end -- which may contain a password
      return ('the string "%s"'):format(errors.cut(value, SHOWN_MAX, "…"))
   end
   if kind == "number" then return "the number " .. ("%.14g"):format(value) end
   return kind == "boolean" and tostring(value) or user_call.type_name(value)
end

--- A field of a value that may have metamethods; nil if they raise.
---@param t table|userdata
---@param name string
---@return any
function user_call.field(t, name)
   local ok, value = pcall(function() return t[name] end)
   if not ok then return nil end
   return value
end

local transport_methods = { "connect", "send", "receiveany", "sslhandshake", "settimeouts",
   "close" }

--- The first method of a transport that a value does not have; nil if it has all of them.
---@param value any
---@return string|nil
function user_call.missing_method(value)
   local kind = type(value)
   for i = 1, #transport_methods do
      local name = transport_methods[i]
      if kind ~= "table" and kind ~= "userdata" or not user_call.field(value, name) then
         return name
      end
   end
end

return user_call
