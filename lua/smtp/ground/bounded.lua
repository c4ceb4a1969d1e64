--- A map with a maximum number of entries. When it is full, it forgets the half of its entries that
-- was not used for the longest time.
-- @module smtp.ground.bounded

local Bounded = { __name = "smtp.Bounded" }
Bounded.__index = Bounded

--- A new map.
---@param max integer   the map never holds more entries than this; at least 2
---@return smtp.Bounded
function Bounded.new(max)
   ---@class smtp.Bounded
   ---@field half integer    the number of entries in `recent` that makes it become `older`
   ---@field count integer   entries in `recent`
   ---@field empty boolean   no entry was ever set
   ---@field recent table    the entries that were used last
   ---@field older table     the entries before them
   return setmetatable({ half = math.floor(max / 2), count = 0, empty = true, recent = {},
      older = {} }, Bounded)
end

--- The value of a key, or nil. This counts as a use of the entry.
function Bounded:get(key)
   local value = self.recent[key]
   if value ~= nil then return value end
   value = self.older[key]
   if value ~= nil then self:set(key, value) end
   return value
end

--- Set the value of a key.
---@return any value
function Bounded:set(key, value)
   if self.recent[key] == nil then
      if self.count == self.half then self.older, self.recent, self.count = self.recent, {}, 0 end
      self.count, self.empty = self.count + 1, false
   end
   self.recent[key] = value
   return value
end

--- Forget the entry of a key.
function Bounded:remove(key)
   if self.recent[key] ~= nil then self.count = self.count - 1 end
   self.recent[key], self.older[key] = nil, nil
end

return Bounded
