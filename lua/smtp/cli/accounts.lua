--- The account that a command uses: its options in the place of flags that are not given.
-- @module smtp.cli.accounts

local errors = require "smtp.errors"

local account_choice = require("smtp.ground.resources").late "smtp.cli.account_choice"

local accounts = {}

--- The author of a complete message, as its header has it; nil if there is none.
---@param message? string
---@return string|nil
function accounts.author(message)
   if not message or message:find("^\r?\n") then return nil end
   local header = "\n" .. message:sub(1, message:find("\n\r?\n"))
   header = header:gsub("\r\n", "\n"):gsub("\n([ \t])", "%1")
   return header:match("\n[Ff][Rr][Oo][Mm][ \t]*:([^\n]*)")
end

-- Flags that say where to connect.
local places = { "url", "host", "server", "service", "socket" }

local function has_place(options)
   for i = 1, #places do
      if options[places[i]] ~= nil then return true end
   end
   return false
end

-- Takes the flags of this module out of the options. -> what they say; nil: no file is used
local function take_flags(options)
   local path, name = options.config, options.account
   options.config, options.account = nil, nil
   if path == false and name then
      errors.refuse("account", "--account and --no-config are both given", "Keep one of them")
   end
   local flags = { path = path or nil, name = name, has_place = has_place(options) }
   if path == false or flags.has_place and not path and not name then return nil end
   return flags
end

--- Complete the options of a command with those of an account; options that are given take
-- precedence. Without --account and --config, a server that the flags name has no account. Another
-- user does not have the secrets of the account. Raises a UsageError.
---@param options table   as flags.read gives them; config and account are removed
---@param from? string    the address of the sender, if that is not options.from
---@return table|nil      { name =, label =, secrets = } for secrets.read, the label only where the
--   user is that of the account; nil: there is no account
function accounts.apply(options, from)
   local flags = take_flags(options)
   return flags and account_choice.complete(options, flags, from or options.from)
end

return accounts
