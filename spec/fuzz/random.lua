--- Random numbers that are the same in each Lua for the same seed, and what is drawn with them.

local random = {}

local Random = {}
Random.__index = Random

--- @param seed integer
function random.new(seed)
   return setmetatable({ state = (seed * 7919 + 104729) % 2147483646 + 1 }, Random)
end

--- 1 to `max`.
function Random:int(max)
   self.state = self.state * 16807 % 2147483647 -- Park and Miller
   return math.floor(self.state / 2147483647 * max) + 1
end

--- True once in so many times.
function Random:once_in(count)
   return self:int(count) == 1
end

--- One of a list.
function Random:pick(list)
   return list[self:int(#list)]
end

--- So many bytes of any value.
function Random:bytes(len)
   local list = {}
   for i = 1, len do list[i] = string.char(self:int(256) - 1) end
   return table.concat(list)
end

--- A text with some of its bytes changed, taken out, doubled, or with something of `pieces` put in.
function Random:mutated(text, pieces)
   for _ = 1, self:int(3) do
      local at, what = self:int(#text + 1), self:int(5)
      local head, tail = text:sub(1, at - 1), text:sub(at)
      if what == 1 then
         text = head .. string.char(self:int(256) - 1) .. tail:sub(2)
      elseif what == 2 then
         text = head .. tail:sub(self:int(4))
      elseif what == 3 then
         text = head .. tail:sub(1, 1) .. tail
      elseif what == 4 then
         text = head .. self:pick(pieces) .. tail
      else
         text = head
      end
   end
   return text
end

--- The seed of a run and how many cases it has, from the environment.
---@param cases integer   without an environment
---@return integer seed
---@return integer cases
function random.run(cases)
   return tonumber(os.getenv "SEED") or 1, tonumber(os.getenv "CASES") or cases
end

return random
