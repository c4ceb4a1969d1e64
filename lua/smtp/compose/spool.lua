--- The bytes of a source that can be read only once, kept in memory and then in a temporary file.
-- @module smtp.compose.spool

local core = require "smtp.core"
local filters = require "smtp.compose.filters"
local runtime = require "smtp.runtime.runtime"
local source = require "smtp.compose.source"

local spool = {}

local MEMORY_MAX = 1048576   -- bytes that stay in memory

local function write_out(parts, file)
   local why, ok
   if not file then file, why = io.tmpfile() end
   if not file then return nil, why end
   for i = 1, #parts do
      ok, why = file:write(parts[i])
      if not ok then return nil, why end
   end
   return file
end

local function no_tmpfile(why)
   return nil, { reason = "tmpfile", what = "a temporary file cannot be written", cause = why }
end

--- Read a source to its end.
---@param inner smtp.Source
---@param deadline number      core.now() at which the reading must be over
---@return smtp.Source|nil     with the same bytes; it can be opened again
---@return table|nil trouble
function spool.keep(inner, deadline)
   local read, parts, count, file = filters.timed(inner.open(), deadline), {}, 0, nil
   while true do
      local began = core.now()
      local piece, trouble = read()
      if piece == false then return nil, trouble end
      if piece == nil then break end
      runtime.breathe(began)
      parts[#parts + 1] = piece
      count = count + #piece
      if file or count > MEMORY_MAX then
         local why
         file, why = write_out(parts, file)
         if not file then return no_tmpfile(why) end
         parts, count = {}, 0
      end
   end
   if not file then return source.of_string(table.concat(parts)) end
   local at, why = file:seek("set", 0) -- writes what is left
   if not at then return no_tmpfile(why) end
   local kept = source.of_file(file)
   kept.steady = true
   return kept
end

return spool
