--- Where the octets of a message come from: strings, files, functions of the user's own.
--
-- A source is { open = function() -> read, size = octets or nil, again = can it be opened again?,
-- steady = will it be the same then?,
-- text = all of it, where it is one string }. read() gives the next piece (a non-empty string), nil at
-- the end, or false and trouble: { reason =, what = a sentence, cause = }.
-- @module smtp.compose.source

local core = require "smtp.core"
local guard = require "smtp.options.user_call"
local host = require "smtp.runtime.runtime"
local system = require "smtp.ground.resources"

local source = {}

local EMPTY_MAX = 1000       -- empty pieces in a row that a function may give
local SLICE = 65536          -- octets looked at before others may have their turn
local MEMORY_MAX = 1048576   -- octets of a spool that stay in memory
local JOINED_MAX = 262144    -- octets of strings that become one, or are encoded at once
local LINE = 76              -- characters of a line of base64 (RFC 2045 6.8)
local PIECE = 47709          -- octets read at once: in base64, with its line ends, under 64 KiB

local function failed(what, cause, reason)
   return false, { reason = reason or "failed", what = what, cause = cause }
end

--- What a string holds, as core.scan says; others have their turn meanwhile.
---@param ready? boolean   it is to be sent as it is: see struct smtp_scan
function source.scan(text, ready)
   local scanner = core.scanner(ready)
   for at = 1, #text, SLICE do
      local began = core.now()
      scanner:feed(text, at, SLICE)
      host.breathe(began)
   end
   return scanner:finish()
end

--- Trouble as a sentence.
function source.sentence(trouble)
   return trouble.what .. (trouble.cause ~= nil and ": " .. guard.text(trouble.cause) or "")
end

-- ---- the kinds ----

--- A string, in slices.
function source.of_string(text)
   return { size = #text, again = true, steady = true, text = text, open = function()
      local given = text == ""
      return source.cut(function()
         if given then return nil end
         given = true
         return text
      end, PIECE)
   end }
end

