--- The flags of lua-smtp outbox as options of an outbox, of its methods, and of its server.
-- @module smtp.cli.outbox_options

local accounts = require "smtp.cli.accounts"
local ascii = require "smtp.ground.ascii"
local check = require "smtp.options.check"
local errors = require "smtp.errors"
local message_flags = require "smtp.cli.message_flags"
local safe = require "smtp.safe"
local secrets = require "smtp.cli.secrets"

local outbox_options = {}

local numbers = { at = true, connections = true, rate = true, lease = true, keep = true,
   limit = true, after = true }

-- These options, taken out; a value that is not a number is refused by the outbox.
local function take(options, names)
   local taken = {}
   for _, name in ipairs(names) do
      local value = options[name]
      taken[name] = numbers[name] and ascii.number(value) or value
      options[name] = nil
   end
   return taken
end

--- The message that put accepts.
---@param options table   as flags.read gives them; what is left is for outbox_options.open
---@return table message
---@return table more     the second argument of put
function outbox_options.message(options)
   local more = take(options, { "id", "at" })
   local own = take(options, { "store", "name" })
   options.trace = nil
   message_flags.read(options)
   message_flags.read_text(options)
   secrets.leave_out(options, accounts.apply(options))
   return outbox_options.split(options, own), more
end

--- Separate a message from the options of its server and of its outbox.
---@param options table   of smtp.send; what is left is for outbox_options.open
---@param own table       store and name
---@return table message
function outbox_options.split(options, own)
   local connection, message = check.split(options)
   for name in next, message do options[name] = nil end
   for name, value in next, connection do options[name] = value end
   for name, value in next, own do options[name] = value end
   options.is_put = true
   return message
end

--- The argument of run.
function outbox_options.run(options)
   return take(options, { "connections", "rate", "once", "until_empty" })
end

--- The argument of list.
function outbox_options.filter(options)
   local filter = take(options, { "state", "to", "limit", "after" })
   if filter.to then filter.to = filter.to[1] end
   return filter
end

-- The user name is part of the outbox's name.
local function no_secret()
   return nil
end

-- Do the flags say of which outbox the messages are?
local function names_outbox(options)
   for _, name in ipairs { "host", "server", "service", "url", "socket", "name", "account",
      "config" } do
      if options[name] then return true end
   end
   return false
end

-- The one outbox in the store, where the flags do not say which.
local function only_name(path)
   local store, err = require("smtp.outbox.sqlite").open(path)
   if not store then return nil, err end
   local names
   names, err = store:names()
   store:close()
   if not names then return nil, err end
   if #names == 1 then return names[1] end
   errors.refuse("name", #names == 0 and "the store has no messages"
      or "the store has several outboxes: " .. table.concat(names, ", "),
      "Name the outbox: --name NAME")
end

local EACCES = 13 -- the same number on every Unix

-- Only put and run make the file: after a typing error the others would say that it is empty.
local function check_exists(path)
   check.is_file("store", path, 'Write store = "/var/lib/app/mail.db", the path of a file')
   local file, why, errno = io.open(path, "rb")
   if file then
      file:close()
      return
   end
   errors.refuse("store", "--store " .. why, errno == EACCES
      and "Run it as the user whose outbox it is, or let this user read and write the file and "
         .. "its folder" or "Check the path; lua-smtp outbox put makes the file")
end

-- The server of run is that of the flags, or of an account. For the actions that show or change
-- messages it only names the outbox, and an account counts where the flags name it. Only run logs
-- in; for the others the flags may say where the secrets are.
local function complete_server(options, is_run, is_put)
   if is_put then return end -- it has done so for its message
   local account
   if is_run or options.account or options.config then account = accounts.apply(options) end
   options.account, options.config = nil, nil
   options.from = nil -- of the account: each message has its own
   if is_run then secrets.read(options, account) else secrets.leave_out(options, account) end
end

-- The server as smtp.outbox takes it.
local function server_of(options, is_run, is_put)
   complete_server(options, is_run, is_put)
   if options.username and not (options.password or options.token) then
      options.password = no_secret
   end
   return options
end

--- Open the outbox.
---@param options table   as flags.read gives them, without those of the action
---@return table|nil      the outbox of smtp.safe
---@return table|nil err
function outbox_options.open(options)
   local given = take(options, { "store", "name", "doubt", "lease", "keep", "on_result" })
   if not given.store then
      errors.refuse("store", "--store is missing", "Write --store FILE")
   end
   local is_put, is_run = options.is_put, given.on_result ~= nil
   options.is_put = nil
   local reads_file = not (is_put or is_run or check.is_url(given.store)) -- a URL is refused
   if reads_file then check_exists(given.store) end
   if reads_file and not (names_outbox(options) or given.name) then
      local err
      given.name, err = only_name(given.store)
      if err then return nil, err end
   end
   given.server = server_of(options, is_run, is_put)
   return safe.outbox(given)
end

return outbox_options
