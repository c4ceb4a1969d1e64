--- Sources made from other sources: encoded, checked, joined, split.
-- @module smtp.compose.filters

local core = require "smtp.core"
local source = require "smtp.compose.source"

local load_remedies = require("smtp.ground.resources").loader "smtp.result.remedies"

local filters = {}

local JOINED_MAX = 262144    -- bytes of strings that become one, or are encoded at once
local LINE = 76              -- characters of a line of base64 (RFC 2045 6.8)

--- Bytes that `size` bytes take in base64 with lines: 4 for each 3 begun, and CRLF after each line.
function filters.base64_size(size)
   if size == nil then return nil end
   local coded = math.ceil(size / 3) * 4
   return coded + math.ceil(coded / LINE) * 2
end

-- A reader of what an encoder writes. `feed` returns some of it, maybe nothing; nil at the end;
-- false and trouble.
local function encoded_reader(encoder, feed)
   local done = false
   return function()
      while not done do
         local text, trouble = feed()
         if text == false then return false, trouble end
         done = text == nil
         text = text or encoder:finish()
         if #text > 0 then return text end
      end
   end
end

-- A string, which is not copied.
local function encoded_string(text, kind, size)
   return { size = size, again = true, steady = true, open = function(reuse)
      local encoder, len = core.encoder(kind), kind == "base64" and source.PIECE or source.SLICE
      local feed, at = reuse and encoder.fill or encoder.feed, 1 - len
      return encoded_reader(encoder, function()
         at = at + len
         return at <= #text and feed(encoder, text, at, len) or nil
      end)
   end }
end

--- Bytes through an encoder of the core.
---@param inner string|smtp.Source
---@param kind string    of core.encoder
---@param size? number   bytes when encoded, where that is known
---@return string|smtp.Source   a string where `inner` is one and small
function filters.encoded(inner, kind, size)
   if type(inner) == "string" then
      return #inner <= JOINED_MAX and core.encode(inner, kind) or encoded_string(inner, kind, size)
   end
   return { size = size, again = inner.again, steady = inner.steady, close = inner.close,
      open = function(reuse)
         local read, encoder = inner.open(reuse), core.encoder(kind)
         local feed = reuse and encoder.fill or encoder.feed
         return encoded_reader(encoder, function()
            local piece, trouble = read()
            if piece then return feed(encoder, piece) end
            return piece, trouble
         end)
      end }
end

