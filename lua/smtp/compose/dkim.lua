--- DKIM signatures (RFC 6376, with 8301 and 8463): the headers that are signed, and the signature
-- over them and the hash of the body.
--
-- A signature covers the whole body: there is no l=.
-- @module smtp.compose.dkim

local ascii = require "smtp.ground.ascii"
local check = require "smtp.options.check"
local core = require "smtp.core"
local errors = require "smtp.errors"
local filters = require "smtp.compose.filters"
local options = require "smtp.compose.dkim_options"
local runtime = require "smtp.runtime.runtime"
local source = require "smtp.compose.source"

local dkim = {}

local function broken()
   error(errors.new("system", { what = "libcrypto would not sign" }), 0)
end

-- ---- headers ----

--- Split the headers of a message into the list that signing:finish expects.
---@param text string   lines that end with CRLF, without the empty one
---@return table|nil    { { name, raw }, … } from top to bottom
---@return table|nil err   UsageError on `message`
dkim.headers = errors.returning(function(text)
   if type(text) ~= "string" then
      check.refuse_value("message", "the headers as a string", text,
         "Give the header of the message, with CRLF after each line")
   end
   local scanner = core.scanner(true)
   scanner:feed(text)
   local fault = scanner:finish().header_fault
   if fault and fault ~= "bcc" then
      local what, hint = filters.why_unsendable(fault, "the message")
      errors.refuse("message", what, hint)
   end
   local list, from = {}, 1
   while from <= #text do
      local last = text:find("\r\n[^ \t]", from)
      local raw = text:sub(from, last and last + 1)
      local name, space = raw:match("^([!-9;-~]+)([ \t]*):.*\r\n$")
      if space == "" then
         list[#list + 1] = { name, raw }
      elseif name then
         errors.refuse("message",
            ("the header %s has whitespace before its colon"):format(name),
            "Remove it: it is obsolete (RFC 5322 4.5), and verifiers do not read it")
      else
         errors.refuse("message",
            ("entry %d of the message's headers is not a header"):format(#list + 1),
            "Headers come first, then an empty line, then the body")
      end
      from = from + #raw
   end
   return list
end)

-- Is it one header, and neither a part of one nor several?
local function is_header(entry)
   local name, raw
   if type(entry) == "table" then name, raw = entry[1], entry[2] end
   return type(name) == "string" and type(raw) == "string" and raw:sub(1, #name) == name
      and name:find("^[!-9;-~]+$") and raw:find("^:.*\r\n$", #name + 1)
      and not raw:find("\r\n[^ \t]") and not raw:gsub("\r\n", ""):find("[%z\r\n]")
end

local LIST_HINT = "Give the result of dkim.headers"

local function check_headers(headers)
   if type(headers) ~= "table" then
      check.refuse_value("headers", "a list of { name, raw }", headers, LIST_HINT)
   end
   check.is_list(headers, "headers", LIST_HINT)
   for i = 1, #headers do
      if not is_header(headers[i]) then
         errors.refuse("headers", ("entry %d of headers is not { name, raw }"):format(i),
            "raw is \"Name: value\\r\\n\"")
      end
   end
end

local function check_from(headers)
   local from = 0
   for i = 1, #headers do
      local name = headers[i][1]
      if #name == 4 and ascii.lower(name) == "from" then from = from + 1 end
   end
   if from ~= 1 then
      errors.refuse("message", from == 0 and "the message has no From header"
         or "the message has more than one From header",
         "One From is what every message must have (RFC 5322 3.6), and what DKIM signs")
   end
end

-- ---- signatures ----

local Signing = { __name = "smtp.DkimSigning" }
local methods = {}
Signing.__index = methods

--- Begin to sign one message.
---@param signers table      from dkim_options.check
---@param clock? function    returns the seconds since 1970 for t=; os.time unless given
---@return table|nil signing
---@return table|nil err
dkim.begin = errors.returning(function(signers, clock)
   if not options.is(signers) then
      errors.refuse("dkim", "dkim.begin needs the result of dkim.check",
         "Write dkim.begin(dkim.check { domain = …, selector = …, key = … })")
   end
   if clock ~= nil and type(clock) ~= "function" then
      check.refuse_value("clock", "a function", clock,
         "Give a function that returns the seconds since 1970, or leave clock out")
   end
   local self = { signers = signers, clock = clock or os.time, bodies = {} }
   for i = 1, #signers do
      local how = signers[i].body
      self.bodies[how] = self.bodies[how] or signers.crypto.dkim_body(how)
   end
   return setmetatable(self, Signing)
end)

--- Add a piece of the body, cut anywhere.
---@param piece string    lines end with CRLF, and no dot is doubled yet
---@param from? integer   the first byte of the piece to add
---@param len? integer    how many bytes to add
---@return boolean|nil
---@return table|nil err
function methods:body(piece, from, len)
   if type(piece) ~= "string" or self.hashes then
      return nil, errors.usage("message", self.hashes and "a piece of the body came after its end"
         or "message: expected a piece of the body as a string, got " .. check.type_name(piece),
         "Give the pieces of the body as strings, all of them before signing:finish")
   end
   for _, body in next, self.bodies do body:add(piece, from, len) end
   return true
end

--- Add a whole body, bit by bit. Other coroutines may run meanwhile.
---@param text string    as for signing:body
---@param first integer   the first byte of the body
function dkim.whole_body(self, text, first)
   source.slices(text, function(from, len)
      local last = from + len - 1
      if last >= first then
         from = math.max(from, first)
         self:body(text, from, last - from + 1)
      end
   end)
end

-- End the body. -> its hashes, by canonicalization
local function end_body(self)
   local hashes = self.hashes or {}
   for how, body in next, self.hashes and {} or self.bodies do
      hashes[how] = body:finish() or broken()
   end
   self.hashes = hashes
   return hashes
end

-- Seconds that a signature takes, about.
local SECONDS = { ["rsa-sha256"] = 0.001, ["ed25519-sha256"] = 0.0001 }

-- In nginx other coroutines may run before and after each signature: it has a turn of its own.
local function sign(self, headers)
   check_from(headers)
   local hashes, time = end_body(self), math.floor(self.clock())
   local signers, out = self.signers, {}
   for i = 1, #signers do
      local began = runtime.breathe(core.now() - SECONDS[signers[i].algorithm])
      out[i] = signers.crypto.dkim_header(signers[i], headers, hashes[signers[i].body], time)
         or broken()
      runtime.breathe(began)
   end
   return table.concat(out)
end

--- End the body, and sign.
---@param headers table   { { name, raw }, … } from top to bottom, raw as it goes on the wire:
--   "Name: value\r\n", folded or not
---@return string|nil     a DKIM-Signature header for each signer, to be put above the others
---@return table|nil err
methods.finish = errors.returning(function(self, headers)
   check_headers(headers)
   return sign(self, headers)
end)

--- signing:finish for headers that this library made, or that dkim.headers returned.
dkim.finish = errors.returning(sign)

--- End the body, and identify what was read: 32 bytes, which are equal for two readings of a
-- source where the headers are the same bytes and the body gives the same hashes, so that a
-- signature that was made in one reading is valid for the other.
---@param headers table   as for finish
---@return string|nil
---@return table|nil err
methods.fingerprint = errors.returning(function(self, headers)
   check_headers(headers)
   local hashes = end_body(self)
   local texts = { hashes.relaxed or "", hashes.simple or "" }
   for i = 1, #headers do texts[#texts + 1] = headers[i][2] end
   return self.signers.crypto.digest("SHA256", table.concat(texts)) or broken()
end)

return dkim
