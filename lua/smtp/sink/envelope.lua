--- What MAIL and RCPT say: an address, and parameters as far as EHLO offered them.
-- @module smtp.sink.envelope

local ascii = require "smtp.ground.ascii"
local core = require "smtp.core"

local sink_envelope = {}

-- ---- what the value of a parameter may be; "" where there is none ----

local function nothing(value)
   return value == ""
end

local function like(pattern)
   return function(value) return value:find("^" .. pattern .. "$") ~= nil end
end

-- RFC 3461 4
local function is_xtext(value)
   return value:gsub("%+%x%x", ""):find("^[!-*,-<>-~]*$") ~= nil
end

local notify_words = { SUCCESS = true, FAILURE = true, DELAY = true }

-- RFC 3461 4.1
local function is_notify(value)
   if ascii.upper(value) == "NEVER" then return true end
   for word in (value .. ","):gmatch("([^,]*),") do
      if not notify_words[ascii.upper(word)] then return false end
   end
   return true
end

-- RFC 1652 3, RFC 3030 3
local function is_body(value, offered)
   local word = ascii.upper(value)
   return word == "7BIT" or word == "8BITMIME" or word == "BINARYMIME" and offered.BINARYMIME ~= nil
end

-- ---- what there is: the capability that it comes with, and what fits ----

local known = {
   MAIL = {
      SIZE = { "SIZE", like "%d+" },
      BODY = { "8BITMIME", is_body },
      SMTPUTF8 = { "SMTPUTF8", nothing },
      AUTH = { "AUTH", function(value) return value ~= "" and is_xtext(value) end },
      RET = { "DSN", function(value)
         return ascii.upper(value) == "FULL" or ascii.upper(value) == "HDRS"
      end },
      ENVID = { "DSN", function(value) -- RFC 3461 4.4
         return value ~= "" and #value <= core.limits.envid and is_xtext(value)
      end },
      REQUIRETLS = { "REQUIRETLS", nothing },
      BY = { "DELIVERBY", like "%-?%d+;[RrNn][Tt]?" },
      HOLDFOR = { "FUTURERELEASE", like "[1-9]%d*" },
      HOLDUNTIL = { "FUTURERELEASE", like "%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d[%d.:Z+-]+" },
      ["MT-PRIORITY"] = { "MT-PRIORITY", function(value) -- RFC 6710 4.1
         return value == "0" or value:find("^%-?[1-9]$") ~= nil
      end },
   },
   RCPT = {
      NOTIFY = { "DSN", is_notify },
      ORCPT = { "DSN", function(value) -- RFC 3461 4.2
         return is_xtext(value:match("^[A-Za-z0-9-]+;(.+)$") or "\0")
      end },
   },
}

-- -> names in upper case to values, "" where there is none | nil, the reply
local function read_parameters(command, text, offered)
   local found = {}
   if not text:find("^ ") and text ~= "" then return nil, "501 5.5.4 a space is missing" end
   for parameter in text:gmatch("[^ \t-\r]+") do
      local name, equals, value = parameter:match("^([A-Za-z0-9-]+)(=?)(.*)$")
      name = ascii.upper(name or "")
      local entry = known[command][name]
      if not entry or not offered[entry[1]] then
         return nil, "555 5.5.4 not offered: " .. parameter:gsub("[^!-~]", "?")
      elseif found[name] or (equals == "=") ~= (value ~= "") or not entry[2](value, offered) then
         return nil, "501 5.5.4 that is no " .. name
      end
      found[name] = value
   end
   if found.HOLDFOR and found.HOLDUNTIL then -- RFC 4865 4
      return nil, "501 5.5.4 HOLDFOR or HOLDUNTIL, not both"
   end
   return found
end

-- The address up to ">", which a quoted local part may hold as well. -> it, what follows it
local function read_path(text)
   local bare = text:gsub("\\.", "__"):gsub('"[^"]*"', function(word) return ("_"):rep(#word) end)
   local stop = bare:find(">", 1, true)
   if not stop then return nil end
   return text:sub(1, stop - 1), text:sub(stop + 1)
end

local words = { MAIL = "FROM", RCPT = "TO" }

--- Read such a command.
---@param command string     MAIL or RCPT
---@param line string
---@param offered table      EHLO's keywords to their parameters
---@param utf8? boolean      the transaction has SMTPUTF8
---@param strict? boolean    refuse blanks around the colon (RFC 5321 4.1.2)
---@return string|nil        the address
---@return table|string      parameters, by their names in upper case, "" where one has no value; or
--   the reply
function sink_envelope.read(command, line, offered, utf8, strict)
   local word, text = line:match(strict and "^[^ \t-\r]+ ([A-Za-z]+):<(.*)$"
      or "^[^ \t-\r]+ +([A-Za-z]+) *: *<(.*)$")
   local address, rest
   if word and ascii.upper(word) == words[command] then address, rest = read_path(text) end
   if not address then
      return nil, ("501 5.5.4 %s %s:<address>"):format(command, words[command])
   end
   local parameters, reply = read_parameters(command, rest, offered)
   if not parameters then return nil, reply end
   if address:find("[\128-\255]") and not (utf8 or parameters.SMTPUTF8) then
      return nil, "553 5.6.7 that address needs SMTPUTF8" -- RFC 6531 3.5
   end
   return address, parameters
end

--- A limit in the parameters of a capability: of SIZE (RFC 1870 3), of LIMITS (RFC 9422 4).
---@param offered table
---@param keyword string
---@param pattern string   of its parameters, with the number captured
---@return number          math.huge if the capability does not have it
function sink_envelope.limit(offered, keyword, pattern)
   local number = tonumber(ascii.upper(offered[keyword] or ""):match(pattern))
   return number and number > 0 and number or math.huge
end

return sink_envelope
