--- The options of an outbox, of put and of run.
-- @module smtp.outbox.options

local check = require "smtp.options.check"
local core = require "smtp.core"
local errors = require "smtp.errors"
local many_settings = require "smtp.client.many_settings"
local request = require "smtp.client.request"
local retry = require "smtp.outbox.retry"
local store = require "smtp.outbox.store"

local options = {}

local LEASE, LEASE_MAX = 120, 86400 -- seconds
local KEEP, KEEP_MAX = 7, 36500     -- days
local ID_LEN_MAX = 255
local TIME_MAX = 253402300799       -- the end of the year 9999

local FORM = 'Write smtp.outbox { store = "/var/lib/app/mail.db", server = { host = … } }'

local names = { "store", "server", "name", "retry", "doubt", "lease", "keep", "on_result" }

local function check_number(option, value, min, max, hint)
   if value == nil then return end
   if type(value) == "number" and value >= min and value <= max then return end
   check.refuse_value(option, ("a number from %d to %d"):format(min, max), value, hint)
end

-- ---- of an outbox ----

-- Messages wait for the server that they were put for: another one may not be meant to have them.
-- With some providers the user name is the secret as well: no store gets that.
local function name_of(server)
   local place = server.socket or ("%s:%d"):format(server.host, server.port)
   local user = server.username
   if type(user) ~= "string" or user == "" or user == server.password then return place end
   return user .. "@" .. place
end

