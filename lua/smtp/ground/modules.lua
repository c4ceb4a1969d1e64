--- Why a module written in C cannot be loaded, in one line that says what to install. To load this
-- module is to require that smtp.core can be loaded.
-- @module smtp.ground.modules

local modules = {}

local version = package.loaded.jit and "LuaJIT" or _VERSION
local make_name = package.loaded.jit and "luajit" or "lua" .. _VERSION:match("[%d.]+")

-- The file of a module in package.cpath | nil
local function file_of(name)
   for template in package.cpath:gmatch("[^;]+") do
      local path = template:gsub("%?", (name:gsub("%.", "/")))
      local file = io.open(path, "rb")
      if file then
         file:close()
         return path
      end
   end
end

-- The words of the system among what `require` reported | nil
local function words_of(said)
   local words = said:match("error loading module[^\n]*:\n[ \t]*([^\n]*)")
      or said:match("\n[ \t-\r]*([^\n]*cannot open shared[^\n]*)")
   return words and (words:gsub("^[^:]*/([^/:]*:)", "%1"))
end

local is_in_c = { ["smtp.core"] = true, ["smtp.socket"] = true, ["smtp.tls"] = true,
   ["smtp.crypto"] = true }

--- Why a module cannot be loaded.
---@param name string   "smtp.core"
---@param said any      what `require` raised
---@return string
function modules.why(name, said)
   said = tostring(said)
   local words, path = words_of(said), file_of(name)
   if words and (words:find("libssl", 1, true) or words:find("libcrypto", 1, true)) then
      return ("OpenSSL 3 cannot be loaded (%s): install it (Debian: libssl3)"):format(words)
   elseif name:find("^smtp%.") and path then
      return ("%s cannot be loaded by %s (%s): build it for this Lua with make LUA=%s"):format(path,
         version, words or said:match("[^\n]*"), make_name)
   elseif is_in_c[name] then
      return ("the module %s, which is written in C, is not installed for %s: run make install "
         .. "LUA=%s, or put its folder into package.cpath (LUA_CPATH)"):format(name, version,
         make_name)
   end
   words = words or said:match("[^\n]*")
   if words:find(name, 1, true) then return words end
   return ("%s cannot be loaded: %s"):format(name, words)
end

-- The types of the mark of a module that is being loaded, in Lua 5.1 and in LuaJIT.
local is_mark = { userdata = true, number = true }

--- Forget modules that could not be loaded: Lua 5.1 treats them as modules that are still being
-- loaded.
---@param wanted string   the module that was required
function modules.forget_failures(wanted)
   for name, value in next, package.loaded do
      local is_ours = name == wanted or tostring(name):find("^smtp%f[^A-Za-z0-9_]")
      if is_mark[type(value)] and is_ours then
         package.loaded[name] = nil
      end
   end
end

local ok, why = pcall(require, "smtp.core")
if not ok then
   modules.forget_failures "smtp.core"
   error("smtp: " .. modules.why("smtp.core", why), 0)
end

return modules
