--- Header fields of the caller's own that contain addresses: Disposition-Notification-To, List-Post
-- and so on. Programs read the addresses, so that only the words beside them may be encoded
-- (RFC 2047 5 (2) and (3)): names, the names of groups, comments.
-- @module smtp.compose.address_fields

local address = require "smtp.options.address"
local address_parts = require "smtp.compose.address_parts"
local ascii = require "smtp.ground.ascii"
local core = require "smtp.core"
local refuse = require("smtp.errors").refuse

local address_fields = {}

-- ---- which fields ----

local address_names = { "%-to$", "%-from$", "%-sender$", "%-cc$", "^resent%-", "^author$" }

-- Is there an address between < and >? All that is there must be ASCII.
local function has_address(value)
   local found = false
   for part in value:gmatch("<([^<>]*)>") do
      if part:find("[\128-\255]") then return false end
      found = found or part:find("^[^@ ]+@[^@ ]+$") ~= nil
   end
   return found
end

-- "uri": identifiers and URIs are between < and > (RFC 2369, RFC 2919); "address": addresses are;
-- nil: the field is text.
local function kind_of(name, value)
   local lower = ascii.lower(name)
   if lower:find("^list%-") then return "uri" end
   for i = 1, #address_names do
      if lower:find(address_names[i]) then return "address" end
   end
   return has_address(value) and "address" or nil
end

-- ---- encoding ----

local function is_ascii(text)
   return not text:find("[\128-\255]")
end

local QUOTED = '^".*"$'

-- What is being written: `parts` of the result, the `run` of words that is not written yet.
local Writer = {}
Writer.__index = Writer

function Writer:put(text)
   self.parts[#self.parts + 1] = text
end

-- Words that are not addresses: `from` to `stop` of the run.
function Writer:put_words(from, stop)
   local text = table.concat(self.run, "", from, stop)
   if is_ascii(text) then return self:put(text) end
   local words = {}
   for i = from, stop do
      local word = self.run[i]
      words[#words + 1] = word:find(QUOTED) and word:sub(2, -2):gsub("\\(.)", "%1") or word
   end
   local name = ascii.trim(table.concat(words)):gsub("\t", " ")
   address.check_name(name, "headers." .. self.name, self.value)
   self:put(text:match("^[ \t]*"))
   self:put(core.words(name, #self.name + 2))
   self:put(text:find("[ \t]$") and " " or "")
end

-- An address outside ASCII, without < and >.
function Writer:put_address(text)
   if is_ascii(text) then return self:put(text) end
   local canonical, utf8 = address.spec(text, "headers." .. self.name, self.value)
   self.utf8_address = self.utf8_address or utf8 and canonical or nil
   self:put(canonical)
end

-- Write the run. Before < and : all of it is a name; elsewhere its words with @ are addresses.
function Writer:flush(next_part)
   local run, from = self.run, 1
   local is_name = next_part == "<" or next_part == ":"
   for i = 1, is_name and 0 or #run do
      if run[i]:find("[^@]@[^@]") and not run[i]:find(QUOTED) then
         self:put_words(from, i - 1)
         self:put_address(run[i])
         from = i + 1
      end
   end
   self:put_words(from, #run)
   if is_name and #run > 0 and not run[#run]:find("^[ \t]") then
      if not is_ascii(run[#run]) then self:put(" ") end -- RFC 2047 5 (3)
   end
   self.run = {}
end

local URI_HINT = "Write a URI in ASCII, with %C3%BC for ü and so on"

-- What is between < and > of List-Id and other fields of lists.
function Writer:put_uri(text)
   if is_ascii(text) then return self:put(text) end
   local is_id = ascii.lower(self.name) == "list-id"
   local id, why, hint = nil, "a URI is ASCII", URI_HINT
   if is_id then id, why, hint = address.domain(text) end
   if id then return self:put(id) end
   refuse("headers", ("headers: %s contains <%s>: %s"):format(self.name, text, why), hint)
end

-- The parts with letters outside ASCII, in their places.
local put_part = {
   ["<"] = function(self, text)
      self:put("<")
      self[self.kind == "uri" and "put_uri" or "put_address"](self, ascii.trim(text:sub(2, -2)))
      self:put(">")
   end,
   ["("] = function(self, text)
      if is_ascii(text) then return self:put(text) end
      self:put("(")
      self:put(core.words(text:sub(2, -2):gsub("\\(.)", "%1"), #self.name + 2))
      self:put(")")
   end,
   [","] = Writer.put, [";"] = Writer.put, [":"] = Writer.put,
}

function Writer:read()
   address_parts.each(self.value, function(part, c)
      if put_part[c] then
         self:flush(c)
         put_part[c](self, part)
      else
         self.run[#self.run + 1] = part
      end
   end)
   self:flush()
end

local WORD_MAX = 900 -- so that its line stays within 998 (RFC 5322 2.1.1)

local function check_words(name, value)
   for word in value:gmatch("[ \t]*[^ \t]+") do
      if #word > WORD_MAX then
         refuse("headers", ("headers: %s contains a word of more than %d bytes"):format(name,
            WORD_MAX), "A line of a header has at most 998 bytes: write a blank after each comma")
      end
   end
end

--- Encode the value of a field that contains addresses. Raises an AddressError or a UsageError.
---@param name string
---@param value string          UTF-8, one line
---@return string|nil text      nil: the field is text without addresses
---@return string|nil address   an address in it because of which the message needs SMTPUTF8
function address_fields.encode(name, value)
   local kind = kind_of(name, value)
   if not kind then return nil end
   value = ascii.trim(value)
   check_words(name, value)
   if is_ascii(value) then return value end
   local writer = setmetatable({ name = name, value = value, kind = kind, parts = {}, run = {} },
      Writer)
   writer:read()
   return table.concat(writer.parts), writer.utf8_address
end

return address_fields
