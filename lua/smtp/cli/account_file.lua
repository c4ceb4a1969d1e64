--- The file with the accounts of the command: where it is, who may change it, and the plain values
-- that it returns. Its errors name the file.
-- @module smtp.cli.account_file

local errors = require "smtp.errors"
local resources = require "smtp.ground.resources"
local user_call = require "smtp.options.user_call"

local account_file = {}

--- The file for all users of this machine. It is read where the user has no file.
account_file.SYSTEM_PATH = "/etc/lua-smtp.lua"

local NAME = "/lua-smtp.lua"
local STEPS_MAX = 1000000 -- instructions of Lua: some milliseconds
local DEPTH_MAX = 8 -- tables in tables; the options need 6
local IS_MISSING = { [2] = true, [20] = true } -- ENOENT, ENOTDIR: the same numbers on every Unix

--- Raise the error of a file.
---@param path string
---@param what string
---@param hint string
function account_file.refuse(path, what, hint)
   error(errors.new("usage", { option = "accounts", what = path .. ": " .. what, hint = hint }), 0)
end

local refuse = account_file.refuse

--- A path as a shell takes it.
function account_file.quoted(path)
   if path:find("^[A-Za-z0-9_./@%%+:,-]+$") then return path end
   return "'" .. path:gsub("'", "'\\''") .. "'"
end

-- ---- where it is ----

--- A path with the home directory in the place of "~".
function account_file.expand(path)
   local home = os.getenv "HOME"
   return home and path:gsub("^~%f[/%z]", (home:gsub("%%", "%%%%"))) or path
end

-- The path of the user's own file | nil. A relative path in the variable has no meaning.
local function own_path()
   local folder, home = os.getenv "XDG_CONFIG_HOME", os.getenv "HOME"
   if folder and folder:find("^/") then return folder .. NAME end
   return home and home:find("^/") and home .. "/.config" .. NAME or nil
end

-- ---- reading ----

local function check_access(path, file)
   local otherwise = "; or choose another file with --config FILE, or none with --no-config"
   if not file.is_trusted then
      refuse(path, "the file belongs to another user, but it can name programs to run",
         ("Copy it, or run chown on it%s"):format(otherwise))
   elseif file.others_write then
      refuse(path, "other users may write the file, but it can name programs to run",
         ("Run chmod go-w %s%s"):format(account_file.quoted(path), otherwise))
   end
end

-- -> a table (see socket.read_private) | nil, why not, errno
local function read(path)
   local socket, why = resources.load "smtp.socket"
   if not socket then error(resources.error(why), 0) end
   return socket.read_private(path)
end

