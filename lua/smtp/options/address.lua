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
   { " [^@]*@", "Write the address after a name in < >, \"Ann <ann@example.org>\", or the part "
      .. "before @ in quotes, \"\\\"ann lee\\\"@example.org\"" },
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
   local bare = #text > 1000 and "" or text:gsub('\\["\\]', ""):gsub('"[^"]*"', '""')
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
   local invisible = core.invisible(text)
   if invisible then
      return nil, ("the domain contains %s, which is invisible"):format(invisible),
         "Remove that character: it often comes with a copied name"
   end
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

-- What is wrong with a name, as core.name_trouble has it.
local name_troubles = {
   utf8 = { "is not valid UTF-8", "Convert it to UTF-8" },
   control = { "contains control characters", "A name is one line of text" },
}

--- Check a name, which is text for a header.
---@param name any
---@param option string   for errors
---@param value any       the address that it is beside, for errors
function address.check_name(name, option, value)
   if name == nil or name == "" then return end
   check.is_type(option .. ".name", name, "string")
   local trouble = core.name_trouble(name)
   if trouble == "invisible" then return check_visible(name, option, value) end
   local words = name_troubles[trouble]
   if words then
      errors.refuse(option, ("the name in %s %s"):format(option, words[1]), words[2])
   end
end

local fields = { "name", "address" }

-- -> spec, name. A list in one string is refused, because all its addresses but the last would be
-- lost.
local function spec_and_name(value, option, names)
   if type(value) == "string" then
      local spec, name, beside, several = core.mailbox(value)
      check_visible(beside, option, value)
      if several then refuse(option, value, "it contains several addresses", as_list) end
      return spec, name
   elseif type(value) == "table" then
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

--- An address as a header has it: Ann <ann@example.org>. An address outside ASCII stays as it is:
-- the header is then one of RFC 6532.
---@param entry table   from address.parse
function address.written(entry)
   if not entry.name then return entry.address end
   return core.phrase(entry.name) .. " <" .. entry.address .. ">"
end

-- ---- lists ----

---@class smtp.AddressList
---@field [integer] string     addresses in their canonical form
---@field pieces string[]      the text of their header, in lines
---@field utf8 string|nil      the first one that needs SMTPUTF8

-- One string or one { address = … } is a list of one. -> a list, how many values it has: their
-- number stays the same even if the caller changes the list meanwhile
local function values_of(value, option)
   if type(value) ~= "table" or rawget(value, "address") ~= nil
      or type(next(value)) == "string" and rawget(value, 1) == nil then
      return { value }, 1
   end
   return value, check.is_list(value, option, "Write { \"a@x\", \"b@y\" }")
end

-- Read the value at `at`, which is not plain, or not valid. -> what a header has of it
local function read_one(values, at, list, option, names)
   local entry = address.parse(rawget(values, at), option, names)
   list[at] = entry.address
   list.utf8 = list.utf8 or entry.utf8 and entry.address
   return (at > 1 and " " or "") .. address.written(entry)
end

--- Read a list of addresses; one string or one { address = … } is a list of one. Raises an
-- AddressError or a UsageError.
---@param value any
---@param option string       for errors
---@param column? integer     where the list begins in the line of its header; nil: it is in none
---@param breathe? function   runtime.breathe: called between some of the addresses
---@param names? string[]     the fields that a table may have, if more than name and address
---@return smtp.AddressList
function address.list(value, option, column, breathe, names)
   local began = breathe and type(value) == "table" and core.now()
   local values, count = values_of(value, option)
   local list, at, stop, piece = { pieces = {} }, 1
   while true do
      stop, piece, column = core.addresses(values, at, count, list, column)
      if stop == at and at <= count then
         piece, stop = read_one(values, at, list, option, names), at + 1
         if at < count then piece = piece .. "," end
         if column then piece, column = core.fold(piece, column) end
      end
      list.pieces[#list.pieces + 1] = piece
      if stop > count then return list end
      at, began = stop, breathe and breathe(began)
   end
end

return address
