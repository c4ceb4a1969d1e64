--- Resources that this machine lacks: descriptors, memory, room, a file of this library. The caller
-- made no mistake, and a later attempt may succeed.
-- @module smtp.ground.resources

local errors = require "smtp.errors"
local modules = require "smtp.ground.modules"

local system = {}

--- The hint for a file that cannot be read.
system.PATH_HINT = "Check the path, or its permissions"

--- The hint where this process needs more descriptors or memory than it may have.
system.LACK_HINT = "Free what this process does not need, or raise its limits (descriptors: "
   .. "ulimit -n; memory: ulimit -v), then try again"

-- ENOMEM, ENFILE, EMFILE: the same numbers on every Unix.
local lacking = { [12] = true, [23] = true, [24] = true }

--- Could a file not be opened because this machine lacks something?
---@param errno number|nil   the third result of io.open
function system.lacks(errno)
   return lacking[errno] == true
end

--- A SystemError.
---@param what string
---@param hint? string
function system.error(what, hint)
   return errors.new("system", { reason = "resources", what = what, hint = hint })
end

-- Without free descriptors `require` finds no file, and reports that there is none.
local function why_not_loaded(name, said)
   if tostring(said):find("not enough memory", 1, true) then
      return name .. " cannot be loaded: not enough memory", true
   end
   local file, why, errno = io.open("/dev/null", "rb")
   if file then file:close() end
   if system.lacks(errno) then
      return name .. " cannot be loaded: " .. why:gsub("^/dev/null: ", ""), true
   end
   return modules.why(name, said), false
end

--- The contents of a file.
---@param path string
---@param format? string|integer   as for file:read, else all of it
---@return string|nil
---@return string|nil why
---@return integer|nil errno       if the file could not be opened
function system.read_file(path, format)
   local file, why, errno = io.open(path, "rb")
   if not file then return nil, why, errno end
   local text
   text, why = file:read(format or "*a")
   file:close()
   return text, why and path .. ": " .. why
end

--- A module of this library or of its host, loaded when something needs it.
---@return table|nil module
---@return string|nil why
---@return boolean|nil lack    the module exists, but cannot be read now
function system.load(name)
   local module = package.loaded[name]
   if type(module) == "table" then return module end
   local ok, result = pcall(require, name)
   if ok then return result end
   modules.forget_failures(name)
   local why, lack = why_not_loaded(name, result)
   return nil, why, lack
end

-- Modules that are loaded late, in the order in which others name them; first that of smtp.errors.
local late = { "smtp.ground.refusals" }

local function note(name)
   late[#late + 1] = name
end

local preload_hint = "A program that changes its root or is upgraded while it runs can load all "
   .. "modules at its start: require \"smtp.preload\""

-- -> the module | nil, a SystemError
local function loaded(name)
   local module, why, lack = system.load(name)
   if module then return module end
   return nil, system.error(why, lack and system.LACK_HINT or preload_hint)
end

--- The program cannot load more of this library at its start: no error says that it can.
function system.forget_preload()
   preload_hint = nil
end

--- A module of this library that is loaded when something needs it: a function that returns it.
---@param name string
---@return fun(): table|nil, table|nil   the module, or nil and a SystemError: it cannot be read now
function system.loader(name)
   note(name)
   return function() return loaded(name) end
end

--- A module of this library that is loaded when one of its functions is first needed. If it cannot
-- be read then, that raises a SystemError: this is for code whose errors a door returns.
---@param name string
---@return table
function system.late(name)
   note(name)
   return setmetatable({}, { __index = function(_, key)
      local module, err = loaded(name)
      if not module then error(err, 0) end
      return module[key]
   end })
end

--- Load now what is otherwise loaded late, as far as it can be read. What it names is loaded, too.
function system.load_late()
   local i = 1
   while late[i] do
      system.load(late[i])
      i = i + 1
   end
   system.forget_preload()
end

--- The module smtp.crypto. It is loaded only when a mechanism or a signature needs it, because it
-- brings libcrypto into the process.
---@return table|nil crypto
---@return string|nil why
---@return table|nil err    a SystemError: the module exists, but cannot be read now
function system.load_crypto()
   local crypto, why, lack = system.load "smtp.crypto"
   return crypto, why, lack and system.error(why) or nil
end

return system
