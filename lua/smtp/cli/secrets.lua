--- The secrets of the command: from a variable, from a file, typed at the terminal, or, with a
-- warning, from the arguments.
-- @module smtp.cli.secrets

local ascii = require "smtp.ground.ascii"
local cli_output = require "smtp.cli.output"
local errors = require "smtp.errors"
local resources = require "smtp.ground.resources"

local cli_secrets = {}

local say, shown = cli_output.say, cli_output.shown

-- ---- variables and files ----

local function read_line(path)
   local line, why = resources.read_file(path, "*l")
   return line or not why and "" or nil, why
end

local function warn(what, hint)
   say(("lua-smtp: warning: other users of this machine can see the %s in the command line. %s")
      :format(what, hint), io.stderr)
end

-- --password-env or --password-file in the place of --password. -> true | nil, err
local function read_one(flags, name)
   local by_env, by_file = flags[name .. "_env"], flags[name .. "_file"]
   flags[name .. "_env"], flags[name .. "_file"] = nil, nil
   local hint = ("Use --%s-env VARIABLE or --%s-file FILE"):format(name, name)
   local sources = (flags[name] and 1 or 0) + (by_env and 1 or 0) + (by_file and 1 or 0)
   if sources > 1 then
      return nil, errors.usage(name, ("the %s is given more than once"):format(name), hint)
   end
   if flags[name] then warn(name, hint .. ".") end
   local why
   if by_env then
      flags[name] = os.getenv(by_env)
      why = "the variable " .. by_env .. " is not set"
   elseif by_file then
      flags[name], why = read_line(by_file)
   end
   if (by_env or by_file) and not flags[name] then return nil, errors.usage(name, why) end
   return true
end

-- ---- URLs ----

-- -> user, password, host of a URL, each nil where it is not there
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

-- Asks at the terminal. -> true | nil, err: there is no terminal, or nothing was typed
local function ask(flags, name, user, host)
   local has_socket, socket = pcall(require, "smtp.socket")
   local prompt = ("%s for %s%s: "):format(name:gsub("^[a-z]", ascii.upper), user,
      host and " at " .. host or "")
   local secret = has_socket and socket.read_secret((shown(prompt):gsub("\n", "?")))
   if secret and secret ~= "" then
      flags[name] = secret
      return true
   end
   return nil, errors.usage(name, secret and ("no %s was typed"):format(name)
      or ("a user is given without a %s"):format(name),
      ("Use --%s-env VARIABLE or --%s-file FILE, or type it at a terminal"):format(name, name))
end

local is_token = { XOAUTH2 = true, OAUTHBEARER = true }

-- What the mechanisms that the user named need: "password", "token", nil: neither.
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

--- The password and the token of `send` and `probe`, in flags.password and flags.token.
---@return boolean|nil ok
---@return table|nil err
function cli_secrets.read(flags)
   local ok, err = read_one(flags, "password")
   if ok then ok, err = read_one(flags, "token") end
   if not ok then return nil, err end
   for _, name in ipairs { "url", "proxy" } do
      if select(2, parts_of(flags[name])) then
         warn("password of --" .. name, name == "url"
            and "Leave it out of the URL, and use --password-env VARIABLE or --password-file FILE."
            or "Prefer a proxy that needs none.")
      end
   end
   local user, password, host = parts_of(flags.url)
   user = flags.username or flags.user or user
   if not user or user == "" or flags.auth == "skip" then return true end
   if password or flags.password or flags.token then return true end
   local name = not flags.auth_mechanisms and "password" or secret_of(flags.auth_mechanisms)
   if not name then return true end
   return ask(flags, name, user, flags.host or flags.server or host)
end

--- The user and the password of `sink`, in flags.auth.
---@return boolean|nil ok
---@return table|nil err
function cli_secrets.read_for_sink(flags)
   local ok, err = read_one(flags, "password")
   if ok and flags.user and not flags.password then ok, err = ask(flags, "password", flags.user) end
   if not ok then return nil, err end
   if flags.password and not flags.user then
      return nil, errors.usage("user", "--password needs --user")
   end
   if flags.user then
      flags.auth, flags.require_auth = { users = { [flags.user] = flags.password } }, true
   end
   flags.user, flags.password = nil, nil
   return true
end

return cli_secrets
