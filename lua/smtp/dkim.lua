--- DKIM signatures (RFC 6376, with 8301 and 8463) for any message, sent by this library or not.
--
-- Nothing here raises. What can fail returns nil and an error: a UsageError that names the option,
-- or a SystemError where libcrypto failed.
--
--    local dkim = require "smtp.dkim"
--    local signed, err = dkim.sign(message, { domain = "example.org", selector = "2026",
--       key = "/etc/mail/2026.pem" })
-- @module smtp.dkim

require "smtp.ground.modules"
local check = require "smtp.options.check"
local errors = require "smtp.errors"
local filters = require "smtp.compose.filters"
local option = require "smtp.compose.dkim_options"
local signature = require "smtp.compose.dkim"
local source = require "smtp.compose.source"

local dkim = {}

--- Check the option `dkim`, and read its keys. The result can be used as the option again, for
-- many messages, and keeps its keys as long as it is kept.
---@param value table   smtp.Dkim: `{ domain =, selector =, key =, canonicalization =, identity =,
--   headers =, skip =, expires = }`, or a list of such tables, each for a signature of its own.
--   `key` is the text of a PEM file or its path: RSA of 1,024 bits or more, or Ed25519.
--   `canonicalization` is "relaxed/relaxed" unless given; `identity` (i=) is an address in the
--   domain or below it. `headers` are the names of the headers to sign, and `skip` the names of
--   those not to sign; From is always signed. `expires` is in seconds (x=).
---@return table|nil signers
---@return table|nil err   UsageError, its option "dkim", "dkim.key", "dkim[2].key", …
dkim.check = errors.returning(option.check)

--- Split the headers of a message into the list that signing:finish expects.
---@param text string   lines that end with CRLF, without the empty one
---@return table|nil    { { name, raw }, … } from top to bottom
---@return table|nil err   UsageError on `message`
dkim.headers = signature.headers

--- Begin to sign one message: signing:body(piece) takes its body, signing:finish(headers) returns
-- the DKIM-Signature headers.
---@param signers table      from dkim.check
---@param clock? function    returns the seconds since 1970 for t=; os.time unless given
---@return table|nil signing
---@return table|nil err     UsageError, SystemError
dkim.begin = signature.begin

-- What a server would change on the way must not be signed (RFC 6376 5.3).
local function check_scan(scan)
   if scan.nul or scan.long_line then
      errors.refuse("message", "the message contains "
         .. (scan.nul and "a NUL byte" or "a line over 998 bytes"),
         "No server passes it on unchanged: encode that part as base64")
   end
end

-- The message with CRLF line ends. Other coroutines may run meanwhile.
local function encode(message, scan)
   if scan.wire_len - (scan.open and 2 or 0) == #message then return message end
   local whole = filters.encoded(message, "7bit")
   if type(whole) == "string" then return whole end
   local pieces = {}
   source.drain(whole.open(), function(piece) pieces[#pieces + 1] = piece end)
   return table.concat(pieces)
end

local function raise(result, err)
   return result or error(err, 0)
end

--- Sign a whole message. In nginx, other light threads may run meanwhile.
---@param message string   with line ends of any kind
---@param options table    the option `dkim`, see dkim.check
---@param clock? function  returns the seconds since 1970 for t=; os.time unless given
---@return string|nil      the message with CRLF line ends and its signatures on top
---@return table|nil err   UsageError, SystemError
dkim.sign = errors.returning(function(message, options, clock)
   local signers = option.check(options)
   if type(message) ~= "string" then
      errors.refuse("message", "message: expected a string, got " .. check.type_name(message),
         "Give the whole message as a string")
   end
   local scan = source.scan(message)
   local text = encode(message, scan)
   local head, first, has_body = filters.split_text(text)
   if not has_body and head ~= "" and head:sub(-2) ~= "\r\n" then
      head, text, first = head .. "\r\n", text .. "\r\n", first + 2
   end
   local headers = raise(signature.headers(head))
   check_scan(scan)
   local signing = raise(signature.begin(signers, clock))
   signature.whole_body(signing, text, first)
   return raise(signing:finish(headers)) .. text
end)

return dkim
