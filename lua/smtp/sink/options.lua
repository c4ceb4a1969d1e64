--- The options of a sink, checked: what it would ignore, or could not do, is an error, so that no
-- test passes for the wrong reason.
-- @module smtp.sink.options

local ascii = require "smtp.ground.ascii"
local auth_options = require "smtp.sink.auth_options"
local check = require "smtp.options.check"
local core = require "smtp.core"
local errors = require "smtp.errors"
local tls_context = require "smtp.runtime.tls_context"
local unknown = require "smtp.options.unknown"
local user_call = require "smtp.options.user_call"

local sink_options = {}

local PATH_MAX = 103 -- bytes of the path of a unix socket that every system takes

--- The error of tls_cert or tls_key if it cannot be used.
sink_options.unusable_tls = tls_context.unusable

local names = { "host", "port", "socket", "protocol", "domain", "capabilities", "tls", "tls_cert",
   "tls_key", "tls_max_version", "auth", "require_auth", "faults", "on_message", "keep", "trace",
   "strict" }

local types = { host = "string", socket = "string", protocol = "string", domain = "string",
   tls_cert = "string", tls_key = "string", tls_max_version = "string", capabilities = "table",
   faults = "table", require_auth = "boolean", strict = "boolean", on_message = "function",
   trace = "function" }

local stages = { "connect", "ehlo", "helo", "starttls", "auth", "mail", "rcpt", "data", "final",
   "rset", "quit" }

-- ---- faults ----

local actions = { "drop", "silence" }

