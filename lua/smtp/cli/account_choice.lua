--- Which account of the file a command uses, and its options in the place of flags that are not
-- given.
-- @module smtp.cli.account_choice

local account_file = require "smtp.cli.account_file"
local ascii = require "smtp.ground.ascii"
local errors = require "smtp.errors"
local system = require "smtp.ground.resources"

local account_options = system.late "smtp.cli.account_options"
local address = system.late "smtp.options.address"
local unknown = system.late "smtp.options.unknown"

local account_choice = {}

-- ---- which account ----

-- "Ann <ann@Example.org>", or a list that begins with it -> "ann@example.org"; else nil
local function plain_address(text)
   if type(text) == "table" then text = text[1] end
   local ok, entry = pcall(address.parse, text, "from")
   if not ok then return nil end
   return (entry.address:gsub("@[^@]*$", ascii.lower))
end

-- The accounts with this address in the option.
local function with_address(all, names, option, from)
   local found = {}
   for _, name in ipairs(names) do
      local value = all[name].options[option]
      if value and plain_address(value) == from then found[#found + 1] = name end
   end
   return found
end

-- The accounts of a sender; those that have it as `from` come before those that log in with it.
local function of_sender(all, names, from)
   from = from and plain_address(from)
   if not from then return {} end
   for _, option in ipairs { "from", "username", "user" } do
      local found = with_address(all, names, option, from)
      if #found > 0 then return found end
   end
   return {}
end

local function refuse_name(path, what, name, names)
   local near = unknown.nearest(name, names)
   account_file.refuse(path, ("%s, but there is no account %q"):format(what, name),
      near and ("Did you mean %s?"):format(near)
      or #names > 0 and "The accounts are " .. table.concat(names, ", ")
      or "Write accounts = { work = { … } }")
end

local function contains(list, name)
   for i = 1, #list do
      if list[i] == name then return true end
   end
   return false
end

-- The name of the account | nil. `file` contains the accounts `all`.
local function choose(file, all, names, wanted, from)
   local default = file.table.default
   if default and not all[default] then
      refuse_name(file.path, ("default = %q"):format(default), default, names)
   end
   if wanted then
      return all[wanted] and wanted or refuse_name(file.path, "--account " .. wanted, wanted, names)
   end
   local found = of_sender(all, names, from)
   local what = "the accounts %s have this sender, and none of them is the default"
   if #found == 0 then
      found, what = default and { default } or names, "there is no default among the accounts %s"
   end
   if #found < 2 then return found[1] end
   if contains(found, default) then return default end
   account_file.refuse(file.path, what:format(table.concat(found, ", ")),
      "Give --account NAME, or write default = a name into the file")
end

-- ---- its options ----

-- The user that options name | nil
local function user_of(options)
   local user = options.username or options.user
   if user then return user end
   user = (options.url or ""):match("^[^/]*//([^/:@]*)[^/]*@")
   if not user then return nil end
   return (user:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

-- Options of an account that belong to its own place.
local of_place = { "host", "server", "service", "socket", "port", "tls", "protocol", "tls_host",
   "tls_pin", "tls_verify", "auth_plaintext" }

local function merge(options, account, has_place)
   local rest, user, own = {}, user_of(options), user_of(account.options)
   for name, value in next, account.options do rest[name] = value end
   if has_place then
      for _, name in ipairs(of_place) do rest[name] = nil end
   end
   if user and user ~= own then
      account.secrets, account.label, rest.authzid = {}, nil, nil
   elseif not rest.from and plain_address(own) then
      rest.from = own
   end
   if user then rest.username, rest.user = nil, nil end
   for name, value in next, rest do
      if options[name] == nil then options[name] = value end
   end
end

--- Complete the options of a command: see accounts.apply. Raises a UsageError.
---@param options table
---@param flags { path: string?, name: string?, has_place: boolean }   what accounts.apply found
---@param from? string|string[]   the address of the sender
---@return table|nil
function account_choice.complete(options, flags, from)
   local file, tried = account_file.read(flags.path)
   if not file and flags.name then
      errors.refuse("account", ("--account %s: there is no file with accounts"):format(flags.name),
         ("Write the file %s, or give --config FILE"):format(table.concat(tried, " or ")))
   end
   if not file then return nil end
   local all, names = account_options.read(file)
   local name = choose(file, all, names, flags.name, from)
   if not name then return nil end
   merge(options, all[name], flags.has_place)
   return all[name]
end

return account_choice
