--- What the file with the accounts may contain. Its errors name the file and the account.
-- @module smtp.cli.account_options

local account_file = require "smtp.cli.account_file"
local address = require "smtp.options.address"
local ascii = require "smtp.ground.ascii"
local check = require "smtp.options.check"
local errors = require "smtp.errors"
local names = require "smtp.options.names"
local url = require "smtp.options.url"
local server = require "smtp.options.server"

local account_options = {}

local FORM = 'Write return { accounts = { work = { service = "gmail", username = "…" } } }'

-- ---- names ----

-- Options of a connection that only a program can use.
local of_programs = { transport = true, observe = true, keepalive = true, loop = true }

local SOURCES = { "", "_command", "_file", "_env" }

local known, is_known = { "from" }, {}
for _, name in ipairs(names.connection.names) do
   if not of_programs[name] then known[#known + 1] = name end
end
for _, secret in ipairs { "password", "token" } do
   for i = 2, #SOURCES do known[#known + 1] = secret .. SOURCES[i] end
end
for i = 1, #known do is_known[known[i]] = true end

-- What belongs elsewhere than into an account.
local elsewhere = { by_name = {}, home = "a message: give it as a flag of the command" }
for name, option in next, names.message.by_name do
   if not is_known[name] then elsewhere.by_name[name] = option end
end

local PROGRAM = 'Write password_command = { "pass", "mail/work" }'
local other_names = { passwordeval = PROGRAM, password_eval = PROGRAM, passcmd = PROGRAM,
   password_cmd = PROGRAM, passwordcommand = PROGRAM }

local function check_names(account)
   for name in next, account do
      if other_names[name] then
         errors.refuse(name, ("there is no option %q"):format(name), other_names[name])
      end
   end
   check.names(account, known, nil, elsewhere)
end

-- ---- secrets ----

-- -> the words of a program, with the home directory in the place of "~"
local function read_command(name, words)
   local form = ('Write %s = { "pass", "mail/work" }, a program and its arguments'):format(name)
   if type(words) ~= "table" or #words == 0 then
      errors.refuse(name, ("%s: expected a list of words, got %s"):format(name,
         check.type_name(words)), form)
   end
   check.is_list(words, name, form)
   local list = {}
   for i = 1, #words do
      if type(words[i]) ~= "string" or words[i]:find("%z") or words[1] == "" then
         errors.refuse(name, ("%s[%d] is not a word for a program"):format(name, i), form)
      end
      list[i] = account_file.expand(words[i])
   end
   return list
end

-- Where a secret comes from. A variable with another name is probably the password itself, which
-- no error shows.
local function read_source(name, kind, value)
   if kind == "_command" then return read_command(name, value) end
   check.is_type(name, value, "string")
   if kind == "_env" and not value:find("^[A-Za-z_][A-Za-z0-9_]*$") then
      errors.refuse(name, name .. " is not the name of a variable",
         ('Write %s = "MAIL_PASSWORD"'):format(name))
   end
   return kind == "_file" and account_file.expand(value) or value
end

-- Takes the sources of a secret out of the account. -> { kind = "_command", value = … } | nil
local function take_source(account, secret)
   local source
   for _, kind in ipairs(SOURCES) do
      local name = secret .. kind
      local value = account[name]
      account[name] = nil
      if value ~= nil and source then
         errors.refuse(name, ("%s%s and %s are both given"):format(secret, source.kind, name),
            "Keep one of them")
      elseif value ~= nil then
         source = { kind = kind, value = read_source(name, kind, value) }
      end
   end
   return source
end

-- ---- one account ----

local paths = { "socket", "tls_ca_file", "tls_ca_path", "tls_cert", "tls_key" }

-- The parts of the url as options of their own: it may contain a password.
local function without_url(account)
   if account.url == nil then return account end
   local service = account.service
   account.service = nil
   account = url.complete(account)
   account.service, account.url = service, nil
   return account
end

-- The checks that are made before a message is sent, with any secret.
local function check_values(account, secrets)
   local t = check.copy(account)
   t.from = nil
   for secret in next, secrets do t[secret] = "secret" end
   local user = t.username or t.user
   if user and user ~= "" and not next(secrets) then
      t.password, t.token = "secret", "secret" -- the user is asked
   end
   server.new(t)
end

-- -> the options, and where the secrets come from
local function read(account)
   check.is_type("the account", account, "table", FORM)
   check_names(account)
   account = without_url(check.copy(account))
   if account.from ~= nil then
      check.is_type("from", account.from, "string")
      address.parse(account.from, "from")
   end
   for _, name in ipairs(paths) do
      if type(account[name]) == "string" then
         account[name] = account_file.expand(account[name])
      end
   end
   local secrets = {}
   for _, secret in ipairs { "password", "token" } do
      secrets[secret] = take_source(account, secret)
   end
   check_values(account, secrets)
   return { options = account, secrets = secrets }
end

local function has_secret(account)
   local proxy = account.options.proxy
   if proxy and proxy:find("@", 1, true) then return true end -- a password comes with each user
   for _, source in next, account.secrets do
      if source.kind == "" and source.value ~= "" then return true end
   end
   return false
end

-- ---- all of them ----

local top = { "accounts", "default" }

local function check_top(t)
   for name in next, t do
      if is_known[name] then
         errors.refuse(name, ("there is no option %q outside of an account"):format(name), FORM)
      end
   end
   check.names(t, top, nil, nil, "file")
   check.is_type("accounts", t.accounts, "table", FORM)
   check.is_type("default", t.default, "string", "Write default = the name of an account")
   for name in next, t.accounts or {} do
      if type(name) ~= "string" or not name:find("^[^%z\1-\31\127]+$") then
         errors.refuse("accounts", "accounts contains an account without a name", FORM)
      end
   end
end

-- What fn(…) returns; its errors name the file and `where`.
local function named(path, where, fn, ...)
   local result, err = errors.returning(fn)(...)
   if err then account_file.refuse(path, where .. err.what, err.hint) end
   return result
end

--- The accounts of a file. Raises a UsageError if any of them is wrong.
---@param file table   as account_file.read returns it
---@return table       by name: { options =, secrets = { password = { kind =, value = } }, label = }
---@return string[]    the names in order
function account_options.read(file)
   local path, accounts, list = file.path, {}, {}
   named(path, "", check_top, file.table)
   for name in next, file.table.accounts or {} do list[#list + 1] = name end
   table.sort(list, ascii.before)
   for _, name in ipairs(list) do
      local where = ("account %s: "):format(name)
      local account = named(path, where, read, file.table.accounts[name])
      if file.others_read and has_secret(account) then
         account_file.refuse(path, where .. "other users may read the file, but it contains a "
            .. "password or a token", ("Run chmod 600 %s, or write password_command, password_file "
            .. "or password_env"):format(account_file.quoted(path)))
      end
      account.name, account.label, accounts[name] = name, path .. ": " .. where, account
   end
   return accounts, list
end

return account_options
