--- Addresses as people write them: "Ann Ö <ann@example.org>". The core checks the grammar of the
-- part between < and > (RFC 5321 4.1.2, RFC 6531 3.3); only this part is sent in commands.
--
-- A domain outside ASCII becomes A-labels (xn--…), so that every server accepts it. If the part
-- before @ is outside ASCII too, the message needs SMTPUTF8, and the domain is sent in U-labels.
-- @module smtp.options.address

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
   local ascii, unicode = core.idna(text)
   if ascii then return ascii, unicode end
   return nil, idna[unicode][1], idna[unicode][2]
end

-- ---- addresses ----

-- Invisible characters: with one of them a copied address looks like another address.
local invisible = {
   { 0xA0, 0xA0, "a no-break space" }, { 0xAD, 0xAD, "a soft hyphen" },
   { 0x34F, 0x34F, "a grapheme joiner" }, { 0x61C, 0x61C, "an Arabic letter mark" },
   { 0x1680, 0x1680, "an Ogham space" }, { 0x180E, 0x180E, "a Mongolian vowel separator" },
   { 0x2000, 0x200A, "a space of another width" }, { 0x200B, 0x200B, "a zero-width space" },
   { 0x200C, 0x200C, "a zero-width non-joiner" }, { 0x200D, 0x200D, "a zero-width joiner" },
   { 0x200E, 0x200E, "a left-to-right mark" }, { 0x200F, 0x200F, "a right-to-left mark" },
   { 0x2028, 0x2029, "a separator of lines" }, { 0x202A, 0x202E, "a control of the direction" },
   { 0x202F, 0x202F, "a narrow no-break space" }, { 0x205F, 0x205F, "a mathematical space" },
   { 0x2060, 0x2060, "a word joiner" }, { 0x2061, 0x2064, "an invisible operator" },
   { 0x2066, 0x2069, "a control of the direction" }, { 0x206A, 0x206F, "an obsolete control" },
   { 0x3000, 0x3000, "an ideographic space" }, { 0x3164, 0x3164, "a Hangul filler" },
   { 0xFE00, 0xFE0F, "a variation selector" }, { 0xFEFF, 0xFEFF, "a byte order mark" },
   { 0xE0000, 0xE007F, "a tag character" },
}

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
   if #text > 1000 then return end -- too long in any case
   for character in text:gmatch("[\192-\247][\128-\191]+") do
      local code = address.code_point(character)
      for i = 1, #invisible do
         if code >= invisible[i][1] and code <= invisible[i][2] then
            refuse(option, value, ("it contains U+%04X, %s, which is invisible"):format(code,
               invisible[i][3]), "Remove that character: it often comes with a copied address")
         end
      end
   end
end

-- The core checks `spec`; `shown` is the address as the caller wrote it. -> in its canonical form
local function canonical_of(spec, shown, option, value)
   local canonical, why = core.address(spec)
   return canonical or refuse(option, value, why, hint_for(shown))
end

-- The domain that IDNA returns is checked like one that the caller wrote. -> canonical, utf8
local function check_spec(spec, option, value)
   check_visible(spec, option, value)
   local canonical = canonical_of(spec, spec, option, value)
   local left, domain = canonical:match("^(.*)@(.*)$")
   local utf8 = left:find("[\128-\255]") ~= nil
   if domain:find("[\128-\255]") then
      local ascii, unicode, hint = address.domain(domain)
      if not ascii then refuse(option, value, unicode, hint) end
      canonical = canonical_of(left .. "@" .. (utf8 and unicode or ascii), spec, option, value)
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

-- The text without the blanks around it. A line break is not a blank.
local function trim(text)
   local first, last = text:find("[^ \t]"), #text
   if not first then return "" end
   while text:find("^[ \t]", last) do last = last - 1 end
   return text:sub(first, last)
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
   local name = trim(text:sub(1, at - 1))
   local unquoted = unquote(name)
   if name == unquoted and name:find("[,;]") and name:find("@", 1, true) then
      refuse(option, value, "it contains several addresses", as_list)
   end
   return text:sub(at + 1, -2), unquoted
end

-- A name is text for a header: well-formed UTF-8 without control characters, also without those of
-- C1 (some programs take U+0085 for a line end). U+2028 and U+2029 are allowed: a header encodes
-- them.
local function check_name(name, option)
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
end

local fields = { "name", "address" }

-- -> spec, name
local function spec_and_name(value, option, names)
   if type(value) == "string" then return split(trim(value), option, value) end
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
   check_name(name, option)
   local canonical, utf8 = check_spec(trim(spec), option, type(value) == "string" and value or spec)
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
