--- The secrets of the command. They come from a variable, from a file, from the terminal, or, with
-- a warning, from the arguments.
-- @module smtp.cli.secrets

local ascii = require "smtp.ground.ascii"
local errors = require "smtp.errors"
local output = require "smtp.cli.output"
local resources = require "smtp.ground.resources"

local secrets = {}

-- Mechanisms that need a token, not a password.
local is_token = { XOAUTH2 = true, OAUTHBEARER = true }

-- ---- variables and files ----

local function warn(what, hint)
   output.say("lua-smtp: warning: other users of this machine can see the " .. what
      .. " in the command line. " .. hint, io.stderr)
end

-- The secret from the variable, or from the first line of the file. -> secret | nil, why not, hint
local function read_from(variable, path)
   if not path then
      local value = os.getenv(variable)
      if value and value ~= "" then return value end
      return nil, ("the variable %s is %s"):format(variable, value and "empty" or "not set"),
         ("Write export %s=…, or check the name of the variable"):format(variable)
   end
   local line, why = resources.read_file(path, "*l")
   if line and line ~= "" then return line end
   return nil, why or path .. " has an empty first line",
      why and resources.PATH_HINT or "Write the secret into its first line"
end

-- Replaces --password-env and --password-file by the password.
local function read_one(options, name)
   local variable, path = options[name .. "_env"], options[name .. "_file"]
   options[name .. "_env"], options[name .. "_file"] = nil, nil
   local hint = ("Use --%s-env VARIABLE or --%s-file FILE"):format(name, name)
   local is_given = options[name] ~= nil
   if is_given and (variable or path) or variable and path then
      errors.refuse(name, ("the %s is given more than once"):format(name), hint)
   end
   if is_given then warn(name, hint .. ".") end
   if not variable and not path then return end
   local secret, why, remedy = read_from(variable, path)
   options[name] = secret or errors.refuse(name, why, remedy)
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

-- ---- the terminal ----

-- Asks at the terminal.
local function ask(options, name, user, host)
   local has_socket, socket = pcall(require, "smtp.socket")
   local prompt = ("%s for %s%s: "):format(name:gsub("^[a-z]", ascii.upper), user,
      host and " at " .. host or "")
   local secret = has_socket and socket.read_secret((output.shown(prompt):gsub("\n", "?")))
   if not secret or secret == "" then
      errors.refuse(name, secret and ("no %s was typed"):format(name)
         or ("a user is given without a %s"):format(name),
         ("Use --%s-env VARIABLE or --%s-file FILE, or type it at a terminal"):format(name, name))
   end
   options[name] = secret
end

-- The secret that the named mechanisms need: "password", "token", or nil.
local function secret_of(mechanisms)
   local found
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

-- Which secret is needed and not given: "password", "token", or nil.
local function missing_secret(options, user, has_password)
   if not user or user == "" or options.auth == "skip" then return nil end
   if has_password or options.password or options.token then return nil end
   if not options.auth_mechanisms then return "password" end
   return secret_of(options.auth_mechanisms)
end

--- Read the password and the token of `send` and `probe` into options.password and options.token.
-- Raises a UsageError.
function secrets.read(options)
   read_one(options, "password")
   read_one(options, "token")
   local user, password, host = parts_of(options.url)
   if password then
      warn("password of --url",
         "Leave it out of the URL, and use --password-env VARIABLE or --password-file FILE.")
   end
   user = options.username or options.user or user
   local name = missing_secret(options, user, password ~= nil)
   if name then ask(options, name, user, options.host or options.server or host) end
end

--- Read the user and the password of `sink` into options.auth. Raises a UsageError.
function secrets.read_for_sink(options)
   read_one(options, "password")
   if options.user and not options.password then ask(options, "password", options.user) end
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
