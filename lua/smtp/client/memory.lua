--- What servers were found to do wrong, or right, remembered for the life of the process.
-- @module smtp.client.memory

local bounded = require "smtp.ground.bounded"

local quirks = {}

-- By place: { no_bdat = true, grade = "safe" | "eager", trying = conversation }
local servers = bounded.new(1000)

--- Grows with each grade that is noted.
quirks.changes = 0

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
function quirks.note_no_bdat(server)
   know(server).no_bdat = true
end

--- The words for extensions, as the caller gave them and as experience has it.
function quirks.extensions(server)
   local words = server.extensions
   local preferred = (words.chunking or "prefer") == "prefer"
   local memory = preferred and find(server)
   if not memory or not memory.no_bdat then return words end
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
function quirks.grade(server, conv)
   if server.pipelining ~= "eager" then return "safe" end
   local memory = know(server)
   if memory.grade then return memory.grade end
   if not server.flight_max then return "try" end -- there is but one message
   if memory.trying ~= conv and is_trying(memory.trying) then return "safe" end
   memory.trying = conv
   return "try"
end

--- What a conversation begins with.
---@return table words   see quirks.extensions
---@return string grade  see quirks.grade
function quirks.recall(server, conv)
   if servers.empty and server.pipelining ~= "eager" then return server.extensions, "safe" end
   return quirks.extensions(server), quirks.grade(server, conv)
end

--- This conversation is over for the caller.
function quirks.leave(server, conv)
   local memory = find(server)
   if memory and memory.trying == conv then memory.trying = nil end
end

--- This server takes what is said behind the end of a message ("eager"), or does not ("safe").
function quirks.note_grade(server, grade)
   local memory = know(server)
   if memory.grade ~= "safe" and memory.grade ~= grade then
      memory.grade, quirks.changes = grade, quirks.changes + 1
   end
end

return quirks
