--- A message of the outbox: the record that a store keeps of it, made when it is put; the outgoing
-- message, when it is sent; and what users see of it.
-- @module smtp.outbox.entry

local ascii = require "smtp.ground.ascii"
local encoding = require "smtp.outbox.encoding"
local errors = require "smtp.errors"
local raw = require "smtp.compose.raw"
local request = require "smtp.client.request"
local sign = require "smtp.compose.sign"
local source = require "smtp.compose.source"
local states = require "smtp.outbox.states"

local entry = {}

local WHOLE_MAX = 65536    -- bytes of a body that is kept in one piece
local PIECE_MIN = 32768    -- bytes of each piece of a longer one, but for the last

-- ---- putting ----

-- What is needed to send the bytes; see smtp.OutgoingMessage.
local kept = { "from", "needs_all_recipients", "eightbit", "may_be_binary", "must_be_binary",
   "utf8_address", "extensions", "needs", "message_id" }

-- Does it need nothing but to be sent? Then its bytes, its sender and its recipients are all of it.
local function is_plain(facts)
   for name in next, facts do
      if name ~= "from" and name ~= "message_id" and name ~= "eightbit" and name ~= "needs" then
         return false
      end
   end
   for keyword in next, facts.needs or {} do
      if keyword ~= "8bitmime" then return false end
   end
   return true
end

local function facts_of_plain(message)
   local is_eightbit = message.needs["8bitmime"] ~= nil or nil
   return encoding.fields("is_plain", true, "from", message.from, "needs",
      is_eightbit and message.needs, "message_id", message.message_id, "eightbit", is_eightbit)
end

local function facts_of(message)
   local facts = {}
   for i = 1, #kept do
      local value = message[kept[i]]
      if value and (type(value) ~= "table" or next(value) ~= nil) then facts[kept[i]] = value end
   end
   for name, value in next, message.parameters do
      if type(value) ~= "table" or next(value) ~= nil then
         facts.parameters = facts.parameters or {}
         facts.parameters[name] = value
      end
   end
   if is_plain(facts) then facts.is_plain = true end
   return encoding.encode(facts)
end

--- The form in which a store looks for addresses.
function entry.searched(address)
   return ascii.lower(address)
end

local function wrong_size()
   return source.failure { reason = "size", what = "the message changed its size while it was put" }
end