-- Every line of a reply has the same code, and every line but the last has a hyphen after it
-- (RFC 5321 4.2.1). -> what is wrong with a reply, nil if nothing is
local function why_no_reply(text)
   local code = text:match("^[2-5][0-9][0-9]")
   if not code then return "it has no code from 200 to 599" end
   local lines = {}
   for line in (text .. "\n"):gmatch("(.-)\n") do lines[#lines + 1] = line end
   for i = 1, #lines do
      local line = lines[i]
      local mark = line:sub(4, 4)
      if line:sub(1, 3) ~= code then return "its lines have different codes" end
      if line:find("[%z\1-\8\10-\31\127]") then return "it has a control character" end
      if i < #lines and mark ~= "-" then return "a hyphen is missing between its lines" end
      if i == #lines and mark ~= " " and mark ~= "" then
         return "its last line has no space after the code"
      end
   end
end

local SLOW_MAX = 3600 -- seconds

local function is_delay(text)
   local seconds = ascii.number(text:match("^slow ([0-9.]+)$"))
   return seconds ~= nil and seconds <= SLOW_MAX
end

--- What is wrong with the text of a fault; nil if nothing is.
---@param text string
---@return string|nil
function sink_options.why_no_fault(text)
   if text == "drop" or text == "silence" or is_delay(text) then return nil end
   return why_no_reply(text)
end

--- Check a fault as configured, or as a function of the caller's returned it. Raises a UsageError.
---@param option string   which names it in the error
---@param fault any
function sink_options.check_fault(option, fault)
   if fault == false then return end
   local shown, why = user_call.text(fault), ""
   local hint = "Write a reply such as \"550 5.7.1 no\", \"drop\", \"silence\" or \"slow 5\""
   if type(fault) == "string" then
      local wrong = sink_options.why_no_fault(fault)
      if not wrong then return end
      local near = #fault < 20 and unknown.nearest(fault, actions)
      why, shown = ": " .. wrong, ("%q"):format(fault)
      hint = near and ("Did you mean %q?"):format(near) or hint
   end
   errors.refuse(option, ("%s = %s is not a valid reply%s"):format(option, shown, why), hint, fault)
end

-- ---- capabilities ----

-- What another option offers, and the fault that replaces it.
local offered_by = {
   STARTTLS = { option = "tls", hint = "Give tls = \"starttls\", or faults.starttls",
      is_there = function(t) return t.tls == "starttls" or (t.faults or {}).starttls end },
   AUTH = { option = "auth", hint = "Give auth = { users = { … } }, or faults.auth",
      is_there = function(t) return t.auth or (t.faults or {}).auth end },
}

local function check_capability(t, i)
   local line, option = t.capabilities[i], ("capabilities[%d]"):format(i)
   check.is_type(option, line, "string")
   local keyword, rest = line:match("^([A-Za-z0-9][A-Za-z0-9-]*)([ =]?[ -~]*)$")
   if not keyword or rest ~= "" and not rest:find("^[ =]") then
      errors.refuse(option, ("%s = %q is not a valid line of EHLO"):format(option, line),
         "Write a keyword, and its parameters after a space: \"SIZE 1000000\"", line)
   end
   keyword = ascii.upper(keyword)
   local other = offered_by[keyword]
   if other and not other.is_there(t) then
      errors.refuse(option, ("%s offers %s, but the sink cannot do it without %s"):format(option,
         keyword, other.option), other.hint, line)
   end
   if keyword == "SIZE" and not (rest == "" or rest:find("^ %d+$")) then
      errors.refuse(option, ("%s = %q: the size is not a number"):format(option, line),
         "Write \"SIZE 1000000\"", line)
   end
end

-- ---- the rest ----

local examples = { port = 2525, keep = 1000, connections = 1, messages = 1 }

-- A whole number, or a numeric string, within bounds, becomes a number.
local function read_whole(t, name, min, max, words)
   local value = t[name]
   if value == nil then return end
   local number = ascii.number(value)
   if not number or not (number >= min and number <= max) or number % 1 ~= 0 then
      check.refuse_value(name, "a whole number " .. words, value,
         ("Write %s = %d"):format(name, examples[name]))
   end
   t[name] = number
end

local function check_types(t)
   for name, expected in next, types do check.is_type(name, t[name], expected) end
   read_whole(t, "port", 0, 65535, "from 0 (any port that is free) to 65535")
   read_whole(t, "keep", 0, math.huge, "of messages to keep")
end

-- A host that can be listened at: no name is looked up.
local function is_address(host)
   local bare = host:match("^%[(.*)%]$") or host:gsub("%%.*", "")
   return host == "localhost" or core.domain("[" .. bare .. "]")
      or core.domain("[IPv6:" .. bare .. "]")
end

local function check_words(t)
   check.is_word("protocol", t.protocol, { "smtp", "lmtp" }, "sink_protocol")
   if t.tls then check.is_word("tls", t.tls, { "starttls", "implicit" }, "sink_tls") end
   check.is_word("tls_max_version", t.tls_max_version, { "1.2", "1.3" }, "tls_min_version")
   if t.domain and not t.domain:find("^[!-~]+$") then
      errors.refuse("domain", ("domain = %q is not a valid name"):format(t.domain),
         "Write a name such as \"sink.example\"", t.domain)
   end
   if t.host and not is_address(t.host) then
      errors.refuse("host", ("host = %q is not an address of this machine"):format(t.host),
         "Write \"127.0.0.1\", \"::1\" or \"localhost\"", t.host)
   end
   if t.socket and (t.socket == "" or #t.socket > PATH_MAX) then
      check.refuse_value("socket", ("a path of 1 to %d bytes"):format(PATH_MAX), t.socket,
         'Write socket = "/tmp/smtp.sock"')
   end
end

-- { option, what it needs, how to write that }
local needs = {
   { "tls_key", "tls_cert", "Give tls_cert as well" },
   { "require_auth", "auth", "Give auth = { users = { name = \"password\" } }" },
}

local function check_together(t)
   for i = 1, #needs do
      local name, other, hint = needs[i][1], needs[i][2], needs[i][3]
      if t[name] and not t[other] then
         errors.refuse(name, ("%s has no effect without %s"):format(name, other), hint)
      end
   end
   if t.socket and (t.host or t.port) then
      errors.refuse("socket", "socket and host or port are both given", "Keep one of them")
   end
end

local function check_table(given, hint)
   if given ~= nil and type(given) ~= "table" then
      errors.refuse("options", "expected a table of options, got "
         .. user_call.type_name(given), hint)
   end
   return check.copy(given or {})
end

--- The capabilities of a sink that is given none.
sink_options.capabilities = { "PIPELINING", "SIZE 52428800", "8BITMIME", "ENHANCEDSTATUSCODES",
   "SMTPUTF8", "CHUNKING", "DSN" }

local defaults = { host = "127.0.0.1", port = 0, domain = "sink.example", keep = 1000,
   capabilities = sink_options.capabilities }

--- The options as the sink keeps them.
---@param given? table
---@return table|nil options
---@return table|nil err
sink_options.read = errors.returning(function(given)
   local t = check_table(given, 'Write smtp.sink { port = 2525 }, or smtp.sink()')
   check.names(t, names, nil, nil, "sink")
   check_types(t)
   check_words(t)
   check_together(t)
   check.names(t.faults or {}, stages, "faults")
   for stage, fault in next, t.faults or {} do
      if type(fault) ~= "function" then sink_options.check_fault("faults." .. stage, fault) end
   end
   check.is_list(t.capabilities or {}, "capabilities", "Write { \"PIPELINING\", … }")
   for i = 1, #(t.capabilities or {}) do check_capability(t, i) end
   for name, value in next, check.plain(defaults) do
      if t[name] == nil then t[name] = value end
   end
   if t.auth then t.auth = auth_options.check(t.auth) end
   return t
end)

--- What `serve` takes.
---@return table|nil options   connections, messages, timeout
---@return table|nil err
sink_options.read_serve = errors.returning(function(given)
   local t = check_table(given, "Write sink:serve { connections = 1 }, or sink:serve()")
   check.names(t, { "connections", "messages", "timeout" }, nil, nil, "serve")
   read_whole(t, "connections", 1, math.huge, "of connections to serve")
   read_whole(t, "messages", 1, math.huge, "of messages to serve")
   local seconds = t.timeout ~= nil and ascii.number(t.timeout)
   if t.timeout ~= nil and not (seconds and seconds > 0 and seconds < math.huge) then
      check.refuse_value("timeout", "a positive number of seconds", t.timeout, "Write timeout = 5")
   end
   t.timeout = seconds or nil
   return t
end)

return sink_options
