--- The secrets of the command. They come from a variable, from a file, from the terminal, or, with
-- a warning, from the arguments.
-- @module smtp.cli.secrets

local ascii = require "smtp.ground.ascii"
local errors = require "smtp.errors"
local output = require "smtp.cli.output"
local resources = require "smtp.ground.resources"

local secrets = {}

local say, shown = output.say, output.shown

-- ---- variables and files ----

local function read_line(path)
   local line, why = resources.read_file(path, "*l")
   return line or not why and "" or nil, why
end

local function warn(what, hint)
   say(("lua-smtp: warning: other users of this machine can see the %s in the command line. %s")
      :format(what, hint), io.stderr)
end

-- The secret from the variable or the first line of the file. -> secret | nil, why not
local function read_from(variable, path)
   if path then return read_line(path) end
   return os.getenv(variable), "the variable " .. variable .. " is not set"
end

-- Replaces --password-env and --password-file by the password. -> true | nil, err
local function read_one(options, name)
   local variable, path = options[name .. "_env"], options[name .. "_file"]
   options[name .. "_env"], options[name .. "_file"] = nil, nil
   local hint = ("Use --%s-env VARIABLE or --%s-file FILE"):format(name, name)
   local is_given = options[name] ~= nil
   if is_given and (variable or path) or variable and path then
      return nil, errors.usage(name, ("the %s is given more than once"):format(name), hint)
   end
   if is_given then warn(name, hint .. ".") end
   if not variable and not path then return true end
   local why
   options[name], why = read_from(variable, path)
   if not options[name] then return nil, errors.usage(name, why) end
   return true
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

-- Asks at the terminal. -> true | nil, err where there is no terminal, or nothing was typed
local function ask(options, name, user, host)
   local has_socket, socket = pcall(require, "smtp.socket")
   local prompt = ("%s for %s%s: "):format(name:gsub("^[a-z]", ascii.upper), user,
      host and " at " .. host or "")
   local secret = has_socket and socket.read_secret((shown(prompt):gsub("\n", "?")))
   if secret and secret ~= "" then
      options[name] = secret
      return true
   end
   return nil, errors.usage(name, secret and ("no %s was typed"):format(name)
      or ("a user is given without a %s"):format(name),
      ("Use --%s-env VARIABLE or --%s-file FILE, or type it at a terminal"):format(name, name))
end

local is_token = { XOAUTH2 = true, OAUTHBEARER = true }

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

local function warn_of_urls(options)
   for _, name in ipairs { "url", "proxy" } do
      if select(2, parts_of(options[name])) then
         warn("password of --" .. name, name == "url"
            and "Leave it out of the URL, and use --password-env VARIABLE or --password-file FILE."
            or "Prefer a proxy that needs none.")
      end
   end
end

-- Which secret is needed and not given: "password", "token", or nil.
local function missing_secret(options, user, has_password)
   if not user or user == "" or options.auth == "skip" then return nil end
   if has_password or options.password or options.token then return nil end
   if not options.auth_mechanisms then return "password" end
   return secret_of(options.auth_mechanisms)
end

--- Read the password and the token of `send` and `probe` into options.password and options.token.
---@return boolean|nil ok
---@return table|nil err
function secrets.read(options)
   local ok, err = read_one(options, "password")
   if ok then ok, err = read_one(options, "token") end
   if not ok then return nil, err end
   warn_of_urls(options)
   local user, password, host = parts_of(options.url)
   user = options.username or options.user or user
   local name = missing_secret(options, user, password ~= nil)
   if not name then return true end
   return ask(options, name, user, options.host or options.server or host)
end

--- Read the user and the password of `sink` into options.auth.
---@return boolean|nil ok
---@return table|nil err
function secrets.read_for_sink(options)
   local ok, err = read_one(options, "password")
   if ok and options.user and not options.password then
      ok, err = ask(options, "password", options.user)
   end
   if not ok then return nil, err end
   if options.password and not options.user then
      return nil, errors.usage("user", "--password needs --user")
   end
   if options.user then
      options.auth = { users = { [options.user] = options.password } }
      options.require_auth = true
   end
   options.user, options.password = nil, nil
   return true
end

return secrets
