--- Addresses that are separated by commas, as people type them.
-- @module smtp.cli.addresses

local address_parts = require "smtp.compose.address_parts"
local ascii = require "smtp.ground.ascii"
local errors = require "smtp.errors"

local addresses = {}

-- The texts between commas. A comma in quotes, in a comment or between < and > does not count.
local function split(text)
   local list, from = {}, 1
   address_parts.each(text, function(_, c, stop)
      if c ~= "," then return end
      list[#list + 1] = ascii.trim(text:sub(from, stop - 1))
      from = stop + 1
   end)
   list[#list + 1] = ascii.trim(text:sub(from))
   return list
end

local SHOWN_MAX = 200 -- bytes of a list that an error shows; of a longer one it shows the part

local HINT = "Separate addresses by commas; a name that contains a comma needs quotes: "
   .. "'\"Lee, Ann\" <ann@example.org>'"

--- Add the addresses of a text to a list. Raises an AddressError where a part is a name alone.
---@param text string
---@param list string[]
---@param name string    the name of the flag
function addresses.add(text, list, name)
   local parts = split(text)
   if #parts == 1 then
      list[#list + 1] = text
      return
   end
   for _, part in ipairs(parts) do
      if part ~= "" and not part:find("@", 1, true) then
         local list_shown = #text <= SHOWN_MAX and (" %q"):format(text) or ""
         local what = ("--%s%s: %q is not an address"):format(name, list_shown, part)
         error(errors.address(name, text, what, HINT), 0)
      end
      if part ~= "" then list[#list + 1] = part end
   end
end

return addresses
