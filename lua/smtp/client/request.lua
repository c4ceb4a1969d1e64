--- The caller's table of options becomes a server and a message, before a connection is made.
-- @module smtp.client.request

local check = require "smtp.options.check"
local core = require "smtp.core"
local errors = require "smtp.errors"
local names = require "smtp.options.names"
local receipts = require "smtp.result.receipt"
local runtime = require "smtp.runtime.runtime"
local servers = require "smtp.options.server"
local system = require "smtp.ground.resources"

local outgoing = system.late "smtp.compose.outgoing"

local request = {}

-- ---- the newest server ----

-- The same options make the same server, and most senders give the same options again and again: to
-- compare them costs less than to check them. A server with secrets is kept weakly, so that the
-- secrets go with the next collection.
local is_connection = names.connection.by_name
local newest, weak = {}, { __mode = "v" }

local simple = { string = true, number = true, boolean = true }

-- A list of names is data, an object of the caller's is not.
local function is_data(t)
   for _, value in next, t do
      if not simple[type(value)] then return false end
   end
   return true
end

local function remember(given, server)
   local kept, count = {}, 0
   for name, value in next, given do
      if type(value) == "table" then
         -- An object may change, so that equal contents do not make two objects the same.
         if getmetatable(value) ~= nil or not is_data(value) then return end
         value = check.copy(value)
      end
      kept[name], count = value, count + 1
   end
   newest = setmetatable({ given = kept, count = count, server = server },
      (server.credentials or server.proxy) and weak or nil)
end

-- The newest server if the connection's options in t are the same, and the number of these options.
local function known_server(t)
   local server, given = newest.server, newest.given
   local count = server and given and core.same(t, given, is_connection)
   if count == newest.count then return server, count end
   return nil
end

-- A new server, of which these are the options.
local function complete(server, given)
   if server.loop then runtime.check_loop() end
   remember(given, server)
   return server
end

-- ---- the doors ----

-- What is wrong with the options is raised, and each door returns it.

local function inherits(t)
   local mt = getmetatable(t)
   return type(mt) == "table" and rawget(mt, "__index") ~= nil
end

-- `form`: how the call is written, up to its options.
local function check_table(t, form, options)
   local is_table = type(t) == "table"
   if is_table and (next(t) ~= nil or not inherits(t)) then return end
   errors.refuse("options", is_table and "the table of options is empty: what its metatable has in "
      .. "__index is not read" or "expected a table of options, got " .. check.type_name(t),
      ("Write %s{ %s }"):format(form, options))
end

local WHERE, WHAT = 'host = "mail.example.org"', "from = …, to = …, text = …"

--- A copy of a server, or of options, with other values for some fields. A server itself is never
-- changed, because several calls may share it.
---@param values? table
function request.variant(server, values)
   local other = {}
   for name, value in next, server do other[name] = value end
   for name, value in next, values or {} do other[name] = value end
   for i = 1, #(server.hosts or {}) do
      other.hosts = i > 1 and other.hosts or {}
      other.hosts[i] = request.variant(server.hosts[i], values)
   end
   return other
end

local function read_connection(t, form)
   check_table(t, form, WHERE)
   local known = known_server(t)
   check.names(t, names.connection.names, nil, names.message)
   return known or complete(servers.new(t), t)
end

--- The server of a table that holds only options of a connection, as for smtp.connect.
---@param values? table   other values for some of its fields
---@param form? string    how the call is written, for errors: "smtp.probe "
---@return smtp.Server|nil
---@return table|nil err
function request.connection(t, values, form)
   local ok, server = pcall(read_connection, t, form or "smtp.connect ")
   if not ok then return errors.caught(server) end
   return values and request.variant(server, values) or server
end

--- The event loop in which a call for this server waits: see smtp.options.loop.
request.loop = runtime.loop

--- The options of a connection that smtp.probe copies into the options that it recommends: those
-- without place, secrets and objects.
---@param t table
---@return table
function request.carried(t)
   local carried = {}
   for name, option in next, is_connection do
      local value = rawget(t, name)
      if option.carried and (type(value) ~= "table" or is_data(value)) then
         carried[name] = type(value) == "table" and check.copy(value) or value
      end
   end
   return carried
end

--- The message of a table that holds only options of a message, as for connection:send.
---@param server? smtp.Server   of the connection
---@param form? string          how the call is written, for errors: "smtp.message "
---@return smtp.OutgoingMessage|nil
---@return table|nil err
request.message = errors.returning(function(t, server, form)
   check_table(t, form or "", WHAT)
   check.names(t, names.message.names, nil, names.connection)
   return outgoing.read(check.values(t, names.message), server)
end)

--- By whether they have 8-bit bytes: the needs of messages that have nothing but from, to and raw.
-- They are never changed.
request.plain_needs = { [true] = receipts.eightbit_needs, [false] = receipts.no_needs }

local plain_needs = request.plain_needs

--- The message of a caller's table that has nothing but from, to and raw, or a short text, subject
-- and date in place of raw, read in one step.
---@param old? table      a message that came from here and is no longer used: becomes the new one
---@param others? number   the number of options of the connection that are in the table, too
---@return table|nil   with its first `transaction`; nil for any other message: see request.message
function request.plain(t, server, old, others)
   local transaction, text, size, eightbit, id = core.transaction(t, server.extensions,
      old and old.transaction, others)
   if not transaction then return nil end
   if not old then
      return { plain = true, transaction = transaction, text = text, size = size, message_id = id,
         needs = plain_needs[eightbit] }
   end
   old.transaction, old.text, old.size, old.message_id = transaction, text, size, id
   old.needs = plain_needs[eightbit]
   return old
end

--- Complete a message that session:carry has read and begun: it is one as request.plain makes them.
function request.begun(message)
   message.plain, message.needs = true, plain_needs[message.eightbit]
   return message
end

-- The message that was sent last, for the next one: its memory need not be collected each time.
-- Its place is there from the start: to recycle takes no memory.
local spare = setmetatable({ false }, { __mode = "v" })

--- This message, from request.plain, has its receipt and is not used any more.
function request.recycle(message)
   message.text, spare[1] = nil, message
end

-- `known`: the server, if it is the newest one.
local function read_both(t, known, form)
   check_table(t, form or "smtp.send ", WHERE .. ", " .. WHAT)
   local where, what = check.split(t)
   local server = known or complete(servers.new(where), where)
   return server, request.plain(what, server) or outgoing.read(what, server)
end

--- The server and the message of a table that holds the options of both, as for smtp.send.
---@param form? string                  how the call is written, for errors: "smtp.defer "
---@return smtp.Server|nil
---@return smtp.OutgoingMessage|table   the message, or the error
function request.send(t, form)
   local known, others = known_server(t)
   if known then
      local old = spare[1]
      spare[1] = false
      local plain = request.plain(t, known, old or nil, others)
      if plain then return known, plain end
   end
   local ok, server, message = pcall(read_both, t, known, form)
   if ok then return server, message end
   return errors.caught(server)
end

return request
