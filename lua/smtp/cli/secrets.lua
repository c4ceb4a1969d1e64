--- The secrets of the command. They come from a variable, from a file, from the terminal, from an
-- account, which can also name a program, or, with a warning, from the arguments.
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
   output.say_in("yellow", "lua-smtp: ", "warning", ": other users of this machine can see the "
      .. what .. " in the command line. " .. hint, io.stderr)
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
   local secret, why, remedy = read_from(variable, path)
   options[name] = secret
   if not secret then
      refuse(name, ("--%s-%s: %s"):format(name, path and "file" or "env", why), remedy)
   end
end

-- ---- accounts ----

-- The first line of what a program prints -> secret | nil, why not, hint
local function read_output(name, words)
   local socket, lack = resources.load "smtp.socket"
   if not socket then error(resources.error(lack), 0) end
   local text, why = socket.output_of(words)
   local secret = text and text:match("^[^\n]*")
   if secret and secret ~= "" then return secret end
   return nil, ("%s_command (%s%s) failed: %s"):format(name, words[1], words[2] and " …" or "",
      why or text == "" and "it printed nothing" or "the first line that it printed is empty"),
      "Run it by hand: it has to print the " .. name .. ", and its exit status has to be 0"
end

-- By the kind of a source: (name of the secret, value of the source) -> secret | nil, why not, hint
local readers = { _command = read_output }

readers[""] = function(_, value)
   return value
end

function readers._env(_, variable)
   return read_from(variable)
end

function readers._file(_, path)
   return read_from(nil, path)
end

-- Adds the secrets of the account to the options.
local function read_account(options, account)
   for name, source in next, account.secrets do
      local secret, why, hint = readers[source.kind](name, source.value)
      if not secret then
         error(errors.new("usage", { option = "accounts", what = account.label .. why,
            hint = hint }), 0)
      end
      options[name] = secret
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

-- ---- the terminal ----

-- There is no secret. `label` names the account that the user comes from, if not from a flag.
local function refuse_without(name, is_asked, label)
   if label and not is_asked then
      error(errors.new("usage", { option = "accounts", what = label .. "it has a user but no "
         .. name .. ", and there is no terminal to ask at", hint = ("Write %s_command, %s_file or "
         .. "%s_env into it"):format(name, name, name) }), 0)
   end
   errors.refuse(name, is_asked and "--ask-password needs a terminal"
      or ("a user is given without a %s"):format(name),
      ("Use --%s-env VARIABLE or --%s-file FILE, or type it at a terminal"):format(name, name))
end

-- Asks at the terminal.
local function ask(options, name, user, host, is_asked, label)
   local has_socket, socket = pcall(require, "smtp.socket")
   local prompt = ("%s for %s%s: "):format(name:gsub("^[a-z]", ascii.upper), user,
      host and " at " .. host or "")
   local secret = has_socket and socket.read_secret((output.shown(prompt):gsub("\n", "?")))
   if not secret then refuse_without(name, is_asked, label) end
   if secret == "" then
      errors.refuse(name, ("no %s was typed"):format(name), "Run the command again, and type it")
   end
   options[name] = secret
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
      read_account(options, account)
      is_given = next(account.secrets) ~= nil
   end
   local name = not is_given and missing_secret(options, user, is_asked)
   if not name then return end
   ask(options, name, user, server_of(options, host), is_asked, account and account.label)
end

--- Leave out where the secrets are, for a command that does not log in.
---@param options table   as flags.read gives them
function secrets.leave_out(options)
   for _, name in ipairs { "password", "token", "proxy" } do
      options[name .. "_env"], options[name .. "_file"] = nil, nil
   end
   options.ask_password = nil
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