local function read_file(file, size, name)
   local left = size
   return function()
      local piece, why = file:read(size and math.min(PIECE, left + 1) or PIECE)
      if piece == nil and why then return failed(name .. " could not be read", why) end
      if size then
         left = left - (piece and #piece or 0)
         if left < 0 or (piece == nil and left > 0) then
            return failed(name .. " has changed its size since it was looked at", nil, "size")
         end
      end
      return piece
   end
end

--- A file by its path, opened when it is needed. -> source | nil, why, hint or a SystemError
function source.of_path(path)
   local kind, missing = core.file(path)
   if not kind then return nil, path .. ": " .. missing end
   if kind == "directory" then return nil, path .. " is a directory" end
   if kind ~= "file" then
      return nil, path .. " is no regular file, and can be read only once",
         "Give { source = function … end, filename = … } that reads it"
   end
   local file, why, errno = io.open(path, "rb")
   if not file then return nil, why, system.lacks(errno) and system.error(why) or nil end
   local size = file:seek("end")
   file:close()
   return { size = size, again = true, open = function()
      local handle, reason, number = io.open(path, "rb")
      if not handle then
         local lack = system.lacks(number) and "resources" or nil
         return function() return failed(path .. " could not be opened", reason, lack) end
      end
      local read = read_file(handle, size, path)
      return function()
         local piece, trouble = read()
         if not piece then handle:close() end
         return piece, trouble
      end
   end }
end

--- An open file, from where it stands. -> source | nil, why
function source.of_file(file)
   local at = file:seek("cur")
   local last = at and file:seek("end")
   local known = last and file:seek("set", at) ~= nil
   local some, why = true, nil
   if known then some, why = file:read(0) end
   if not some and why then return nil, why end -- as for a directory
   return { size = known and last - at or nil, again = known, open = function()
      if known then file:seek("set", at) end
      return read_file(file, known and last - at or nil, "the file")
   end }
end

local function check_piece(name, ok, piece, why)
   if not ok then return failed(name .. " raised an error", piece) end
   if piece == nil and why ~= nil then return failed(name .. " failed", why) end
   if piece ~= nil and type(piece) ~= "string" then
      return failed(name .. " must return strings, and nil at the end", type(piece))
   end
   return piece
end

--- Pieces of at most `max` octets.
function source.cut(read, max)
   local rest, at = "", 1
   return function()
      if at > #rest then
         local piece, trouble = read()
         if not piece then return piece, trouble end
         rest, at = piece, 1
      end
      local from = at
      at = at + max
      if from == 1 and #rest <= max then return rest end
      return rest:sub(from, at - 1)
   end
end

--- A function: pieces, and nil at the end. It may yield. It can be opened once.
---@param fn function
---@param size? number   octets it is declared to give; kept to
---@param name string    for errors
function source.of_function(fn, size, name)
   local opened = false
   return { size = size, open = function()
      if opened then
         return function() return failed(name .. " can be read only once") end
      end
      opened = true
      local given = 0
      return source.cut(function()
         for _ = 1, EMPTY_MAX do
            local piece, trouble = check_piece(name, guard.call(fn))
            given = given + (piece and #piece or 0)
            if size and (given > size or piece == nil and given < size) then
               return failed(("%s does not give the %d octets declared"):format(name, size), nil,
                  "size")
            end
            if piece ~= "" then return piece, trouble end
         end
         return failed(name .. " returns empty strings without end")
      end, PIECE)
   end }
end

-- ---- what is made of them ----

--- Octets of `size` octets in base64 with lines: 4 for each 3 begun, CRLF behind each line.
function source.base64_size(size)
   if size == nil then return nil end
   local coded = math.ceil(size / 3) * 4
   return coded + math.ceil(coded / LINE) * 2
end

--- A source through an encoder of the core: "base64", "7bit" (line ends).
function source.encoded(inner, kind, size)
   if inner.text and #inner.text <= JOINED_MAX then
      local encoder = core.encoder(kind)
      return source.of_string(encoder:feed(inner.text) .. encoder:finish())
   end
   return { size = size, again = inner.again, steady = inner.steady, open = function()
      local read, encoder = inner.open(), core.encoder(kind)
      local done = false
      return function()
         while not done do
            local piece, trouble = read()
            if piece == false then return false, trouble end
            done = piece == nil
            local text = done and encoder:finish() or encoder:feed(piece)
            if text ~= "" then return text end
         end
         return nil
      end
   end }
end

--- A raw message's text as it goes out: CRLF ends each of its lines, the last one too.
function source.lines(inner)
   local whole = source.encoded(inner, "7bit")
   if whole.text then
      local is_ended = whole.text == "" or whole.text:sub(-1) == "\n"
      return is_ended and whole or source.of_string(whole.text .. "\r\n")
   end
   local open = whole.open
   function whole.open()
      local read, last = open(), "\n"
      return function()
         local piece, trouble = read()
         if piece then last = piece:sub(-1) end
         if piece ~= nil or last == "\n" then return piece, trouble end
         last = "\n"
         return "\r\n"
      end
   end
   return whole
end

local unsendable = { bcc = "its header holds Bcc, which every recipient would see",
   nul = "it contains a NUL byte", line_too_long = "it has a line over 998 bytes" }

--- The same text, which ends in trouble where it holds what no message may.
function source.checked(inner)
   return { size = inner.size, again = inner.again, steady = inner.steady, open = function()
      local read, scanner = inner.open(), core.scanner(true)
      return function()
         local piece, trouble = read()
         if not piece then return piece, trouble end
         local _, reason = scanner:feed(piece)
         if reason then return failed(unsendable[reason], nil, reason) end
         return piece
      end
   end }
end

-- Strings that are small together, as one; else nil.
local function joined_text(list)
   local texts, size = {}, 0
   for i = 1, #list do
      texts[i], size = list[i].text, size + (list[i].size or 0)
      if not texts[i] or size > JOINED_MAX then return nil end
   end
   return table.concat(texts)
end

--- Several, one after the other. Strings that are small together are one string.
function source.joined(list)
   local text = joined_text(list)
   if text then return source.of_string(text) end
   local all = { size = 0, again = true, steady = true }
   for i = 1, #list do
      local one = list[i]
      all.size = all.size and one.size and all.size + one.size or nil
      all.again, all.steady = all.again and one.again, all.steady and one.steady
   end
   function all.open()
      local i, read = 0, nil
      return function()
         while true do
            if not read then
               i = i + 1
               if not list[i] then return nil end
               read = list[i].open()
            end
            local piece, trouble = read()
            if piece ~= nil then return piece, trouble end
            read = nil
         end
      end
   end
   return all
end

--- Reads until the deadline, and then no more.
function source.timed(read, deadline)
   return function()
      local piece, trouble = read()
      if piece and core.now() >= deadline then
         return failed("the message's source was too slow", nil, "timeout")
      end
      return piece, trouble
   end
end

-- ---- a message in two: what stands before the first empty line, and what behind it ----

local HEAD_MAX = 1048576 -- octets of all headers of a message

-- Skips octets.
local function behind(inner, len)
   return { size = inner.size and inner.size - len, again = true, steady = inner.steady,
      open = function()
         local read, left = inner.open(), len
         return function()
            local piece, trouble
            repeat
               piece, trouble = read()
               if not piece then return piece, trouble end
               piece, left = piece:sub(left + 1), math.max(0, left - #piece)
            until piece ~= ""
            return piece
         end
      end }
end

--- Its headers, each with its line ends, and the source of its body.
---@param inner table     with CRLF line ends; can be opened again
---@return string|nil head   all header lines
---@return table body        | nil, trouble
---@return boolean parted    there was an empty line
function source.split(inner)
   local read, head = inner.open(), ""
   repeat
      local piece, trouble = read()
      if piece == false then return nil, trouble end
      head = head .. (piece or "")
      local stop = head:find("\r\n\r\n", 1, true)
      if stop then return head:sub(1, stop + 1), behind(inner, stop + 3), true end
   until piece == nil or #head > HEAD_MAX
   if #head > HEAD_MAX then
      return nil, { reason = "failed", what = "the message's headers are over 1 MiB" }
   end
   return head, source.of_string(""), false
end

-- ---- spooling: what can be read only once is kept, in memory and then in a temporary file ----

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

--- Read it once and for all. -> a source that can be opened again | nil, trouble
---@param inner table
---@param deadline number   core.now() at which it must be over
function source.spool(inner, deadline)
   local read, parts, count, file = source.timed(inner.open(), deadline), {}, 0, nil
   while true do
      local began = core.now()
      local piece, trouble = read()
      if piece == false then return nil, trouble end
      if piece == nil then break end
      host.breathe(began)
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

return source
