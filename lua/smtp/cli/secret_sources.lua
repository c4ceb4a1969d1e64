--- Where secrets come from: a variable, a file, a program, or the terminal.
-- @module smtp.cli.secret_sources

local ascii = require "smtp.ground.ascii"
local errors = require "smtp.errors"
local output = require "smtp.cli.output"
local resources = require "smtp.ground.resources"

local secret_sources = {}

--- The secret from the variable, or from the first line of the file.
---@param variable? string   nil: read the file
---@param path? string
---@return string|nil
---@return string|nil why
---@return string|nil hint
function secret_sources.read(variable, path)
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
   return secret_sources.read(variable)
end

function readers._file(_, path)
   return secret_sources.read(nil, path)
end

--- Add the secrets of an account to the options. Raises a UsageError.
function secret_sources.read_account(options, account)
   for name, source in next, account.secrets do
      local secret, why, hint = readers[source.kind](name, source.value)
      if not secret then
         error(errors.new("usage", { option = "accounts", what = account.label .. why,
            hint = hint }), 0)
      end
      options[name] = secret
   end
end

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

--- Ask at the terminal for the secret of this name, and put it into the options. Raises a
-- UsageError.
---@param user string
---@param host? string
---@param is_asked? boolean   by --ask-password
---@param label? string       names the account that the user comes from, if not from a flag
function secret_sources.ask(options, name, user, host, is_asked, label)
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

return secret_sources