-- A text in quoted-printable. Its size is known only when it is encoded, so that it is kept: it is
-- little longer than the text.
local function quoted_text(text)
   local encoder, pieces = core.encoder "quoted-printable", {}
   source.slices(text, function(from, len) pieces[#pieces + 1] = encoder:feed(text, from, len) end)
   pieces[#pieces] = pieces[#pieces] .. encoder:finish()
   return source.of_list(pieces)
end

--- A text as a body that is 7-bit, in the encoding that makes it shortest.
---@param text string
---@return string|nil encoding   of core.encoder; nil: it is not text
---@return string|smtp.Source    the body, or "utf8" or "nul": why it is not text
function filters.text_body(text)
   if #text <= JOINED_MAX then return core.encode_text(text) end
   local scan = source.scan(text)
   if scan.fault then return nil, scan.fault end
   if scan.encoding == "quoted-printable" then return scan.encoding, quoted_text(text) end
   local size = scan.wire_len - (scan.open and 2 or 0)
   if scan.encoding ~= "7bit" then size = filters.base64_size(size) end
   return scan.encoding, encoded_string(text, scan.encoding, size)
end

--- The text of a raw message as it goes out: CRLF ends each line, the last one too.
---@return smtp.Source
function filters.lines(inner)
   local whole = filters.encoded(inner.text or inner, "7bit")
   if type(whole) == "string" then
      local is_ended = whole == "" or whole:sub(-1) == "\n"
      return source.of_string(is_ended and whole or whole .. "\r\n")
   end
   return source.through(whole, nil, function(read)
      local last = "\n"
      return function()
         local piece, trouble = read()
         if piece then last = piece:sub(-1) end
         if piece ~= nil or last == "\n" then return piece, trouble end
         last = "\n"
         return "\r\n"
      end
   end)
end

local unsendable = { bcc = "the header of %s contains Bcc, which every recipient would see",
   mbox = '%s begins with the line "From …" of an mbox file, which is not a header',
   byte_order_mark = "%s begins with a byte order mark, which hides its first header from servers",
   nul = "%s contains a NUL byte", line_too_long = "%s contains a line over 998 bytes" }

--- Why a message cannot be sent as text.
---@param reason string   as scanner:feed returns it
---@param name string     what the sentence calls the message
---@return string what
---@return string|nil hint
function filters.why_unsendable(reason, name)
   local remedies = load_remedies()
   return unsendable[reason]:format(name), remedies and remedies.of_reason.source[reason]
end

local function unsendable_text(reason)
   local what, hint = filters.why_unsendable(reason, "it")
   return source.failed(what, nil, reason, hint)
end

local LEAD = 8 -- bytes that show how a message begins

-- The first bytes that a reader gives, joined and checked.
local function read_lead(read)
   local lead, scanner = "", core.scanner(true)
   while #lead < LEAD do
      local piece, trouble = read()
      if piece == false then return false, trouble end
      if not piece then break end
      lead = lead .. piece
   end
   scanner:feed(lead)
   local fault = scanner:finish().header_fault
   if fault then return unsendable_text(fault) end
   return lead ~= "" and lead or nil
end

--- A raw message whose first bytes come as one piece, however it is cut. It ends in trouble where
-- no message begins so.
---@param inner smtp.Source
---@return smtp.Source
function filters.led(inner)
   return source.through(inner, inner.size, function(read)
      local is_led, is_over = false, false
      local function read_on()
         local piece, trouble
         if not is_over then piece, trouble = read() end
         is_over = not piece
         return piece, trouble
      end
      return function()
         if is_led then return read_on() end
         is_led = true
         return read_lead(read_on)
      end
   end)
end

--- A text that is checked while it is read: it ends in trouble where it contains what no message
-- may contain.
---@param inner smtp.Source
---@return smtp.Source
function filters.checked(inner)
   return source.through(inner, inner.size, function(read)
      local scanner = core.scanner(true)
      return function()
         local piece, trouble = read()
         if not piece then return piece, trouble end
         local _, reason = scanner:feed(piece)
         if reason then return unsendable_text(reason) end
         return piece
      end
   end)
end

-- The same bytes in fewer pieces: strings that follow one another become one while it is small.
local function merged(pieces)
   local list, run, run_len = {}, {}, 0
   local function flush()
      if run[1] then list[#list + 1] = run[2] and table.concat(run) or run[1] end
      run, run_len = {}, 0
   end
   for i = 1, #pieces do
      local text = type(pieces[i]) == "string" and pieces[i] or pieces[i].text
      if not text or run_len + #text > JOINED_MAX then flush() end
      if text then
         run[#run + 1], run_len = text, run_len + #text
      else
         list[#list + 1] = pieces[i]
      end
   end
   flush()
   return list
end

-- A function that closes all of these sources; nil where none of them has to be closed.
local function closing(list)
   local has_files = false
   for i = 1, #list do has_files = has_files or list[i].close ~= nil end
   return has_files and function()
      for i = 1, #list do source.close(list[i]) end
   end or nil
end

--- Join several strings and sources. The result is a string where all are strings and small
-- together.
---@param pieces (string|smtp.Source)[]
---@return string|smtp.Source
function filters.join(pieces)
   local list, all = merged(pieces), { size = 0, again = true, steady = true }
   if not list[2] and type(list[1]) == "string" and #list[1] <= JOINED_MAX then return list[1] end
   for i = 1, #list do
      local one = type(list[i]) == "string" and source.of_string(list[i]) or list[i]
      list[i] = one
      all.size = all.size and one.size and all.size + one.size or nil
      all.again, all.steady = all.again and one.again, all.steady and one.steady
   end
   all.close = closing(list)
   function all.open(reuse)
      local i, read = 0, nil
      return function()
         while true do
            if not read then
               i = i + 1
               if not list[i] then return nil end
               read = list[i].open(reuse)
            end
            local piece, trouble = read()
            if piece ~= nil then return piece, trouble end
            read = nil
         end
      end
   end
   return all
end

--- A reader that fails after the deadline.
---@return function read
function filters.timed(read, deadline)
   return function()
      local piece, trouble = read()
      if piece and core.now() >= deadline then
         return source.failed("the message's source was too slow", nil, "timeout")
      end
      return piece, trouble
   end
end

-- ---- the header and the body of a message ----

local HEAD_MAX = 1048576 -- bytes of the header of a message

-- The bytes of a source after the first `len`.
local function after(inner, len)
   return source.through(inner, inner.size and inner.size - len, function(read)
      local left = len
      return function()
         local piece, trouble
         repeat
            piece, trouble = read()
            if not piece then return piece, trouble end
            piece, left = piece:sub(left + 1), math.max(0, left - #piece)
         until piece ~= ""
         return piece
      end
   end)
end

-- The position of the empty line that ends the header, nil where there is none. A message that
-- begins with an empty line has no header.
local function header_end(text)
   if text:sub(1, 2) == "\r\n" then return 1 end
   local at = text:find("\r\n\r\n", 1, true)
   return at and at + 2
end

--- Split a text into its header and its body.
---@param text string    with CRLF line ends
---@return string head       all header lines, with their line ends
---@return integer           the first byte of the body
---@return boolean           there was an empty line
function filters.split_text(text)
   local at = header_end(text)
   if not at then return text, #text + 1, false end
   return text:sub(1, at - 1), at + 2, true
end

--- Split a message into its header and its body.
---@param inner smtp.Source   with CRLF line ends; can be opened again
---@return string|nil head    all header lines, with their line ends
---@return table              the source of the body; trouble
---@return boolean|nil        there was an empty line
function filters.split(inner)
   local read, head = inner.open(), ""
   repeat
      local piece, trouble = read()
      if piece == false then return nil, trouble end
      head = head .. (piece or "")
      local at = header_end(head)
      if at then return head:sub(1, at - 1), after(inner, at + 1), true end
   until piece == nil or #head > HEAD_MAX
   if #head > HEAD_MAX then
      return nil, { reason = "failed", what = "the message's headers are over 1 MiB" }
   end
   return head, source.of_string(""), false
end

return filters
