--- The options of a message, and of its recipients, that become parameters of MAIL and RCPT: dsn,
-- requiretls, deliver_by, hold_for, hold_until, mt_priority, notify and orcpt. The grammar of each
-- parameter is checked here, before the server sees it.
-- @module smtp.options.parameters

local address = require "smtp.options.address"
local ascii = require "smtp.ground.ascii"
local check = require "smtp.options.check"
local core = require "smtp.core"
local dates = require "smtp.options.dates"
local refuse = require("smtp.errors").refuse
local user_call = require "smtp.options.user_call"

local parameters = {}

local SECONDS_MAX = core.limits.seconds -- RFC 2852 4, RFC 4865 4
local ORCPT_MAX = 500                   -- bytes

-- RFC 3461 4: bytes that xtext does not allow become +XX.
local function xtext(text)
   return ascii.escape(text, "[^!-*,-<>-~]", "+%02X")
end

-- RFC 6533 3: the result is ASCII for any address, so that every server can read it.
local function utf8_xtext(text)
   return (text:gsub("[%z\1-\127\194-\244][\128-\191]*", function(c)
      if c:find("^[!-~]$") and not c:find("[+=\\]") then return c end
      return ("\\x{%X}"):format(address.code_point(c))
   end))
end

-- A whole number, given as a number or as a string of decimal digits | nil
local function whole(value, min, max)
   if type(value) == "string" and not value:find("^%-?%d+$") then return nil end
   local number = tonumber(value)
   if number and number >= min and number <= max and number % 1 == 0 then return number end
end

local function whole_seconds(value, option)
   return whole(value, 1, SECONDS_MAX) or check.refuse_value(option,
      "a whole number of seconds, from 1 to 999,999,999", value, ("Write %s = 3600"):format(option))
end

local NOTIFY_FORM = 'Write notify = { "failure", "delay" }'
local notify_words = { "success", "failure", "delay" }