-- A reader of pieces that are not small. It fails if they are not `size` bytes in all.
local function pieces_of(whole, size)
   local read, total = source.cut(whole.open(), WHOLE_MAX), 0
   return function()
      local parts, len = {}, 0
      while len < PIECE_MIN do
         local piece, trouble = read()
         if piece == false then return false, select(2, source.failure(trouble)) end
         if not piece then break end
         parts[#parts + 1], len, total = piece, len + #piece, total + #piece
      end
      if total > size or len < PIECE_MIN and total ~= size then
         return false, select(2, wrong_size())
      end
      return len > 0 and table.concat(parts) or nil
   end
end

-- -> the whole body | nil and a reader of its pieces | nil, nil, an error
local function body_of(message)
   local text, is_whole = message.text, message.size <= WHOLE_MAX
   if is_whole and text and #text == message.size then return text end
   local whole = source.of_message(message)
   if not is_whole then return nil, pieces_of(whole, message.size) end
   local parts = {}
   local trouble = source.drain(whole.open(), function(piece) parts[#parts + 1] = piece end)
   if trouble then return nil, nil, select(2, source.failure(trouble)) end
   local body = table.concat(parts)
   if #body ~= message.size then return nil, nil, select(2, wrong_size()) end
   return body
end

-- A message of the commonest kinds, made in one step; nil for any other.
local function compose_plain(options, server)
   local message = request.plain(options, server)
   if not message or #message.text ~= message.size then return nil end -- it has other line ends
   message.from, message.to = message.transaction:envelope()
   return message
end

--- Check and compose a message, as smtp.send does, and sign it.
---@param options smtp.MessageOptions
---@param server smtp.Server
---@return smtp.OutgoingMessage|nil
---@return table|nil err
function entry.compose(options, server)
   local plain = compose_plain(options, server)
   if plain then return plain end
   local message, err = request.message(options, server)
   local ok = message ~= nil
   if ok then ok, err = sign.message(message, math.huge) end
   if ok then ok, err = raw.make_exact(message, math.huge) end
   return ok and message or nil, err
end

--- The message is not read any more: its files are closed.
---@param message smtp.OutgoingMessage
function entry.release(message)
   source.close(message.source)
end

--- The record of a message.
---@param message smtp.OutgoingMessage   from entry.compose
---@param id string
---@param now integer
---@param at? integer    when to send it
---@return table|nil record
---@return function|nil pieces   for store:put
---@return table|nil err
function entry.record(message, id, now, at)
   local body, pieces, err = body_of(message)
   if err then return nil, nil, err end
   local since, facts = math.max(now, at or now), message.plain and facts_of_plain or facts_of
   return { id = id, due = since, created = now, since = since, size = message.size, body = body,
      facts = facts(message), recipients = encoding.encode(message.to),
      addresses = "\n" .. entry.searched(table.concat(message.to, "\n")) .. "\n" }, pieces
end

-- ---- sending ----

-- The source of a body that the store has in pieces.
local function stored_source(store, record)
   return { size = record.size, again = true, steady = true, open = function()
      local at = 0
      return function()
         at = at + 1
         local piece, err = store:read(record.number, at)
         if err then return source.failed("the store failed", err, "store") end
         return piece
      end
   end }
end

local function damaged(record)
   return nil, errors.new("system", { reason = "store_damaged", retry = "never",
      what = ("the store's record of the message %s is damaged"):format(record.id) })
end

local no_needs, no_parameters = {}, { notify_of = {}, orcpt_of = {} }

local function words_of(words, server)
   local all = {}
   for keyword, word in next, words or no_needs do all[keyword] = word end
   for keyword, word in next, server.extensions do all[keyword] = all[keyword] or word end
   return all
end

--- Read a record that store:claim returned: it gets `details`, and `to`, the addresses of the
-- recipients that are still open; after an attempt, the `list` of all recipients as well, and
-- `open`, the places in it of those that are still open.
---@param record table
---@return true|nil
---@return table|nil err
function entry.read(record)
   local facts, list = encoding.decode(record.facts), encoding.decode(record.recipients)
   if type(facts) ~= "table" or type(list) ~= "table" then return damaged(record) end
   record.details, record.to = facts, list
   if type(list[1]) == "string" then return true end
   local to, open = {}, {}
   for i = 1, #list do
      if list[i].state == "queued" then
         to[#to + 1], open[#open + 1] = list[i].address, i
      end
   end
   record.list, record.open, record.to = list, open, to
   return true
end

--- The message as options of the commonest kind, { from =, to =, raw = }; nil if it is another one.
---@param record table   after entry.read
function entry.plain(record)
   local facts = record.details
   if not facts.is_plain or not record.body then return nil end
   return { from = facts.from, to = record.to, raw = record.body }
end

--- The outgoing message to the recipients that are still open.
---@param store table
---@param record table    after entry.read
---@param server smtp.Server
---@return smtp.OutgoingMessage
function entry.outgoing(store, record, server)
   local facts, plain = record.details, entry.plain(record)
   local message = plain and request.plain(plain, server)
   if message then return message end
   local parameters = no_parameters
   if facts.parameters then parameters = request.variant(no_parameters, facts.parameters) end
   message = { to = record.to, text = record.body, size = record.size, size_is_exact = true,
      source = not record.body and stored_source(store, record) or nil, parameters = parameters }
   for i = 1, #kept do message[kept[i]] = facts[kept[i]] end
   message.extensions = words_of(facts.extensions, server)
   message.needs = facts.needs or no_needs
   return message
end

-- ---- showing ----

--- What users see of a record.
---@param record table
---@return smtp.OutboxEntry
function entry.view(record)
   local facts = encoding.decode(record.facts) or {}
   local list, recipients = states.recipients(record), {}
   for i = 1, #list do
      local one = list[i]
      recipients[i] = { address = one.address, state = one.state, code = one.code,
         enhanced = one.enhanced, text = one.text, reason = one.reason,
         resent = one.resent }
   end
   return { id = record.id, state = record.state, created = record.created, due = record.due,
      from = facts.from or "", message_id = facts.message_id, size = record.size,
      recipients = recipients, attempts = encoding.decode_all(record.history or ""),
      number = record.number }
end

return entry