-- -> the path and the file that is there, or nil and the paths that were tried
local function find(path)
   if path == "" then
      errors.refuse("config", "--config has an empty path", "Write --config FILE")
   end
   if path then
      local file, why = read(path)
      if not file then refuse(path, why, "Check the path after --config, or its permissions") end
      return path, file
   end
   local own, tried = own_path(), {}
   for _, place in ipairs { own or false, account_file.SYSTEM_PATH } do
      if place then
         local file, why, errno = read(place)
         if file then return place, file end
         if not IS_MISSING[errno] then
            refuse(place, why, "Check its permissions, or add --no-config")
         end
         tried[#tried + 1] = place
      end
   end
   return nil, tried
end

-- ---- running ----

-- -> function | nil, why not. Its environment is empty.
local function compile(text)
   text = text:gsub("^\239\187\191", "") -- a byte order mark
   if text:find("^\27") then return nil, "it is compiled Lua" end
   local setfenv, loadstring = setfenv, loadstring -- luacheck: ignore
   if not setfenv then return load(text, "=file", "t", {}) end
   local chunk, why = loadstring(text, "=file")
   return chunk and setfenv(chunk, {}), why
end

local function stop()
   error("it does not end", 0)
end

-- Runs a function without the methods of strings, and with a limit. -> as coroutine.resume
local function run(chunk)
   local jit, strings = package.loaded.jit, getmetatable("")
   if jit then jit.off(chunk, true) end -- compiled code counts no instructions
   local thread, methods = coroutine.create(chunk), strings.__index
   local returned, ok, result = pcall(function()
      strings.__index = nil
      debug.sethook(thread, stop, "", STEPS_MAX)
      local ok, result = coroutine.resume(thread)
      debug.sethook(thread)
      return ok, result
   end)
   strings.__index = methods
   -- A signal ends the command: it is not an error of the file.
   local interruption = not returned and ok or resources.load("smtp.socket").caught() and result
   if interruption then error(interruption, 0) end
   return ok, result
end

-- Does an error of Lua show this? Not a name or a text of the file, which may be a password that
-- lacks its quotes; but what Lua itself has: ")", os, require.
local function is_shown(name)
   return _G[name] ~= nil or name == "<eof>" or not name:find("[A-Za-z0-9_\"'%[\128-\255]")
end

-- The words of Lua without what they quote of the file.
local function without_quotes(why)
   for _, form in ipairs { "^(.*) near '(.*)'(.*)$", "^(.*) %([a-z]+ '(.*)'%)(.*)$",
      "^(.*) [a-z]+ '(.*)'( %(a [a-z]+ value%))$", "^(.* label) '(.*)'(.*)$" } do
      local before, name, after = why:match(form)
      if name and not is_shown(name) then why = before .. after end
   end
   return why
end

-- What is wrong with a file that cannot be compiled or run.
local function refuse_program(path, why)
   why = tostring(why)
   local line, rest = why:match("^file:(%d+): (.*)$")
   local hint = "It is a Lua file: return { accounts = { work = { service = \"gmail\" } } }"
   if rest and rest:find("attempt to ", 1, true) then
      hint = "The file has no functions and no variables but its own, and text is in quotes"
   end
   refuse(line and path .. ":" .. line or path, without_quotes(rest or why), hint)
end

local is_plain = { string = true, number = true, boolean = true }

-- "accounts.work", "mechanisms", 1 -> "accounts.work.mechanisms[1]", for an error
local function inner_name(name, key)
   if type(key) == "number" then return ("%s[%.14g]"):format(name, key) end
   return (name == "" and "" or name .. ".") .. key:gsub("[^!-~]", "?")
end

-- A copy of what the file returned, without metatables. Its values are text, numbers, booleans and
-- tables of these.
local function copy(path, value, name, depth)
   if is_plain[type(value)] then return value end
   if type(value) ~= "table" then
      refuse(path, ("%s is %s"):format(name, user_call.type_name(value)),
         "Write text, a number, true, false, or a list of these")
   elseif depth == 0 then
      refuse(path, name .. " contains too many tables in each other", "Remove it")
   end
   local result = {}
   for key, inner in next, value do
      if type(key) ~= "string" and type(key) ~= "number" then
         refuse(path, ("a name in %s is %s"):format(name == "" and "the file" or name,
            user_call.type_name(key)), "Write names")
      end
      result[key] = copy(path, inner, inner_name(name, key), depth - 1)
   end
   return result
end

--- Read the file. Raises a UsageError if it cannot be used.
---@param path? string   nil: the user's own file, or else that for all users
---@return table|nil     { path =, table = what the file returned, others_read = boolean }; nil if
--   there is no file
---@return string[]      after nil: the paths at which it was looked for
function account_file.read(path)
   local place, file = find(path)
   if not place then return nil, file end
   check_access(place, file)
   local chunk, why = compile(file.text)
   if not chunk then refuse_program(place, why) end
   local ok, result = run(chunk)
   if not ok then refuse_program(place, result) end
   if type(result) ~= "table" then
      refuse(place, "the file does not return a table",
         "Write return { accounts = { work = { service = \"gmail\", username = \"…\" } } }")
   end
   return { path = place, table = copy(place, result, "", DEPTH_MAX),
      others_read = file.others_read }
end

return account_file
