--- A whole message of the caller's own: what it holds, and how it may go out.
-- @module smtp.compose.raw

local core = require "smtp.core"
local errors = require "smtp.errors"
local filters = require "smtp.compose.filters"
local runtime = require "smtp.runtime.runtime"
local source = require "smtp.compose.source"
local spool = require "smtp.compose.spool"

local raw = {}

local usage = errors.usage

-- ---- what it holds ----

local function check_bcc(scan)
   if not scan.bcc then return true end
   return nil, usage("raw", "the header of raw holds Bcc, which every recipient would see",
      "Remove it, and list its addresses in `to`")
end

local function check_head(scan)
   if not scan.odd_header then return true end
   return nil, usage("raw", "raw has to go out as it is, and its header has line ends that are "
      .. "no CRLF", "End lines in CRLF, or leave out extensions.binarymime, and they will be")
end

-- What it holds, or its header alone. What cannot be read now is reported when it is sent.
local function look_through(one, header_alone)
   local read, scanner = one.open(), core.scanner(true)
   local piece, over, reason
   repeat
      local began = core.now()
      piece = read()
      if piece then over, reason = scanner:feed(piece) end
      runtime.breathe(began)
   until not piece or header_alone and (over or reason)
   return piece ~= false and scanner:finish() or nil
end

local function check_text(scan)
   if scan.nul then
      return nil, usage("raw", "raw holds a NUL",
         "No text may: encode that part as base64, or set extensions = { binarymime = \"prefer\" }")
   elseif scan.long_line then
      return nil, usage("raw", "raw holds a line over 998 octets",
         "Encode that part as quoted-printable or base64")
   end
   return true
end

-- Can it go out as BINARYMIME alone, its octets as they are (RFC 3030 3)?
local function is_binary(scan)
   return scan.nul or scan.long_line or scan.bare
end

-- ---- where it comes from ----

local function from_string(text, binary)
   local scan, one = source.scan(text, true), source.of_string(text)
   local needed = binary and is_binary(scan)
   local ok, err = true, nil
   if not needed then ok, err = check_text(scan) end
   if ok and needed then ok, err = check_head(scan) end
   if ok then ok, err = check_bcc(scan) end
   if not ok then return nil, err end
   return { source = one, text = text, size = needed and #text or scan.wire_len,
      size_is_exact = true, eightbit = scan.eightbit, may_be_binary = binary ~= nil,
      must_be_binary = needed or false }
end

local function from_file(file, t, binary)
   local one, why = source.of_file(file)
   if not one then return nil, usage("raw", "raw cannot be read: " .. why) end
   local found = one.again and (t.eightbit == nil or binary) and look_through(one) or nil
   local needed = binary and (found and is_binary(found) or not found and binary == "require")
   if one.again then
      local header = found or look_through(one, true) or {}
      local ok, err = check_bcc(header)
      if ok and needed then ok, err = check_head(header) end
      one.open() -- back to where it was
      if not ok then return nil, err end
   end
   local size = found and not needed and found.wire_len or t.size or one.size
   return { source = one, size = size, size_is_exact = found ~= nil,
      eightbit = found and found.eightbit or t.eightbit or false,
      may_be_binary = binary and found ~= nil or needed, must_be_binary = needed }
end

-- Whether a function gives what is fine as text nobody knows: it is binary where that is required.
local function from_function(fn, t, binary)
   return { source = source.of_function(fn, t.size, "raw"), size = t.size,
      eightbit = t.eightbit or false, may_be_binary = binary == "require",
      must_be_binary = binary == "require" }
end

local function read(t, binary)
   if type(t.raw) == "string" then return from_string(t.raw, binary) end
   if io.type(t.raw) == "file" then return from_file(t.raw, t, binary) end
   if type(t.raw) == "function" then return from_function(t.raw, t, binary) end
   return nil, usage("raw", "raw must be a string, an open file or a function")
end

--- Read the options `raw`, `eightbit` and `size`.
---@param t table
---@param word? string   of extensions.binarymime
---@return table|nil     source, size, text, size_is_exact, eightbit, may_be_binary and
--   must_be_binary of smtp.OutgoingMessage
---@return table|nil     UsageError
function raw.read(t, word)
   if t.size ~= nil and (type(t.size) ~= "number" or t.size < 0 or t.size % 1 ~= 0) then
      return nil, usage("size", "size must be a whole number of octets")
   end
   local found, err = read(t, word ~= "skip" and word or nil)
   if not found then return nil, err end
   if t.dkim ~= nil and found.must_be_binary then
      return nil, usage("dkim", "dkim signs text, and raw has to go out as BINARYMIME",
         "Encode its parts as base64 (RFC 6376 5.3)")
   end
   found.may_be_binary = found.may_be_binary and t.dkim == nil
   return found
end

--- Give a raw message the bytes that it has on the wire: its size is then exact, and its source can
-- be read again and again.
---@param message smtp.OutgoingMessage
---@param deadline number   core.now() at which the reading must be over
---@return true|nil
---@return table|nil        SourceError, TimeoutError, SystemError
function raw.settle(message, deadline)
   local whole = message.source
   if not message.must_be_binary then whole = filters.checked(filters.lines(whole)) end
   if not message.size_is_exact then
      local trouble
      whole, trouble = spool.keep(whole, deadline)
      if not whole then return source.failure(trouble) end
      message.size, message.size_is_exact = whole.size, true
   end
   message.source = whole
   return true
end

return raw
