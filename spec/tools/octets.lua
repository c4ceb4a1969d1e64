--- Octets, for specs that compute what a peer would.

local octets = {}

--- Two strings of the same length, bit by bit: Lua 5.1 has no operator for this.
function octets.xor(a, b)
   local out = {}
   for i = 1, #a do
      local x, y, sum = a:byte(i), b:byte(i), 0
      for bit = 0, 7 do
         local p, q = math.floor(x / 2 ^ bit) % 2, math.floor(y / 2 ^ bit) % 2
         if p ~= q then sum = sum + 2 ^ bit end
      end
      out[i] = string.char(sum)
   end
   return table.concat(out)
end

--- In hexadecimal digits.
function octets.hex(bytes)
   return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

return octets
