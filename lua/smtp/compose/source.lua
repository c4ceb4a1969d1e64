--- Where the bytes of a message come from: strings, files, functions of the caller.
-- @module smtp.compose.source

local core = require "smtp.core"
local errors = require "smtp.errors"
local resources = require "smtp.ground.resources"
local runtime = require "smtp.runtime.runtime"
local user_call = require "smtp.options.user_call"

local source = {}

---@class smtp.Source
---@field open function   (reuse) -> read. read() returns the next piece (a non-empty string), nil
--   at the end, or false and trouble: { reason =, what = a sentence, cause =, hint = }. With
--   `reuse` a piece may also be a buffer of smtp.core, which the next call of read() changes
---@field size number|nil      bytes in all, where that is known
---@field again boolean|nil    it can be opened again
---@field steady boolean|nil   its bytes are the same each time
---@field text string|nil      all bytes, where they are one string
---@field close function|nil    () closes the files that readers left open before their end

-- Bytes read at once: whole lines of base64, which are then under 128 KiB, for which the systems of
-- memory do not ask the kernel each time.
local PIECE = 1650 * 57
source.PIECE = PIECE

local BLOCKS = 31 * 4096 -- of a file: one call for each, whatever a buffer of the file holds

local SLICE = 40960 -- bytes of text worked on at once: under 64 KiB in any encoding, if not all of
source.SLICE = SLICE -- its lines are very short

--- The results of a reader that fails.
---@return boolean         false
---@return table trouble
function source.failed(what, cause, reason, hint)
   return false, { reason = reason or "failed", what = what, cause = cause, hint = hint }
end

local failed = source.failed

--- Work on a string bit by bit. Other coroutines may run meanwhile.
---@param work fun(from: integer, len: integer)   called for each slice, which the end may cut
function source.slices(text, work)
   local began = core.now()
   for at = 1, #text, SLICE do
      work(at, SLICE)
      began = runtime.breathe(began)
   end
end

--- What a string contains, as scanner:finish reports it. Other coroutines may run meanwhile.
---@param ready? boolean   the string is sent as it is: see struct smtp_scan
function source.scan(text, ready)
   local scanner = core.scanner(ready)
   source.slices(text, function(from, len) scanner:feed(text, from, len) end)
   return scanner:finish()
end

--- Call a function with each value of a list, and its index. Other coroutines may run meanwhile.
---@return table   the first result of each call
function source.map(list, fn)
   local results, began = {}, core.now()
   for i = 1, #list do
      results[i] = fn(list[i], i)
      began = runtime.breathe(began)
   end
   return results
end

--- Trouble of a source as a sentence.
function source.sentence(trouble)
   return trouble.what .. (trouble.cause ~= nil and ": " .. user_call.text(trouble.cause) or "")
end

--- Trouble of a source as the error of a message that is not sent. An error is returned as it is.
---@return nil
---@return table err   SourceError, TimeoutError, SystemError
function source.failure(trouble)
   if errors.is(trouble) then return nil, trouble end
   local kind = (trouble.reason == "tmpfile" or trouble.reason == "resources") and "system"
      or trouble.reason == "timeout" and "timeout" or "source"
   return nil, errors.new(kind, {
      reason = trouble.reason, cause = trouble.cause, stage = "body", hint = trouble.hint,
      what = "message not sent: " .. source.sentence(trouble) })
end

-- ---- the kinds ----

--- A source of a string, which it gives in slices.
function source.of_string(text)
   return { size = #text, again = true, steady = true, text = text, open = function()
      local rest = text ~= "" and text or nil
      return source.cut(function()
         local piece = rest
         rest = nil
         return piece
      end, PIECE)
   end }
end

--- A source of strings, none of them empty.
---@param list string[]
function source.of_list(list)
   local size = 0
   for i = 1, #list do size = size + #list[i] end
   return { size = size, again = true, steady = true, open = function()
      local i = 0
      return function()
         i = i + 1
         return list[i]
      end
   end }
end

--- Read to the end. Other coroutines may run meanwhile.
---@param read function
---@param take function   called with each piece; what it returns ends the reading, if it is not nil
---@return any            that, or the trouble of the reader; nil at the end
function source.drain(read, take)
   while true do
      local began = core.now()
      local piece, trouble = read()
      if not piece then return trouble end
      local stop = take(piece)
      if stop ~= nil then return stop end
      runtime.breathe(began)
   end
end

