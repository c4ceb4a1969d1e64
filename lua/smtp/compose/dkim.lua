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
      errors.refuse("message", filters.why_unsendable(fault, "the message"))
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

-- RFC 6376 3.4.1, 3.4.2.
local function canonical(header, how)
   if how == "simple" then return header end
   local name, value = header:match("^([^:]*):(.*)$")
   value = value:gsub("\r\n", ""):gsub("[ \t]+", " "):gsub("^ ", ""):gsub(" $", "")
   return ascii.lower(name) .. ":" .. value .. "\r\n"
end

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
   local from = 0
   for i = 1, #headers do
      if not is_header(headers[i]) then
         errors.refuse("headers", ("entry %d of headers is not { name, raw }"):format(i),
            "raw is \"Name: value\\r\\n\"")
      end
      if ascii.lower(headers[i][1]) == "from" then from = from + 1 end
   end
   if from ~= 1 then
      errors.refuse("message", from == 0 and "the message has no From header"
         or "the message has more than one From header",
         "One From is what every message must have (RFC 5322 3.6), and what DKIM signs")
   end
end

-- The names for h=, and the headers that they name, in the same order: of several headers with one
-- name the lowest comes first (RFC 6376 5.4.2).
local function choose(headers, rules)
   local by_name, names, chosen = {}, {}, {}
   for i = #headers, 1, -1 do
      local name = ascii.lower(headers[i][1])
      by_name[name] = by_name[name] or {}
      table.insert(by_name[name], headers[i][2])
   end
   for i = 1, #rules, 2 do
      local name, further = rules[i], rules[i + 1]
      local found = by_name[ascii.lower(name)] or {}
      for j = 1, #found do
         names[#names + 1] = name
         chosen[#chosen + 1] = found[j]
      end
      if further == "always" or (further == "present" and found[1]) then
         names[#names + 1] = name
      end
   end
   return names, chosen
end

-- ---- signatures ----

local LINE_MAX = 78

local function append(lines, space, word)
   local last = lines[#lines]
   if #last + #space + #word <= LINE_MAX then
      lines[#lines] = last .. space .. word
   else
      lines[#lines + 1] = " " .. word
   end
end

-- The header up to its signature (RFC 6376 3.5), which is what the signature covers (3.7).
local function unsigned(signer, names, hash, time)
   local lines = { "DKIM-Signature: v=1;" }
   append(lines, " ", "a=" .. signer.algorithm .. ";")
   append(lines, " ", ("c=%s/%s;"):format(signer.headers, signer.body))
   append(lines, " ", "d=" .. signer.domain .. ";")
   append(lines, " ", "s=" .. signer.selector .. ";")
   if signer.identity then append(lines, " ", "i=" .. signer.identity .. ";") end
   append(lines, " ", ("t=%.0f;"):format(time))
   if signer.expires then append(lines, " ", ("x=%.0f;"):format(time + signer.expires)) end
   for i = 1, #names do
      append(lines, i == 1 and " " or "", (i == 1 and "h=" or "") .. names[i]
         .. (i < #names and ":" or ";"))
   end
   append(lines, " ", "bh=" .. core.base64(hash) .. ";")
   return table.concat(lines, "\r\n") .. "\r\n b="
end

local function signature(signer, headers, hash, time)
   local names, chosen = choose(headers, signer.rules)
   local header, texts = unsigned(signer, names, hash, time), {}
   for i = 1, #chosen do texts[i] = canonical(chosen[i], signer.headers) end
   texts[#texts + 1] = canonical(header .. "\r\n", signer.headers):sub(1, -3)
   local bytes = signer.key:sign(table.concat(texts)) or broken()
   local folded = core.base64(bytes):gsub(("."):rep(72), "%0\r\n "):gsub("\r\n $", "")
   return header .. folded .. "\r\n"
end

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
      self.bodies[how] = self.bodies[how] or signers.crypto.dkim_body(how) or broken()
   end
   return setmetatable(self, Signing)
end)

--- Add a piece of the body, cut anywhere.
---@param piece string   lines end with CRLF, and no dot is doubled yet
---@return boolean|nil
---@return table|nil err
function methods:body(piece)
   if type(piece) ~= "string" or self.hashes then
      return nil, errors.usage("message", self.hashes and "a piece of the body came after its end"
         or "message: expected a piece of the body as a string, got " .. check.type_name(piece),
         "Give the pieces of the body as strings, all of them before signing:finish")
   end
   for _, body in next, self.bodies do body:add(piece) end
   return true
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

--- End the body, and sign.
---@param headers table   { { name, raw }, … } from top to bottom, raw as it goes on the wire:
--   "Name: value\r\n", folded or not
---@return string|nil     a DKIM-Signature header for each signer, to be put above the others
---@return table|nil err
methods.finish = errors.returning(function(self, headers)
   check_headers(headers)
   local hashes, time = end_body(self), math.floor(self.clock())
   local out = {}
   for i = 1, #self.signers do
      local signer = self.signers[i]
      out[i] = signature(signer, headers, hashes[signer.body], time)
   end
   return table.concat(out)
end)

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
