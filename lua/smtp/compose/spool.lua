--- The bytes of a source that can be read only once, kept in memory and then in a temporary file.
-- @module smtp.compose.spool

local filters = require "smtp.compose.filters"
local source = require "smtp.compose.source"

local MEMORY_MAX = 1048576   -- bytes that stay in memory

local function no_tmpfile(why)
   return { reason = "tmpfile", what = "a temporary file cannot be written", cause = why,
      hint = "Make /tmp writable, or give the message as a string or an open file" }
end

-- Writes the pieces to the file, which is made for the first ones. -> the file | nil, trouble
local function write_out(parts, file)
   local ok, why = true, nil
   if not file then file, why = io.tmpfile() end
   if file then ok, why = file:write(table.concat(parts)) end
   if file and ok then return file end
   return nil, no_tmpfile(why)
end

--- Read a source to its end.
---@param inner smtp.Source
---@param deadline number      core.now() at which the reading must be over
---@return smtp.Source|nil     with the same bytes; it can be opened again
---@return table|nil trouble
local function keep(inner, deadline)
   local parts, count, file = {}, 0, nil
   local trouble = source.drain(filters.timed(inner.open(), deadline), function(piece)
      parts[#parts + 1], count = piece, count + #piece
      if not file and count <= MEMORY_MAX then return nil end
      local failure
      file, failure = write_out(parts, file)
      parts = {}
      return failure
   end)
   if trouble then return nil, trouble end
   if not file then return source.of_string(table.concat(parts)) end
   local at, why = file:seek("set", 0) -- writes what is left
   if not at then return nil, no_tmpfile(why) end
   local kept = source.of_file(file)
   kept.steady = true
   return kept
end

return { keep = keep }
