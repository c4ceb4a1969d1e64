--- What servers were found to do wrong, remembered for the life of the process.
-- @module smtp.quirks

local quirks = {}

local MAX = 1000 -- servers remembered

local no_bdat, count = {}, 0

local function place(plan)
   return ("%s %s %s"):format(plan.socket or plan.host, plan.port, tostring(plan.transport))
end

--- This server offers CHUNKING and does not know BDAT.
function quirks.note_no_bdat(plan)
   if count >= MAX then no_bdat, count = {}, 0 end
   no_bdat[place(plan)], count = true, count + 1
end

--- The words for extensions, as the caller gave them and as experience has it.
function quirks.extensions(plan)
   local words = plan.extensions
   local preferred = (words.chunking or "prefer") == "prefer"
   if count == 0 or not preferred or not no_bdat[place(plan)] then return words end
   local known = {}
   for keyword, word in next, words do known[keyword] = word end
   known.chunking = "skip"
   return known
end

return quirks
