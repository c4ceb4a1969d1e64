--- The bytes of a source that can be read only once, kept in memory and then in a temporary file.
-- @module smtp.compose.spool

local filters = require "smtp.compose.filters"
local source = require "smtp.compose.source"

local MEMORY_MAX = 1048576   -- bytes that stay in memory

local function no_tmpfile(why)
   return { reason = "tmpfile", what = "a temporary file cannot be written", cause = why,
      hint = "Make /tmp writable, or give the message as a string or an open file" }
end

-- Writes the pieces to the file, which is made for the first ones. -> the file | nil, trouble, the
-- file where it is there
local function write_out(parts, file)
   local ok, why = true, nil
   if not file then file, why = io.tmpfile() end
   if file then ok, why = file:write(table.concat(parts)) end
   if file and ok then return file end
   return nil, no_tmpfile(why), file
end

-- A source of the file, which is rewound. -> source | nil, trouble
local function of_file(file)
   local kept, why = file:seek("set", 0) -- writes what is left
   if kept then kept, why = source.of_file(file) end
   if not (kept and kept.again) then
      file:close()
      return nil, no_tmpfile(why or "it cannot be read twice")
   end
   kept.steady = true
   function kept.close()
      if io.type(file) == "file" then file:close() end
   end
   return kept
end

--- Read a source to its end, and close it.
---@param inner smtp.Source
---@param deadline number      core.now() at which the reading must be over
---@return smtp.Source|nil     with the same bytes; it can be opened again, and is to be closed
---@return table|nil trouble
local function keep(inner, deadline)
   local parts, count, file, broken = {}, 0, nil, nil
   local trouble = source.drain(filters.timed(inner.open(), deadline), function(piece)
      parts[#parts + 1], count = piece, count + #piece
      if not file and count <= MEMORY_MAX then return nil end
      local failure
      file, failure, broken = write_out(parts, file)
      parts = {}
      return failure
   end)
   source.close(inner)
   if not trouble and file then return of_file(file) end
   if not trouble then return source.of_string(table.concat(parts)) end
   file = file or broken
   if file then file:close() end
   return nil, trouble
end

return { keep = keep }
