--- Addresses as people write them: "Ann Ö <ann@example.org>". The core checks the grammar of the
-- part between < and > (RFC 5321 4.1.2, RFC 6531 3.3); only this part is sent in commands.
--
-- A domain outside ASCII becomes A-labels (xn--…), so that every server accepts it. If the part
-- before @ is outside ASCII too, the message needs SMTPUTF8, and the domain is sent in U-labels.
-- @module smtp.options.address

local ascii = require "smtp.ground.ascii"
local check = require "smtp.options.check"
local core = require "smtp.core"
local errors = require "smtp.errors"

local address = {}

-- ---- what is wrong, and what to write instead ----

local as_list = "One string is one address: write several as a list, { \"a@x\", \"b@y\" }"

local no_controls = "Remove the line break or other control character"

-- Patterns and hints. The first pattern that matches the text without its quoted strings decides.
local hints = {
   { "[%z\1-\31\127]", no_controls },
   { "\194[\128-\159]", no_controls },
   { "^ *[Mm][Aa][Ii][Ll][Tt][Oo]:", "Leave out mailto:" },
   { "^<?@[^:]*:", "Source routes are obsolete (RFC 5321 C): write what follows the colon" },
   { "^[^@]*:.*;", "A group is not an address: list its members, { \"a@x\", \"b@y\" }" },
   { "[,;]", as_list },
   { "[()]", "Comments have no place here: write \"Ann <ann@example.org>\"" },
   { "^[^<]*<[^>]*$", "The > at its end is missing" },
   { ">.*[^>]", "Remove the text after the >" },
   { "^[^<]*>", "The < before the address is missing" },
   { "^[^<]*<[^<>]*>$", "Write the address alone, without < >: the name goes into `name`" },
   { "<.*<", "Write a name that contains < or > in quotes: \"\\\"a <b>\\\" <ann@example.org>\"" },
   { "@.* ", "Remove the space, and what follows the domain" },
   { " [^@]*@", "Write the part before @ in quotes: \"\\\"ann lee\\\"@example.org\"" },
   { "@%.", "Leave out the dot after the @" },
   { "@.*%.>?$", "Leave out the dot at its end" },
   { "@.*%.%.", "Write one dot between two parts of the domain" },
   { "@.*@", "Write one @, or the part before it in quotes: \"\\\"a@b\\\"@example.org\"" },
}

-- The form of an address whose dots need quotes.
local function quoted(text)
   local name, domain = text:match("^([^@<>\" ]+)@([^@<> ]+)$")
   if not name or not ("." .. name .. "."):find("..", 1, true) then return nil end
   return ("Servers accept that only in quotes: \"\\\"%s\\\"@%s\""):format(name, domain)
end

-- The time of some patterns grows with the square of the length, and the text may come from an
-- attacker: long texts are not searched.
local function hint_for(text)
   local bare = #text > 1000 and "" or text:gsub('"[^"]*"', '""')
   for i = 1, #hints do
      if bare:find(hints[i][1]) then return hints[i][2] end
   end
   if not core.is_utf8(text) then return "Convert it to UTF-8" end
   if #text > 1000 and text:find("[,;]") then return as_list end
   if #text > core.limits.address then
      return "No server has to accept a longer one (RFC 5321 4.5.3.1.3): check its spelling"
   end
   return quoted(bare) or "Write \"ann@example.org\" or \"Ann <ann@example.org>\""
end

local function refuse(option, value, why, hint)
   error(errors.address(option, value,
      ("%s = %q is not a valid address: %s"):format(option, value, why), hint), 0)
end

-- ---- domains ----

local idna = {
   unavailable = { "the domain is outside ASCII, but this machine has no libidn2 to convert it",
      "Install libidn2 (Debian: libidn2-0), or write the domain in its ASCII form (xn--…)" },
   too_long = { "the domain, or a part of it, is too long in its ASCII form (63 bytes a part)",
      "No such domain can exist: check its spelling" },
   memory = { "there is no memory to convert the domain", "Free memory, or try again later" },
   invalid = { "IDNA 2008 does not allow the domain (RFC 5891)",
      "Check its spelling: emoji, symbols and look-alikes of . and @ are not letters" },
}

--- Convert a domain outside ASCII.
---@param text string
---@return string|nil   the domain in A-labels; a domain in ASCII is returned unchanged
---@return string       the domain in U-labels; after nil: why it cannot be converted
---@return string|nil   what to write instead
function address.domain(text)
   local converted, unicode = core.idna(text)
   if converted then return converted, unicode end
   return nil, idna[unicode][1], idna[unicode][2]
end

-- ---- addresses ----

-- The marks in the first byte of a character, by the number of its bytes.
local lead_base = { [2] = 0xC0, [3] = 0xE0, [4] = 0xF0 }

