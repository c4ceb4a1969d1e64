--- Names of hosts, as options contain them, in the form that is resolved, verified and sent.
-- @module smtp.options.host_name

local core = require "smtp.core"
local refuse = require("smtp.errors").refuse
local system = require "smtp.ground.resources"

local address = system.late "smtp.options.address"
local host_advice = system.late "smtp.options.host_advice"

local host_name = {}

--- A name outside ASCII is resolved, verified and sent in its ASCII form.
---@param option string   the option that contains it, for errors
---@param text string
---@return string
function host_name.to_ascii(option, text)
   if not text:find("[\128-\255]") then return text end
   local name, why, hint = address.domain(text)
   return name or refuse(option, ("%s = %q is not a valid host name: %s"):format(option, text, why),
      hint, text)
end

local function is_name(text)
   if #text > 254 or not text:find("^[A-Za-z0-9._-]+$") then return false end
   for label in (text:gsub("%.$", "") .. "."):gmatch("([^.]*)%.") do
      if label == "" or #label > 63 then return false end
   end
   return true
end

-- Systems take one number for an address of 32 bits: "2526" is 0.0.9.222.
local function is_number(text)
   return text:find("^[0-9]+%.?$") ~= nil or text:find("^0[xX][0-9A-Fa-f]*%.?$") ~= nil
end

-- What is not written as a name in ASCII. -> that name, or an address
local function read_other(option, text)
   host_advice.refuse_misplaced(option, text)
   local name = host_name.to_ascii(option, text)
   name = name:match("^%[(.*:.*)%]$") or name
   if not is_name(name) and not core.literal(name) then
      refuse(option, option .. " is neither a host name nor an address",
         "Write a name such as mail.example.org, or an address such as 192.0.2.1", text)
   end
   return name
end

--- A host name or an IP address in the form that this library uses. Raises a UsageError.
---@param option string   the option that contains it
---@param text string
---@return string
function host_name.read(option, text)
   if is_number(text) then host_advice.refuse_number(option, text) end
   local name = is_name(text) and text or read_other(option, text)
   return name:find("^[Ll][Oo][Cc][Aa][Ll][Hh][Oo][Ss][Tt]$") and "localhost" or name
end

return host_name
