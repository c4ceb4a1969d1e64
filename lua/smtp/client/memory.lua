--- What servers were found to do wrong, or right, remembered for the life of the process.
-- @module smtp.client.memory

local bounded = require "smtp.ground.bounded"
local core = require "smtp.core"

local memory = {}

local SERVERS_MAX = 1000

-- Records by place: { no_bdat = true, no_pipelining = true, chunk_failed = true: it does not
-- consume a chunk that it refuses, unreached_until = core.now(),
-- grade = "safe" | "eager" once it is known, conversations = a set of those with
-- pipelining = "eager" }. A transport of the caller's
-- own may lead elsewhere, so each has records of its own, for as long as it exists.
local servers = bounded.new(SERVERS_MAX)
local by_transport = setmetatable({}, { __mode = "k" })

-- By record: the conversation that tries. One that was abandoned is collected, and tries no more.
local trying = setmetatable({}, { __mode = "kv" })

local places = setmetatable({}, { __mode = "k" }) -- by server, which never changes

local function place(server)
   local name = places[server]
   if name then return name end
   name = ("%s %s %s"):format(server.socket or server.host, server.port,
      server.proxy and server.proxy.url or "")
   places[server] = name
   return name
end

local function records(server)
   if server.transport then return by_transport[server.transport] end
   return servers
end

local function find(server)
   local known = records(server)
   if not known or known.empty then return nil end
   return known:get(place(server))
end

--- Is nothing known of any server?
memory.is_empty = true

local function know(server)
   memory.is_empty = false
   local known, name = records(server), place(server)
   if not known then
      known = bounded.new(SERVERS_MAX)
      by_transport[server.transport] = known
   end
   return known:get(name) or known:set(name, {})
end

-- ---- hosts that cannot be reached ----

local UNREACHED_SECONDS = 60

--- No conversation could begin with this server.
function memory.note_unreached(server)
   know(server).unreached_until = core.now() + UNREACHED_SECONDS
end

--- A conversation with this server is tried again: one attempt at a time, others go elsewhere.
function memory.try_unreached(server)
   local record = find(server)
   if record and record.unreached_until then memory.note_unreached(server) end
end

--- A conversation has begun with this server.
function memory.note_reached(server)
   local record = find(server)
   if record then record.unreached_until = nil end
end

--- Was there no conversation with this server in the last minute?
---@return boolean
function memory.is_unreached(server)
   local record = find(server)
   return record ~= nil and record.unreached_until ~= nil and record.unreached_until > core.now()
end

-- ---- extensions that do not work ----

--- This server offers CHUNKING and does not know BDAT.
function memory.note_no_bdat(server)
   know(server).no_bdat = true
end

--- This server offers PIPELINING and refuses commands that arrive together.
function memory.note_no_pipelining(server)
   know(server).no_pipelining = true
end

local function words_of(server, record)
   local words = server.extensions
   if not record or not record.no_bdat and not record.no_pipelining then return words end
   local known = {}
   for keyword, word in next, words do known[keyword] = word end
   local failed = { chunking = record.no_bdat, pipelining = record.no_pipelining }
   for keyword in next, failed do
      if known[keyword] ~= "require" then known[keyword] = "skip" end
   end
   return known
end

--- The words for extensions, as the caller gave them and as experience has it.
function memory.extensions(server)
   return words_of(server, find(server))
end

-- ---- pipelining = "eager" ----

local function is_alive(conv)
   return conv.session and conv.session:wants() ~= "nothing"
end

-- Of a server that nothing is known of, one conversation finds it out, and the others are safe
-- meanwhile.
local function try(record, conv)
   local other = trying[record]
   if other and other ~= conv and is_alive(other) then return "safe" end
   trying[record] = conv
   return "try"
end

--- What a conversation begins with. With pipelining = "eager" it keeps what is known of the server
-- as its `record`; until memory.leave it has the grade of the server, when that is found out.
---@return table words   see memory.extensions
---@return "safe"|"try"|"eager" grade   how far it may go ahead of answers (session:grade)
---@return boolean chunks_ahead   may a chunk, where the server consumes a harmless one?
function memory.recall(server, conv)
   if server.pipelining ~= "eager" then return memory.extensions(server), "safe", false end
   local record = know(server)
   local words = words_of(server, record)
   conv.record = record
   record.conversations = record.conversations or setmetatable({}, { __mode = "k" })
   record.conversations[conv] = true
   local chunks_ahead = not record.chunk_failed
   if record.grade then return words, record.grade, chunks_ahead end
   -- Without a window nothing follows the end of a message but QUIT: see memory.claim.
   return words, server.flight_max and try(record, conv) or "try", chunks_ahead
end

--- This conversation with a record has one message, and QUIT is to follow its end.
function memory.claim(conv)
   local record = conv.record
   if not record.grade then conv.session:grade(try(record, conv)) end
end

--- This conversation with a record is over for the caller: it has none any more.
function memory.leave(conv)
   local record = conv.record
   if trying[record] == conv then trying[record] = nil end
   record.conversations[conv], conv.record = nil, nil
end

-- The receipts of an open connection say what its next messages use; a lane of send_many looks
-- after its own.
local function set_grade(conv, grade)
   if not is_alive(conv) then return end
   conv.session:grade(grade)
   if conv.parts and not conv.server.flight_max then conv.parts.pipelining = nil end
end

--- This server takes what is said after the end of a message ("eager"), or does not ("safe"): from
-- now on, for all conversations with it. What failed once stays safe.
---@param conv smtp.Conversation   with a record
---@param grade "eager"|"safe"
function memory.note_grade(conv, grade)
   local record = conv.record
   if record.grade == "safe" or record.grade == grade then return end
   record.grade = grade
   for each in next, record.conversations do set_grade(each, grade) end
end

--- The conversation, which has a record, ended at the harmless chunk: later ones with this server
-- do without.
function memory.note_chunk_failed(conv)
   conv.record.chunk_failed = true
end

return memory
