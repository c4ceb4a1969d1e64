--- Which secrets a command needs, and which source has them: flags, an account, or the terminal. A
-- secret in the arguments is used with a warning.
-- @module smtp.cli.secrets

local ascii = require "smtp.ground.ascii"
local errors = require "smtp.errors"
local output = require "smtp.cli.output"

local sources = require("smtp.ground.resources").late "smtp.cli.secret_sources"

local secrets = {}

-- Mechanisms that need a token, not a password.
local is_token = { XOAUTH2 = true, OAUTHBEARER = true }

-- ---- flags ----

local function warn(what, hint)
   output.say_in("yellow", "lua-smtp: ", "warning", ": other users of this machine can see the "
      .. what .. " in the command line. " .. hint, io.stderr)
end

-- Raises the UsageError of a secret. `what` is a whole sentence: it names the flag.
local function refuse(name, what, hint)
   error(errors.new("usage", { option = name, what = what, hint = hint }), 0)
end

-- Other users can see a secret in the command line.
local function warn_of(name, value, hint)
   if name ~= "proxy" then
      warn(name, hint)
   elseif value:find("@", 1, true) then
      warn("password of --proxy", hint)
   end
end

-- Replaces --password-env and --password-file by the password.
local function read_one(options, name)
   local variable, path = options[name .. "_env"], options[name .. "_file"]
   options[name .. "_env"], options[name .. "_file"] = nil, nil
   local hint = ("Use --%s-env VARIABLE or --%s-file FILE"):format(name, name)
   local is_given = options[name] ~= nil
   if is_given and (variable or path) or variable and path then
      refuse(name, ("the %s is given more than once"):format(name), hint)
   end
   if is_given then warn_of(name, options[name], hint .. ".") end
   if not variable and not path then return end
   local secret, why, remedy = sources.read(variable, path)
   options[name] = secret
   if not secret then
      refuse(name, ("--%s-%s: %s"):format(name, path and "file" or "env", why), remedy)
   end
end

-- ---- URLs ----

-- -> user, password, host of a URL; each is nil where the URL does not contain it
local function parts_of(url)
   local authority = (url or ""):match("^[A-Za-z][A-Za-z0-9+.-]*://([^/]*)")
   if not authority then return nil end
   local login, host = authority:match("^(.*)@([^@]*)$")
   if not login then return nil, nil, authority end
   local user, password = login:match("^([^:]*):?(.*)$")
   user = user:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)
   return user, password ~= "" and password or nil, host
end

-- The secret that the named mechanisms need: "password", "token", or nil.
local function secret_of(mechanisms)
   local found
   if type(mechanisms) == "string" then mechanisms = { mechanisms } end
   for i = 1, #mechanisms do
      local name = ascii.upper(mechanisms[i])
      if is_token[name] then
         found = found or "token"
      elseif name ~= "EXTERNAL" then
         return "password"
      end
   end
   return found
end

-- ---- what the commands call ----

-- Which secret the terminal is asked for: "password", "token", or nil.
local function missing_secret(options, user, is_asked)
   local is_needed = (user or "") ~= "" and options.auth ~= "skip"
   if not is_asked and not is_needed then return nil end
   local name = not options.auth_mechanisms and "password" or secret_of(options.auth_mechanisms)
   return name or is_asked and "password" or nil
end

-- --ask-password is the only source of the password.
local function check_asked(user, has_secret)
   if has_secret then
      errors.refuse("ask-password", "the password is given more than once",
         "Keep --ask-password, or the other flag")
   end
   if (user or "") == "" then
      errors.refuse("ask-password", "--ask-password needs a user", "Write --username NAME as well")
   end
end

-- -> user and host in the URL, and whether the flags contain a secret
local function read_flags(options)
   read_one(options, "password")
   read_one(options, "token")
   read_one(options, "proxy")
   local user, password, host = parts_of(options.url)
   if password then
      warn("password of --url",
         "Leave it out of the URL, and use --password-env VARIABLE or --password-file FILE.")
   end
   return user, host, (password or options.password or options.token) ~= nil
end

-- The server, as the prompt names it; `host` is that of the URL.
local function server_of(options, host)
   local place = options.host or options.server or options.service or host
   return type(place) == "table" and place[1] or place
end

--- Read the password and the token of a command into options.password and options.token. Flags take
-- precedence over the account. Raises a UsageError.
---@param options table    as flags.read gives them, or accounts.apply completes them
---@param account? table   as accounts.apply returns it
function secrets.read(options, account)
   local is_asked = options.ask_password
   options.ask_password = nil
   local user, host, is_given = read_flags(options)
   user = options.username or options.user or user
   if is_asked then check_asked(user, is_given) end
   if account and not is_asked and not is_given then
      sources.read_account(options, account)
      is_given = next(account.secrets) ~= nil
   end
   local name = not is_given and missing_secret(options, user, is_asked)
   if not name then return end
   sources.ask(options, name, user, server_of(options, host), is_asked, account and account.label)
end

--- Leave out where the secrets are, for a command that does not log in. Those that the file of the
-- account contains are there: a secret that is the user name as well is kept out of a store.
---@param options table    as flags.read gives them, or accounts.apply completes them
---@param account? table   as accounts.apply returns it
function secrets.leave_out(options, account)
   for name, source in next, account and account.secrets or {} do
      if source.kind == "" then options[name] = source.value end
   end
   for _, name in ipairs { "password", "token", "proxy" } do
      options[name .. "_env"], options[name .. "_file"] = nil, nil
   end
   options.ask_password = nil
end

--- Read the user and the password of `sink` into options.auth. Raises a UsageError.
function secrets.read_for_sink(options)
   read_one(options, "password")
   if options.user and not options.password then sources.ask(options, "password", options.user) end
   if options.password and not options.user then
      errors.refuse("user", "--password needs --user", "Write --user NAME as well")
   end
   if options.user then
      options.auth = { users = { [options.user] = options.password } }
      options.require_auth = true
   end
   options.user, options.password = nil, nil
end

return secrets
