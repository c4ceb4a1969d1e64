--- What the line of an error says of several recipients that a server has refused.
-- @module smtp.ground.refusals

local errors = require "smtp.errors"

local refusals = {}

local NAMED_MAX = 3 -- recipients in the line
local REPLY_MAX = 120 -- bytes of the server's words about each of them

local function refusal(one)
   local text = errors.cut(one.text or "", REPLY_MAX, "…")
   local enhanced = one.enhanced and " " .. one.enhanced or ""
   return one.address .. ": " .. one.code .. enhanced .. (text ~= "" and " " .. text or "")
end

-- Refused recipients with replies; is any of these another reply than the error's?
local function refused(err)
   local list, differ = {}, false
   for _, one in ipairs(err.recipients or {}) do
      if one.code and (one.state == "refused" or one.state == "deferred") then
         list[#list + 1] = one
         differ = differ or one.code ~= err.code or one.text ~= err.text
      end
   end
   return list, differ
end

-- At most three, then how many more.
local function shorten(list, show)
   local named = {}
   for i = 1, math.min(#list, NAMED_MAX) do named[i] = show(list[i]) end
   if #list > NAMED_MAX then named[#named + 1] = ("and %d more"):format(#list - NAMED_MAX) end
   return table.concat(named, "; ")
end

local function address_of(one)
   return one.address
end

--- ": a@x.example: 550 5.1.1 who?; b@x.example: 451 later; …; and 2 more", or the reply and the
-- addresses if all have the reply of the error. nil: the recipients say nothing new.
---@param err smtp.Error
---@return string|nil   the end of a sentence
function refusals.of(err)
   local list, differ = refused(err)
   if differ then return ": " .. shorten(list, refusal) end
   if #list == 0 or err.kind == "data_refused" then return nil end
   if #list == 1 and (err.what or ""):find(list[1].address, 1, true) then return nil end
   return ("%s [%s]"):format(errors.reply(err), shorten(list, address_of))
end

return refusals
