--- The options that a report recommends, with their defaults left out: as a table, as the flags of
-- `lua-smtp send`, and as Lua.
-- @module smtp.cli.recommendation

local ascii = require "smtp.ground.ascii"
local names = require "smtp.options.names"
local request = require "smtp.client.request"

local recommendation = {}

-- What a server is, apart from details that no default decides.
local decisive = { "host", "port", "socket", "tls", "auth", "protocol", "tls_verify" }

local function is_same(a, b)
   for i = 1, #decisive do
      if a[decisive[i]] ~= b[decisive[i]] then return false end
   end
   return true
end

-- The server of these options with these secrets; nil where they are not valid.
local function server_of(use, secrets)
   return (request.connection(request.variant(use, secrets)))
end

-- The options that a default may replace, in the order in which they are left out. A service gives
-- a host, too.
local replaceable = { "tls", "port", "host", "auth", "protocol", "tls_verify" }

--- The fewest of these options that reach the same server in the same way.
---@param use table       options of a connection
---@param secrets table   username, password and the like, on which defaults depend
---@param service? string the provider, where the caller named one
---@return table
function recommendation.minimal(use, secrets, service)
   local whole = server_of(use, secrets)
   if not whole then return use end
   local least = request.variant(use, { service = service })
   for i = 1, #replaceable do
      local name = replaceable[i]
      local value, server = least[name], nil
      least[name] = nil
      if value ~= nil then server = server_of(least, secrets) end
      local is_needed = not server or not is_same(server, whole)
      if name == "host" and not service then is_needed = true end -- not even localhost
      if is_needed then least[name] = value end
   end
   return least
end

local login_names = { "username", "user", "password", "token", "authzid", "auth",
   "auth_mechanisms" }

--- What the caller's options say of the login: on it depend defaults.
---@param options table   completed by smtp.options.place
---@return table          empty without credentials
function recommendation.login(options)
   local login = {}
   if not (options.username or options.user or options.token) then return login end
   for i = 1, #login_names do login[login_names[i]] = options[login_names[i]] end
   return login
end

--- The options that a caller is to use: those that a report recommends, with the login but for its
-- secrets.
---@param use table        the options of a report
---@param login table      from recommendation.login
---@param service? string  the provider that the caller named
---@return table
function recommendation.of(use, login, service)
   if next(login) ~= nil then
      use = request.variant(use)
      use.auth, use.auth_mechanisms = login.auth, login.auth_mechanisms
   end
   use = recommendation.minimal(use, login, service)
   use.username, use.authzid = login.username or login.user, login.authzid
   return use
end

-- ---- in words ----

-- Those of `use` in the order of the manual. -> { name, value }, …
local function ordered(use)
   local list = {}
   for _, name in ipairs(names.connection.names) do
      if use[name] ~= nil then list[#list + 1] = { name, use[name] } end
   end
   return list
end

local function shell_word(text)
   text = tostring(text)
   if text:find("^[A-Za-z0-9@%%_+=:,./-]+$") then return text end
   return "'" .. text:gsub("'", "'\\''") .. "'"
end

local function add_flag(list, name, value)
   local flag = name:gsub("_", "-")
   if type(value) == "boolean" then
      list[#list + 1] = (value and "--" or "--no-") .. flag
   else
      list[#list + 1] = ("--%s %s"):format(flag, shell_word(value))
   end
end

-- Tables have flags of their own form.
local tables = {}

function tables.extensions(list, map)
   local keywords = {}
   for keyword in next, map do keywords[#keywords + 1] = keyword end
   table.sort(keywords, ascii.before)
   for _, keyword in ipairs(keywords) do
      add_flag(list, "extension", keyword .. "=" .. tostring(map[keyword]))
   end
end

function tables.scram_iterations(list, bounds)
   add_flag(list, "scram_iterations", table.concat(bounds, ","))
end

function tables.auth_mechanisms(list, mechanisms)
   for i = 1, #mechanisms do add_flag(list, "auth_mechanisms", mechanisms[i]) end
end

--- As flags.
---@param use table
---@param secrets? string[]   the flags that gave the secrets, as { "--password-env", "NAME" }
---@return string
function recommendation.flags(use, secrets)
   local list, has_proxy = {}, false
   for i = 1, #(secrets or {}), 2 do has_proxy = has_proxy or secrets[i]:find("^%-%-proxy") end
   for _, pair in ipairs(ordered(use)) do
      local name, value = pair[1], pair[2]
      local add = type(value) == "table" and tables[name] or add_flag
      if add ~= add_flag then
         add(list, value)
      elseif name ~= "proxy" or not has_proxy then
         add(list, name, value)
      end
   end
   for i = 1, #(secrets or {}), 2 do
      list[#list + 1] = secrets[i] .. " " .. shell_word(secrets[i + 1])
   end
   return table.concat(list, " ")
end

local function literal(value)
   if type(value) == "string" then return ("%q"):format(value) end
   if type(value) ~= "table" then return tostring(value) end
   local parts, keys = {}, {}
   for i = 1, #value do parts[i] = literal(value[i]) end
   for key in next, value do
      if type(key) == "string" then keys[#keys + 1] = key end
   end
   table.sort(keys, ascii.before)
   for _, key in ipairs(keys) do
      local form = key:find("^[A-Za-z_][A-Za-z0-9_]*$") and "%s = %s" or "[%q] = %s"
      parts[#parts + 1] = form:format(key, literal(value[key]))
   end
   return #parts == 0 and "{}" or "{ " .. table.concat(parts, ", ") .. " }"
end

--- As the fields of a Lua table.
---@param use table
---@param secret? string   "password" or "token": one is needed, and not shown
---@return string
function recommendation.lua(use, secret)
   local parts = {}
   for _, pair in ipairs(ordered(use)) do
      parts[#parts + 1] = pair[1] .. " = " .. literal(pair[2])
   end
   if secret then parts[#parts + 1] = secret .. ' = "…"' end
   return "{ " .. table.concat(parts, ", ") .. " }"
end

return recommendation