--- The number of a character.
---@param character string   one character in UTF-8
---@return integer
function address.code_point(character)
   local code = character:byte() - (lead_base[#character] or 0)
   for i = 2, #character do code = code * 64 + character:byte(i) - 128 end
   return code
end

-- Refuse a text that contains an invisible character.
local function check_visible(text, option, value)
   local found = core.invisible(text)
   if found then
      refuse(option, value, ("it contains %s, which is invisible"):format(found),
         "Remove that character: it often comes with a copied address")
   end
end

-- The core checks `spec`; `shown` is the address as the caller wrote it. -> in its canonical form
local function canonical_of(spec, shown, option, value)
   local canonical, why = core.address(spec)
   return canonical or refuse(option, value, why, hint_for(shown))
end

--- Read an address without a name. Raises an AddressError.
---@param spec string
---@param option string   for errors
---@param value string    the text that contains it, for errors
---@return string canonical
---@return boolean|nil utf8   it needs SMTPUTF8
function address.spec(spec, option, value)
   -- The domain that IDNA returns is checked like one that the caller wrote.
   check_visible(spec, option, value)
   local canonical = canonical_of(spec, spec, option, value)
   local left, domain = canonical:match("^(.*)@(.*)$")
   local utf8 = left:find("[\128-\255]") ~= nil
   if domain:find("[\128-\255]") then
      local converted, unicode, hint = address.domain(domain)
      if not converted then refuse(option, value, unicode, hint) end
      canonical = canonical_of(left .. "@" .. (utf8 and unicode or converted), spec, option, value)
   end
   return canonical, utf8 or nil
end

-- The end of the quoted string that begins at `from`; nil if it has no end.
local function quoted_end(text, from)
   local at = text:find('["\\]', from + 1)
   while at and text:sub(at, at) == "\\" do at = text:find('["\\]', at + 2) end
   return at
end

-- The position of the first < outside quoted strings. A quote without an end begins no string.
local function angle_at(text)
   local at = text:find('[<"]')
   while at and text:sub(at, at) == '"' do
      local close = quoted_end(text, at)
      if not close then return text:find("<", at, true) end
      at = text:find('[<"]', close + 1)
   end
   return at
end

-- If a name is one quoted string, the content of the string is the name. Any other name is used as
-- it is written: the reader sees quotes within it, as in Ann "the Ö", and the letters of an encoded
-- word.
local function unquote(name)
   if name:sub(1, 1) == '"' and quoted_end(name, 1) == #name then
      return (name:sub(2, -2):gsub("\\(.)", "%1"))
   end
   return name
end

-- "Name <spec>" -> spec, name. A list in one string is refused, because all its addresses but the
-- last would be lost.
local function split(text, option, value)
   local at = angle_at(text)
   if not at or text:sub(-1) ~= ">" then return text end
   check_visible(text:sub(1, at - 1):match("[\192-\247][\128-\191]+$") or "", option, text)
   local name = ascii.trim(text:sub(1, at - 1))
   local unquoted = unquote(name)
   if name == unquoted and name:find("[,;]") and name:find("@", 1, true) then
      refuse(option, value, "it contains several addresses", as_list)
   end
   return text:sub(at + 1, -2), unquoted
end

local function without_invisible(text)
   return (text:gsub("[\192-\247][\128-\191]+", function(character)
      return core.invisible(character) and ""
   end))
end

--- A name is text for a header: well-formed UTF-8 without control characters, also without those of
-- C1 (some programs take U+0085 for a line end). Invisible characters are allowed where there are
-- others: a header encodes them.
---@param name any
---@param option string   for errors
---@param value any       the address that it is beside, for errors
function address.check_name(name, option, value)
   if name == nil or name == "" then return end
   check.is_type(option .. ".name", name, "string")
   if not core.is_utf8(name) then
      errors.refuse(option, "the name in " .. option .. " is not valid UTF-8",
         "Convert it to UTF-8")
   end
   if name:find("[%z\1-\31\127]") or name:find("\194[\128-\159]") then
      errors.refuse(option, "the name in " .. option .. " contains control characters",
         "A name is one line of text")
   end
   if not name:find("[!-~]") and not without_invisible(name):find("[^ ]") then
      check_visible(name, option, value)
   end
end

local fields = { "name", "address" }

-- -> spec, name
local function spec_and_name(value, option, names)
   if type(value) == "string" then return split(ascii.trim(value), option, value) end
   if type(value) == "table" then
      check.names(value, names or fields, option, nil, "address")
      local spec = rawget(value, "address")
      if type(spec) == "string" then return spec, rawget(value, "name") end
   end
   check.refuse_value(option, "an address", value,
      "Write \"ann@example.org\", \"Ann <ann@example.org>\" or { name = …, address = … }")
end

--- Read one address. Raises an AddressError or a UsageError.
---@param value string|table   "a@b", "Name <a@b>" or { name=, address= }
---@param option string        for errors
---@param names? string[]      the fields that a table may have, if more than name and address
---@return table   { name=, address=, utf8= }; the address is canonical, utf8 is true if it needs
--   SMTPUTF8 (RFC 6531)
function address.parse(value, option, names)
   local spec, name = spec_and_name(value, option, names)
   local shown = type(value) == "string" and value or spec
   address.check_name(name, option, shown)
   local canonical, utf8 = address.spec(ascii.trim(spec), option, shown)
   return { name = name ~= "" and name or nil, address = canonical, utf8 = utf8 }
end

--- Read a list of addresses; one string or one { address = … } is a list of one. Raises an
-- AddressError or a UsageError.
---@param value any
---@param option string     for errors
---@param names? string[]   the fields that a table may have, if more than name and address
---@return table
function address.list(value, option, names)
   if type(value) ~= "table" or rawget(value, "address") ~= nil
      or type(next(value)) == "string" and rawget(value, 1) == nil then
      return { address.parse(value, option, names) }
   end
   check.is_list(value, option, "Write { \"a@x\", \"b@y\" }")
   local list = {}
   for i = 1, #value do list[i] = address.parse(value[i], option, names) end
   return list
end

local list_options = { "from", "to", "cc", "bcc", "reply_to" }

--- Read the addresses in the options of a message. Raises an AddressError or a UsageError.
---@param t table
---@return table   from, to, cc, bcc, reply_to: lists, perhaps empty; sender: one address or nil
function address.of_message(t)
   local lists = {}
   for i = 1, #list_options do
      local name = list_options[i]
      lists[name] = t[name] ~= nil and address.list(t[name], name) or {}
   end
   if t.sender ~= nil then lists.sender = address.parse(t.sender, "sender") end
   return lists
end

return address
