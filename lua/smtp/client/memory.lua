--- What servers were found to do wrong, or right, remembered for the life of the process.
-- @module smtp.client.memory

local bounded = require "smtp.ground.bounded"

local memory = {}

-- By place: { no_bdat = true, grade = "safe" | "eager", trying = conversation }
local servers = bounded.new(1000)

--- Grows with each grade that is noted.
memory.changes = 0

local function place(server)
   return ("%s %s %s"):format(server.socket or server.host, server.port, tostring(server.transport))
end

local function find(server)
   if servers.empty then return nil end
   return servers:get(place(server))
end

local function know(server)
   local name = place(server)
   return servers:get(name) or servers:set(name, {})
end

-- ---- CHUNKING ----

--- This server offers CHUNKING and does not know BDAT.
function memory.note_no_bdat(server)
   know(server).no_bdat = true
end

--- The words for extensions, as the caller gave them and as experience has it.
function memory.extensions(server)
   local words = server.extensions
   local preferred = (words.chunking or "prefer") == "prefer"
   local record = preferred and find(server)
   if not record or not record.no_bdat then return words end
   local known = {}
   for keyword, word in next, words do known[keyword] = word end
   known.chunking = "skip"
   return known
end

-- ---- pipelining = "eager" ----

local function is_trying(conv)
   return conv and conv.session and conv.session:wants() ~= "nothing"
end

--- How far this conversation may go ahead of answers (session:grade). Of a server that nothing is
-- known of, one conversation finds it out, and the others are safe meanwhile.
---@return "safe"|"try"|"eager"
function memory.grade(server, conv)
   if server.pipelining ~= "eager" then return "safe" end
   local record = know(server)
   if record.grade then return record.grade end
   if not server.flight_max then return "try" end -- there is but one message
   if record.trying ~= conv and is_trying(record.trying) then return "safe" end
   record.trying = conv
   return "try"
end

--- What a conversation begins with.
---@return table words   see memory.extensions
---@return string grade  see memory.grade
function memory.recall(server, conv)
   if servers.empty and server.pipelining ~= "eager" then return server.extensions, "safe" end
   return memory.extensions(server), memory.grade(server, conv)
end

--- This conversation is over for the caller.
function memory.leave(server, conv)
   local record = find(server)
   if record and record.trying == conv then record.trying = nil end
end

--- This server takes what is said after the end of a message ("eager"), or does not ("safe").
function memory.note_grade(server, grade)
   local record = know(server)
   if record.grade ~= "safe" and record.grade ~= grade then
      record.grade, memory.changes = grade, memory.changes + 1
   end
end

return memory
