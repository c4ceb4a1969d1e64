-- A busted helper: it calls the doors of the library in the place of the specs, and notes every line
-- that a function of theirs is shown, every error, receipt and report that they get, and every secret
-- that they give, for secrets_spec.lua to compare at the end.

-- The `lua` command follows no locale by itself.
local locale = os.getenv "SMTP_LOCALE"
if locale then
   assert(os.setlocale(locale), "there is no locale " .. locale)
   assert(("I"):lower() ~= "i" or locale:find("UTF-8", 1, true), locale .. " has the letters of ASCII")
end

local core = require "smtp.core"
local connection = require "smtp.client.connection"
local safe = require "smtp.safe"

-- os.tmpname knows /tmp only. Where TMPDIR names a folder, the files of the specs are made in it.
local folder, count = os.getenv "TMPDIR", 0
if folder then
   local prefix = ("%s/lua_%s_"):format(folder, core.random(6):gsub(".", function(c)
      return ("%02x"):format(c:byte())
   end))
   function os.tmpname() -- luacheck: ignore
      count = count + 1
      local name = prefix .. count
      assert(io.open(name, "w")):close()
      return name
   end
end

local recorder = { log = {}, secrets = {} } -- log: each text once
local seen = setmetatable({}, { __mode = "k" }) -- texts, and tables that receipts share

local function note(value, depth)
   local kind = type(value)
   if kind ~= "string" and (kind ~= "table" or depth >= 4) or seen[value] then return end
   seen[value] = true
   if kind == "string" then
      recorder.log[#recorder.log + 1] = value
      return
   end
   for key, inner in next, value do
      note(key, depth + 1)
      -- The cause is what a function of the caller's raised, as it is.
      if key ~= "cause" then note(inner, depth + 1) end
   end
end

-- ---- what goes in ----

local unused = {} -- secrets of the call that runs: an option that is refused is not one

local function note_secret(value)
   if type(value) == "string" then unused[#unused + 1] = value end
end

local function note_used(err)
   for i = 1, #unused do
      if not safe.is_error(err, "usage") then recorder.secrets[unused[i]] = true end
      unused[i] = nil
   end
end

-- Notes each value that the function gives.
local function noting_secrets(fn)
   return function(...)
      return (function(value, ...)
         note_secret(value)
         return value, ...
      end)(fn(...))
   end
end

local function note_url(url)
   local secret = type(url) == "string" and url:match("^%a[%w+.-]*://[^:/@]*:([^/]*)@")
   if not secret then return end
   note_secret((secret:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)))
end

-- A function of the caller's that notes what it is called with.
local function noting(fn)
   return function(...)
      for i = 1, select("#", ...) do note((select(i, ...)), 0) end
      return fn(...)
   end
end

-- The options, with functions that note.
local function observed(t)
   if type(t) ~= "table" or getmetatable(t) ~= nil or safe.modules[t] then return t end
   local copy = {}
   for name, value in next, t do copy[name] = value end
   for _, name in ipairs { "password", "token" } do
      if type(t[name]) == "function" then copy[name] = noting_secrets(t[name]) end
      note_secret(t[name])
   end
   note_url(t.url)
   for _, name in ipairs { "trace", "observe" } do
      if type(t[name]) == "function" then copy[name] = noting(t[name]) end
   end
   return copy
end

-- ---- what comes out ----

local function note_result(value)
   if type(value) ~= "table" or getmetatable(value) == connection.mt then return end
   if safe.is_error(value) then note(tostring(value), 0) end
   note(value, 0)
end

local function noted(result, ...)
   note_used((...))
   note_result(result)
   note_result((...))
   local list = type(result) == "table" and rawget(result, "results")
   for _, one in next, type(list) == "table" and list or {} do note_result(one) end
   return result, ...
end

for _, name in ipairs { "send", "connect", "probe" } do
   local door = safe[name]
   safe[name] = function(t, ...)
      return noted(door(observed(t), ...))
   end
end

local send_many, defer = safe.send_many, safe.defer

function safe.send_many(t, messages, settings)
   local on_result = type(settings) == "table" and rawget(settings, "on_result")
   if type(on_result) == "function" then
      local copy = {}
      for name, value in next, settings do copy[name] = value end
      copy.on_result = function(index, receipt, err)
         noted(receipt, err)
         return on_result(index, receipt, err)
      end
      settings = copy
   end
   return noted(send_many(observed(t), messages, settings))
end

function safe.defer(t, callback)
   return noted(defer(observed(t), type(callback) == "function" and noting(callback) or callback))
end

for name, method in next, connection.methods do
   connection.methods[name] = function(...)
      return noted(method(...))
   end
end

-- What is loaded before the specs is the same for all of them: all of the library, and the ports of talk.
require "smtp.preload"
require "spec.tools.talk"

package.loaded["spec.tools.recorder"] = recorder
