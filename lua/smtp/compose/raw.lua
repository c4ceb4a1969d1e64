--- Raw messages: what they contain, and how they may be sent.
-- @module smtp.compose.raw

local check = require "smtp.options.check"
local core = require "smtp.core"
local filters = require "smtp.compose.filters"
local refuse = require("smtp.errors").refuse
local source = require "smtp.compose.source"
local spool = require "smtp.compose.spool"

local raw = {}

-- ---- what it contains ----

-- Can these bytes be sent as BINARYMIME only (RFC 3030 3)?
local function is_binary(scan)
   return scan.nul or scan.long_line or scan.bare
end

-- `header`: what is known of it; `binary`: its line ends cannot be corrected.
local function check_header(header, binary)
   local fault = header.header_fault
   if fault then
      local what, hint = filters.why_unsendable(fault, "raw")
      refuse("raw", what, hint)
   end
   if binary and header.odd_header then
      refuse("raw", "raw has to be sent unchanged, but lines of its header do not end with CRLF",
         "End lines with CRLF, or leave out extensions.binarymime, so that this library does it")
   end
end

-- What a source contains, or its header alone. A source that cannot be read now is reported when it
-- is sent.
local function look_through(one, header_alone)
   local scanner = core.scanner(true)
   local stop = source.drain(one.open(true), function(piece)
      local over, reason = scanner:feed(piece)
      return header_alone and (over or reason) and "known" or nil
   end)
   return (not stop or stop == "known") and scanner:finish() or nil
end

local function check_text(scan)
   if scan.nul then
      refuse("raw", filters.why_unsendable("nul", "raw"), "Text may not contain it: encode that "
         .. "part as base64, or set extensions = { binarymime = \"prefer\" }")
   elseif scan.long_line then
      refuse("raw", filters.why_unsendable("line_too_long", "raw"),
         "Encode that part as quoted-printable or base64")
   end
end

-- ---- the kinds of raw ----

local function from_string(text, binary)
   local scan = source.scan(text, true)
   local needed = binary ~= nil and is_binary(scan)
   check_header(scan, needed)
   if not needed then check_text(scan) end
   return { text = text, size = needed and #text or scan.wire_len, size_is_exact = true,
      eightbit = scan.eightbit, may_be_binary = binary ~= nil, must_be_binary = needed }
end

-- What a file contains. -> of all of it, nil where that is not needed or cannot be had; of its
-- header
local function scan_file(one, t, binary)
   if not one.again then return nil, {} end
   local scan = (t.eightbit == nil or binary) and look_through(one) or nil
   local header = scan or look_through(one, true) or {}
   one.open() -- back to where it was
   return scan, header
end

local function from_file(file, t, binary)
   local one, why = source.of_file(file)
   if not one then
      refuse("raw", "raw cannot be read: " .. why, "Give an open file that can be read")
   end
   if not one.again then one = filters.led(one) end
   local scan, header = scan_file(one, t, binary)
   local content = { source = one, size = t.size or one.size, size_is_exact = scan ~= nil,
      eightbit = t.eightbit or false, must_be_binary = binary == "require" }
   if scan then
      content.must_be_binary = binary ~= nil and is_binary(scan)
      content.eightbit = scan.eightbit or content.eightbit
      if not content.must_be_binary then content.size = scan.wire_len end
   end
   content.may_be_binary = content.must_be_binary or binary ~= nil and scan ~= nil
   check_header(header, content.must_be_binary)
   return content
end

local function read(t, binary)
   if type(t.raw) == "string" then return from_string(t.raw, binary) end
   if io.type(t.raw) == "file" then return from_file(t.raw, t, binary) end
   if type(t.raw) ~= "function" then
      check.refuse_value("raw", "a string, an open file or a function", t.raw,
         io.type(t.raw) and "Open the file, and close it after the message is sent"
            or "Write raw = …, the whole message with its header")
   end
   -- Whether it gives text is not known: it is binary if the caller requires that.
   return { source = filters.led(source.of_function(t.raw, t.size, "raw")), size = t.size,
      eightbit = t.eightbit or false, may_be_binary = binary == "require",
      must_be_binary = binary == "require" }
end

--- Read the options `raw`, `eightbit` and `size`. Raises a UsageError.
---@param t table         the options of a message
---@param word? string   the option extensions.binarymime
---@return table         source, size, text, size_is_exact, eightbit, may_be_binary and
--   must_be_binary of smtp.OutgoingMessage
function raw.read(t, word)
   if t.size ~= nil and (type(t.size) ~= "number" or t.size < 0 or t.size % 1 ~= 0) then
      check.refuse_value("size", "a whole number of bytes", t.size,
         "Write the number of bytes of raw, or leave size out")
   end
   local content = read(t, word ~= "skip" and word or nil)
   if t.dkim ~= nil and content.must_be_binary then
      refuse("dkim", "dkim signs text, but raw has to be sent as BINARYMIME",
         "Encode its parts as base64 (RFC 6376 5.3)")
   end
   content.may_be_binary = content.may_be_binary and t.dkim == nil
   return content
end

--- Give a message the bytes that it has on the wire: its size is then exact, and its source can be
-- read again and again.
---@param message smtp.OutgoingMessage
---@param deadline number   core.now() at which the reading must be over
---@return true|nil
---@return table|nil        SourceError, TimeoutError, SystemError
function raw.make_exact(message, deadline)
   local whole = source.of_message(message)
   local is_raw_text = not message.header_fields and not message.must_be_binary
   if is_raw_text then whole = filters.checked(filters.lines(whole)) end
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