-- "never", or some of the other words -> the value of NOTIFY=
local function notify(value, option)
   local list = type(value) == "table" and value or { value }
   check.is_list(list, option, NOTIFY_FORM)
   if #list == 1 and list[1] == "never" then return "NEVER" end
   local given, parts = {}, {}
   for i = 1, #list do given[user_call.text(list[i])] = true end
   for i = 1, #notify_words do
      local word = notify_words[i]
      if given[word] then parts[#parts + 1] = ascii.upper(word) end
      given[word] = nil
   end
   local unknown = next(given)
   if unknown == "never" then
      refuse(option, option .. ': "never" goes with no other word', NOTIFY_FORM)
   end
   if unknown or #parts == 0 then
      check.refuse_value(option, '"never" or a list of "success", "failure" and "delay"',
         unknown or value, NOTIFY_FORM)
   end
   return table.concat(parts, ",")
end

-- RFC 3461 4.4: printable ASCII and spaces, at most 100 bytes when encoded.
local function envid(value)
   if type(value) ~= "string" or value == "" or value:find("[^ -~]") then
      check.refuse_value("dsn.envid", "one line of ASCII", value, 'Write envid = "order-7"')
   end
   local coded = xtext(value)
   if #coded > core.limits.envid then
      refuse("dsn.envid", "dsn.envid has more than 100 bytes (a blank, + and = count as 3)",
         "Use a short name of your own for the message", value)
   end
   return coded
end

-- By option: (value, values) -> the keyword of the extension that the message needs, if it needs
-- one. Each fills in its fields of `values`.
local readers = {}

function readers.dsn(value, values)
   check.is_type("dsn", value, "table", "Write dsn = { notify = { \"failure\", \"delay\" } }")
   check.names(value, { "notify", "ret", "envid" }, "dsn", nil, "dsn")
   check.is_word("dsn.ret", value.ret, { "full", "hdrs" })
   values.ret = value.ret and ascii.upper(value.ret)
   if value.notify ~= nil then values.notify = notify(value.notify, "dsn.notify") end
   if value.envid ~= nil then values.envid = envid(value.envid) end
   return "dsn"
end

function readers.requiretls(value, values)
   values.requiretls = value
   return value and "requiretls"
end

function readers.deliver_by(value, values)
   local by = type(value) == "table" and value or { seconds = value }
   check.names(by, { "seconds", "mode", "trace" }, "deliver_by")
   check.is_word("deliver_by.mode", by.mode, { "return", "notify" })
   check.is_type("deliver_by.trace", by.trace, "boolean")
   values.by_seconds = whole_seconds(by.seconds, "deliver_by")
   values.by_return, values.by_trace = by.mode ~= "notify", by.trace
   return "deliverby"
end

function readers.hold_for(value, values)
   values.hold_seconds = whole_seconds(value, "hold_for")
   return "futurerelease"
end

function readers.hold_until(value, values)
   local date, what, hint = dates.parameter(value)
   values.hold_until = date or refuse("hold_until", what and "hold_until: " .. what
      or "hold_until is neither a time nor a date of RFC 3339", hint
      or "Write \"2026-11-24T12:00:00Z\", or seconds since 1970 as os.time() gives them", value)
   return "futurerelease"
end

function readers.mt_priority(value, values)
   local number = whole(value, -9, 9) or check.refuse_value("mt_priority",
      "a whole number from -9 to 9", value,
      "The words high, normal and low belong to priority, which is a header")
   values.mt_priority = ("%d"):format(number)
   return "mt-priority"
end

local ordered = { "dsn", "requiretls", "deliver_by", "hold_for", "hold_until", "mt_priority" }

--- Read the options of a message that become parameters. An extension that the message needs must
-- not be skipped.
---@param t table        the options of a message
---@param values table   filled in, as core.transaction reads them; those of recipients are there
---@param needs table    filled in: keyword to the reason why the message needs the extension
---@param words table    keyword to "require", "prefer" or "skip"
function parameters.read(t, values, needs, words)
   if t.hold_for ~= nil and t.hold_until ~= nil then
      refuse("hold_until", "hold_for and hold_until are both given", "Keep one of them")
   end
   for i = 1, #ordered do
      local name = ordered[i]
      local keyword = t[name] ~= nil and readers[name](t[name], values)
      if keyword then needs[keyword] = name .. " asks for it" end
   end
   if next(values.notify_of) ~= nil or next(values.orcpt_of) ~= nil then
      needs.dsn = needs.dsn or "envelope.to asks for it"
   end
   for keyword, why in next, needs do
      if words[keyword] == "skip" then
         local option = "extensions." .. keyword
         refuse(option, ("%s = \"skip\", but %s"):format(option, why), "Remove one of them", "skip")
      end
   end
end

-- The value of ORCPT= (RFC 3461 4.2, RFC 6533 3).
local function original(value)
   local option = "envelope.to.orcpt"
   if type(value) == "string" then
      value = value:match("^[Rr][Ff][Cc]822;(.*)$") or value:match("^[Uu][Tt][Ff]%-8;(.*)$")
         or value
   end
   local entry = address.parse(value, option)
   local coded = entry.utf8 and "utf-8;" .. utf8_xtext(entry.address)
      or "rfc822;" .. xtext(entry.address)
   if #coded > ORCPT_MAX then
      refuse(option, option .. " has more than 500 bytes when encoded",
         "Leave it out, or give a shorter address", value)
   end
   return coded
end

--- The names of the fields of a recipient.
parameters.recipient_fields = { "address", "name", "notify", "orcpt" }

--- Read the parameters of one recipient.
---@param item table       { address =, name =, notify =, orcpt = }, as the caller gave it
---@param entry table      as address.parse read it; `notify` and `orcpt` are filled in
function parameters.read_recipient(item, entry)
   if item.notify ~= nil then entry.notify = notify(item.notify, "envelope.to.notify") end
   if item.orcpt ~= nil then entry.orcpt = original(item.orcpt) end
end

return parameters
