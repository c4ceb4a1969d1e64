--- What a function of the command prints on standard output.

local function printed(fn, ...)
   local real, parts = io.stdout, {}
   io.stdout = { write = function(self, ...) -- luacheck: ignore
      for i = 1, select("#", ...) do parts[#parts + 1] = (select(i, ...)) end
      return self
   end, flush = function() end }
   local results = { pcall(fn, ...) }
   io.stdout = real -- luacheck: ignore
   assert(results[1], results[2])
   return table.concat(parts), results[2], results[3]
end

return printed