--- All bytes of a string or source, nil where they can be read only once, or not now.
---@param body string|smtp.Source
---@return string|nil
function source.read_whole(body)
   if type(body) == "string" then return body end
   if not body.again then return nil end
   local pieces = {}
   local trouble = source.drain(body.open(), function(piece) pieces[#pieces + 1] = piece end)
   return not trouble and table.concat(pieces) or nil
end

--- A source of what a function makes of the bytes of another source.
---@param inner smtp.Source
---@param size number|nil   bytes in all, where that is known
---@param begin function    the reader of `inner` -> a reader
---@return smtp.Source
function source.through(inner, size, begin)
   return { size = size, again = inner.again, steady = inner.steady, close = inner.close,
      open = function() return begin(inner.open()) end }
end

--- Nothing is read from this source any more: files are closed now, not by the next collection.
---@param one string|smtp.Source|nil
function source.close(one)
   if type(one) == "table" and one.close then one.close() end
end

--- The source of an outgoing message's bytes.
---@param message smtp.OutgoingMessage
---@return smtp.Source
function source.of_message(message)
   return message.source or source.of_string(message.text)
end

-- -> a function that returns the next bytes of a file, up to so many; nil at the end; nil and why
local function file_reader(file, reuse, max, lines)
   if not reuse then return function(len) return file:read(len) end end
   local buffer = core.buffer(max)
   return function(len)
      local ok, why = buffer:read(file, len, lines)
      return ok and buffer or nil, why
   end
end

-- `lines`: the pieces end with a line where they can, so that each is sent as it is, by one call.
local function read_file(file, size, name, max, reuse, lines)
   local left = size
   local read = file_reader(file, reuse, size and math.min(max, size + 1) or max, lines)
   return function()
      local piece, why = read(size and math.min(max, left + 1) or max)
      if piece == nil and why then return failed(name .. " could not be read", why) end
      if size then
         left = left - (piece and #piece or 0)
         if left < 0 or (piece == nil and left > 0) then
            return failed(name .. " changed its size since this library looked at it", nil, "size",
               "Send it while no program writes to it, or read it and give its content")
         end
      end
      return piece
   end
end

--- A source of the file with this path, which is opened when its bytes are needed.
---@return smtp.Source|nil
---@return string|nil why
---@return string|table|nil   a hint, or a SystemError
function source.of_path(path)
   local kind, missing = core.file(path)
   if not kind then return nil, path .. ": " .. missing, resources.PATH_HINT end
   if kind == "directory" then return nil, path .. " is a directory", resources.PATH_HINT end
   if kind ~= "file" then
      return nil, path .. " is not a regular file, and can be read only once",
         "Give { source = function … end, filename = … } that reads it"
   end
   local file, why, errno = io.open(path, "rb")
   if not file then
      return nil, why, resources.lacks(errno) and resources.error(why) or resources.PATH_HINT
   end
   local size = file:seek("end")
   if size == 0 and file:seek("set") and file:read(0) then size = nil end -- as in source.of_file
   file:close()
   local handles = setmetatable({}, { __mode = "k" }) -- that are open
   return { size = size, again = true, open = function(reuse)
      local handle, reason, number = io.open(path, "rb")
      if not handle then
         local lack = resources.lacks(number) and "resources" or nil
         return function() return failed(path .. " could not be opened", reason, lack) end
      end
      handle:setvbuf("no") -- each piece is one call
      handles[handle] = true
      local read = read_file(handle, size, path, PIECE, reuse)
      return function()
         local piece, trouble = read()
         if not piece then
            handles[handle] = nil
            handle:close()
         end
         return piece, trouble
      end
   end, close = function()
      for handle in next, handles do
         handles[handle] = nil
         if io.type(handle) == "file" then handle:close() end -- the collector was not here before
      end
   end }
end

--- A source of an open file, from its current position.
---@return smtp.Source|nil
---@return string|nil why
function source.of_file(file)
   local at = file:seek("cur")
   local last = at and file:seek("end")
   local known, some, why = nil, true, nil
   if last then known, why = file:seek("set", at) end
   if known then some, why = file:read(0) end
   if not some and why or last and not known then return nil, why end -- as for a directory
   known = known ~= nil
   local size = known and last - at or nil
   if size == 0 and some then size = nil end -- the files of /proc have no size, but a content
   return { size = size, again = known, open = function(reuse)
      local found, reason = true, nil
      if known then found, reason = file:seek("set", at) end
      if not found then
         return function() return failed("the file could not be read", reason) end
      end
      return read_file(file, size, "the file", BLOCKS, reuse, true)
   end }
end

local function check_piece(name, ok, piece, why)
   if not ok then return failed(name .. " raised an error", piece) end
   if piece == nil and why ~= nil then return failed(name .. " failed", why) end
   if piece ~= nil and type(piece) ~= "string" then
      return failed(name .. " has to return strings, and nil at the end, but it returned a "
         .. "value of another type", type(piece))
   end
   return piece
end

--- Cut what a reader gives into pieces of at most `max` bytes.
---@param read function
---@return function read
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

local EMPTY_MAX = 1000 -- empty pieces in a row that a function may give

--- A source of what a function of the caller returns: pieces, and nil at the end. The function may
-- yield. The source can be opened once.
---@param fn function
---@param size? number   bytes that the function must give in all
---@param name string    the option, for errors
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
            local piece, trouble = check_piece(name, user_call.call(fn))
            given = given + (piece and #piece or 0)
            if size and (given > size or piece == nil and given < size) then
               return failed(("%s did not return the %d bytes declared"):format(name, size), nil,
                  "size")
            end
            if piece ~= "" then return piece, trouble end
         end
         return failed(name .. " returns nothing but empty strings")
      end, PIECE)
   end }
end

return source
