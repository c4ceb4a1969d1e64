--- What servers were found to do wrong, or right, remembered for the life of the process.
-- @module smtp.client.memory

local quirks = {}

local MAX = 1000 -- servers remembered

-- By place: { no_bdat = true, grade = "safe" | "eager", trying = conversation }
local servers, count = {}, 0

--- Grows with each grade that is noted.
quirks.changes = 0

local function place(plan)
   return ("%s %s %s"):format(plan.socket or plan.host, plan.port, tostring(plan.transport))
end

local function find(plan)
   return count > 0 and servers[place(plan)] or nil
end

local function know(plan)
   local name = place(plan)
   if servers[name] then return servers[name] end
   if count >= MAX then servers, count = {}, 0 end
   servers[name], count = {}, count + 1
   return servers[name]
end

-- ---- CHUNKING ----

--- This server offers CHUNKING and does not know BDAT.
function quirks.note_no_bdat(plan)
   know(plan).no_bdat = true
end

--- The words for extensions, as the caller gave them and as experience has it.
function quirks.extensions(plan)
   local words = plan.extensions
   local preferred = (words.chunking or "prefer") == "prefer"
   local server = preferred and find(plan)
   if not server or not server.no_bdat then return words end
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
function quirks.grade(plan, conv)
   if plan.pipelining ~= "eager" then return "safe" end
   local server = know(plan)
   if server.grade then return server.grade end
   if not plan.flight_max then return "try" end -- there is but one message
   if server.trying ~= conv and is_trying(server.trying) then return "safe" end
   server.trying = conv
   return "try"
end

--- This conversation is over for the caller.
function quirks.leave(plan, conv)
   local server = plan.flight_max and find(plan)
   if server and server.trying == conv then server.trying = nil end
end

--- This server takes what is said behind the end of a message ("eager"), or does not ("safe").
function quirks.note_grade(plan, grade)
   local server = know(plan)
   if server.grade ~= "safe" and server.grade ~= grade then
      server.grade, quirks.changes = grade, quirks.changes + 1
   end
end

return quirks