local function check_name(value)
   check.is_type("name", value, "string")
   if value and (value == "" or #value > ID_LEN_MAX or value:find("%z")) then
      check.refuse_value("name", "1 to 255 bytes without NUL", value, 'Write name = "newsletter"')
   end
end

local function read_server(value)
   if type(value) ~= "table" then
      check.refuse_value("server", "a table, the options of smtp.connect", value,
         'Write server = { host = "relay.example.org" }')
   end
   local server, err = request.connection(value)
   if not server then error(err, 0) end
   return server
end

local function check_path(value)
   if type(value) ~= "string" or value == "" or value:find("%z") then
      check.refuse_value("store", "a path or a store", value, FORM)
   end
   local hint = 'Write store = "/var/lib/app/mail.db", the path of a file'
   if value == ":memory:" then
      errors.refuse("store",
         "store: an outbox in memory would lose its messages with this process", hint)
   end
   check.is_file("store", value, hint)
end

local function check_store(value)
   if type(value) == "table" or type(value) == "userdata" then return store.check(value) end
   if check.is_url(value) then -- it may contain a password
      errors.refuse("store", "store: expected a path or a store, got a URL",
         "Give the path of an SQLite file, or a store that smtp.outbox.redis makes")
   end
   check_path(value)
end

local function read(given)
   if type(given) ~= "table" then
      check.refuse_value("options", "a table", given, FORM)
   end
   given = check.copy(given)
   check.names(given, names, nil, nil, "outbox")
   check_store(given.store)
   local server = read_server(given.server)
   check_name(given.name)
   check.is_word("doubt", given.doubt, { "keep", "resend" })
   check.is_type("on_result", given.on_result, "function")
   check_number("lease", given.lease, 1, LEASE_MAX, "Write lease = 120, in seconds")
   check_number("keep", given.keep, 0, KEEP_MAX, "Write keep = 7, in days")
   local own = type(given.store) ~= "string" and store.guard(given.store)
   return { store = own or given.store, server = server, name = given.name or name_of(server),
      retry = retry.read(given.retry), resend = given.doubt == "resend",
      lease = math.ceil(given.lease or LEASE), keep = (given.keep or KEEP) * 86400,
      on_result = given.on_result }
end

--- Check the options of smtp.outbox.
---@param given smtp.OutboxOptions
---@return table|nil   store, server (smtp.Server), name, retry, resend, lease, keep (seconds),
--   on_result
---@return table|nil err
options.outbox = errors.returning(read)

-- ---- of put ----

-- The ids of messages that are put one after the other have neighbouring places in an index.
local function random_id()
   return ("%08x"):format(os.time()) .. core.message_id("x"):sub(2, 25)
end

--- Check the second argument of put, and that the first one is a table.
---@param given? smtp.OutboxPut
---@param message any
---@return table|nil   id, at
---@return table|nil err
options.put = errors.returning(function(given, message)
   if type(message) ~= "table" then
      check.refuse_value("message", "a table with the options of a message", message,
         "Write outbox:put { from = …, to = …, subject = …, text = … }")
   end
   if given == nil then return { id = random_id() } end
   if type(given) ~= "table" then
      check.refuse_value("put", "a table, the second argument", given,
         'Write outbox:put(message, { id = "order-7" })')
   end
   given = check.copy(given)
   check.names(given, { "id", "at" }, nil, nil, "outbox")
   local id = given.id
   check.is_type("id", id, "string")
   if id and (id == "" or #id > ID_LEN_MAX or id:find("%z")) then
      check.refuse_value("id", "1 to 255 bytes without NUL", id, 'Write id = "order-7"')
   end
   check_number("at", given.at, 0, TIME_MAX, "Write at = os.time() + 3600")
   return { id = id or random_id(), at = given.at and math.ceil(given.at) }
end)

-- ---- of run ----

-- How many connections, and how fast.
local function read_run(call, given, list)
   given = given == nil and {} or given
   if type(given) ~= "table" then
      check.refuse_value(call, "a table", given,
         ("Write outbox:%s { connections = 2 }"):format(call))
   end
   given = check.copy(given)
   check.names(given, list, nil, nil, "outbox")
   local many, err = many_settings.check({ connections = given.connections, rate = given.rate }, {})
   if not many then error(err, 0) end
   return { once = given.once, until_empty = given.until_empty, many = many }
end

local run_names = { "connections", "rate", "once", "until_empty" }

--- Check the argument of run.
---@param given? smtp.OutboxRunOptions
---@return table|nil   once, until_empty; many: settings of smtp.client.many
---@return table|nil err
options.run = errors.returning(function(given)
   local run = read_run("run", given, run_names)
   check.is_type("once", run.once, "boolean")
   check.is_type("until_empty", run.until_empty, "boolean")
   return run
end)

local start_names = { "connections", "rate" }

--- Check the argument of start.
---@param given? smtp.OutboxStartOptions
---@return table|nil   as options.run
---@return table|nil err
options.start = errors.returning(function(given) return read_run("start", given, start_names) end)

-- ---- of get, list and decisions ----

--- Check an id.
---@param id string
---@return string|nil
---@return table|nil err
options.id = errors.returning(function(id)
   if type(id) ~= "string" then
      check.refuse_value("id", "a string", id, "Give the id that put returned")
   end
   return id
end)

local STATES = { "queued", "claimed", "ending", "doubt", "sent", "failed", "cancelled" }
local LIST, LIST_MAX = 100, 10000

--- Check the argument of list.
---@param given? smtp.OutboxFilter
---@return table|nil   state, to, limit, after
---@return table|nil err
options.list = errors.returning(function(given)
   given = given == nil and {} or given
   if type(given) ~= "table" then
      check.refuse_value("list", "a table", given, 'Write outbox:list { state = "failed" }')
   end
   given = check.copy(given)
   check.names(given, { "state", "to", "limit", "after" }, nil, nil, "outbox")
   check.is_word("state", given.state, STATES)
   check.is_type("to", given.to, "string")
   check_number("limit", given.limit, 1, LIST_MAX, "Write limit = 100")
   if given.limit and given.limit % 1 ~= 0 then
      check.refuse_value("limit", "a whole number", given.limit, "Write limit = 100")
   end
   check_number("after", given.after, 0, 2 ^ 53, "Write after = the number of the last entry")
   return { state = given.state, to = given.to, limit = given.limit or LIST, after = given.after }
end)

return options
