--- Addresses as people write them: "Ann Ö <ann@example.org>". The grammar of what stands between
-- < and > (RFC 5321 4.1.2) is the core's.
-- @module smtp.address

local core = require "smtp.core"
local errors = require "smtp.errors"
local mime = require "smtp.mime"

local address = {}

local function refuse(option, value, why, hint)
   return nil, errors.address(option, value,
      ("%s = %q is no address: %s"):format(option, value, why), hint)
end

local function hint_for(text)
   if text:find("[\128-\255]") then
      return "Write the domain in its ASCII form (xn--…); a part before @ outside ASCII is not "
         .. "supported"
   end
   if text:find(",", 1, true) or text:find(";", 1, true) then
      return "One string is one address: write several as a list, { \"a@x\", \"b@y\" }"
   end
   return "Write \"ann@example.org\" or \"Ann <ann@example.org>\""
end

local function check(text, option, name)
   local canonical, why = core.address(text)
   if not canonical then return refuse(option, text, why, hint_for(text)) end
   return { name = name, address = canonical }
end

local function unquote(name)
   local inner = name:match('^"(.*)"$')
   return inner and inner:gsub("\\(.)", "%1") or name
end

-- A name is text for a header: no control characters, well-formed UTF-8.
local function check_name(name, option)
   if name == nil or name == "" then return true end
   if type(name) ~= "string" then
      return nil, errors.usage(option, option .. ".name must be a string")
   end
   if name:find("[%z\1-\31\127]") then
      return nil, errors.usage(option, "the name in " .. option .. " holds control characters",
         "A name is one line of text")
   end
   if not mime.is_utf8(name) then
      return nil, errors.usage(option, "the name in " .. option .. " is not valid UTF-8")
   end
   return true
end

--- One address.
---@param value string|table   "a@b", "Name <a@b>" or { name=, address= }
---@param option string        for errors
---@return table|nil           { name=, address= }; the address is canonical
---@return table|nil           AddressError or UsageError
function address.parse(value, option)
   local name, spec
   if type(value) == "table" then
      name, spec = rawget(value, "name"), rawget(value, "address")
   elseif type(value) == "string" then
      name, spec = value:match("^%s*(.-)%s*<([^<>]*)>$")
      if spec then
         name = unquote(name)
      else
         spec = value
      end
   end
   if type(spec) ~= "string" then
      return nil, errors.usage(option, option .. " must be an address",
         "Write \"ann@example.org\", \"Ann <ann@example.org>\" or { name = …, address = … }")
   end
   local ok, err = check_name(name, option)
   if not ok then return nil, err end
   return check(spec, option, name ~= "" and name or nil)
end

--- A list of addresses; one string or one { address = … } is a list of one.
---@return table|nil
---@return table|nil
function address.list(value, option)
   if value == nil then return {} end
   if type(value) ~= "table" or rawget(value, "address") ~= nil then value = { value } end
   local list = {}
   for i = 1, #value do
      local entry, err = address.parse(value[i], option)
      if not entry then return nil, err end
      list[i] = entry
   end
   for key in next, value do
      if type(key) ~= "number" then
         return nil, errors.usage(option, ("%s holds the key %q, and is a list of addresses")
            :format(option, tostring(key)), "Write { \"a@x\", \"b@y\" }")
      end
   end
   return list
end

--- A header's text for one address: Ann <ann@example.org>.
function address.format(entry)
   if not entry.name then return entry.address end
   return mime.phrase(entry.name) .. " <" .. entry.address .. ">"
end

return address
