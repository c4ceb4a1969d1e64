--- The options of a sink, checked: what it would ignore, or could not do, is an error, so that no
-- test passes for the wrong reason.
-- @module smtp.sink.options

local ascii = require "smtp.ground.ascii"
local auth_options = require "smtp.sink.auth_options"
local check = require "smtp.options.check"
local core = require "smtp.core"
local errors = require "smtp.errors"
local user_call = require "smtp.options.user_call"

local sink_options = {}

local usage = errors.usage

local PATH_MAX = 103 -- bytes of the path of a unix socket that every system takes

local names = { "host", "port", "socket", "protocol", "domain", "capabilities", "tls", "tls_cert",
   "tls_key", "tls_max_version", "auth", "require_auth", "faults", "on_message", "keep", "trace",
   "strict" }

local types = {
   string = { "host", "socket", "protocol", "domain", "tls_cert", "tls_key", "tls_max_version" },
   table = { "capabilities", "faults" }, boolean = { "require_auth", "strict" },
   ["function"] = { "on_message", "trace" },
}

local stages = { "connect", "ehlo", "helo", "starttls", "auth", "mail", "rcpt", "data", "final",
   "rset", "quit" }

-- ---- faults ----

local actions = { "drop", "silence" }

-- Every line of a reply has the same code, and every line but the last has a hyphen after it
-- (RFC 5321 4.2.1). -> true | nil, what is wrong
local function is_reply(text)
   local code = text:match("^[2-5][0-9][0-9]")
   if not code then return nil, "it has no code from 200 to 599" end
   local lines, count = {}, 0
   for line in (text .. "\n"):gmatch("(.-)\n") do
      count = count + 1
      lines[count] = line
   end
   for i = 1, count do
      local line = lines[i]
      local mark = line:sub(4, 4)
      if line:sub(1, 3) ~= code then return nil, "its lines have different codes" end
      if line:find("[%z\1-\8\10-\31\127]") then return nil, "it has a control character" end
      if i < count and mark ~= "-" then return nil, "a hyphen is missing between its lines" end
      if i == count and mark ~= " " and mark ~= "" then
         return nil, "its last line has no space after the code"
      end
   end
   return true
end

local function not_a_fault(option, fault, shown, why, hint)
   return nil, usage(option, ("%s = %s is not a valid reply%s"):format(option, shown,
      why and ": " .. why or ""),
      hint or "Write a reply such as \"550 5.7.1 no\", \"drop\" or \"silence\"", fault)
end

--- A fault as configured, or as a function of the caller's returned it.
---@return boolean|nil ok
---@return table|nil   a UsageError
function sink_options.is_fault(stage, fault)
   local option = "faults." .. stage
   if fault == false or fault == "drop" or fault == "silence" then return true end
   if type(fault) ~= "string" then return not_a_fault(option, fault, user_call.text(fault)) end
   local ok, why = is_reply(fault)
   if ok then return true end
   local near = #fault < 20 and check.nearest(fault, actions)
   return not_a_fault(option, fault, ("%q"):format(fault), why,
      near and ("Did you mean %q?"):format(near))
end

local function check_faults(t)
   local ok, err = check.names(t.faults or {}, stages, "faults")
   if not ok then return nil, err end
   for stage, fault in next, t.faults or {} do
      if type(fault) ~= "function" then
         ok, err = sink_options.is_fault(stage, fault)
         if not ok then return nil, err end
      end
   end
   return true
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
   if type(line) ~= "string" then
      return nil, usage(option, ("%s must be a string, and is a %s"):format(option, type(line)))
   end
   local keyword, rest = line:match("^([A-Za-z0-9][A-Za-z0-9-]*)([ =]?[ -~]*)$")
   if not keyword or rest ~= "" and not rest:find("^[ =]") then
      return nil, usage(option, ("%s = %q is not a valid line of EHLO"):format(option, line),
         "Write a keyword, and its parameters after a space: \"SIZE 1000000\"", line)
   end
   local other = offered_by[ascii.upper(keyword)]
   if other and not other.is_there(t) then
      return nil, usage(option, ("%s offers %s, and the sink cannot do it without %s"):format(
         option, ascii.upper(keyword), other.option), other.hint, line)
   end
   if ascii.upper(keyword) == "SIZE" and not (rest == "" or rest:find("^ %d+$")) then
      return nil, usage(option, ("%s = %q: the size is not a number"):format(option, line),
         "Write \"SIZE 1000000\"", line)
   end
   return true
end

local function check_capabilities(t)
   if not t.capabilities then return true end
   local ok, err = check.is_list(t.capabilities, "capabilities", "Write { \"PIPELINING\", … }")
   if not ok then return nil, err end
   for i = 1, #t.capabilities do
      ok, err = check_capability(t, i)
      if not ok then return nil, err end
   end
   return true
end

-- ---- the rest ----

-- A whole number, or a numeric string, within bounds.
local function to_whole(t, name, min, max, words)
   local value = t[name]
   if value == nil then return true end
   local number = (type(value) == "number" or type(value) == "string") and ascii.number(value)
   if not number or not (number >= min and number <= max) or number % 1 ~= 0 then
      return nil, usage(name, ("%s is not a whole number %s"):format(name, words), nil, value)
   end
   t[name] = number
   return true
end

local function check_types(t)
   for wanted, list in next, types do
      local ok, err = check.each(check.is_type, t, list, wanted)
      if not ok then return nil, err end
   end
   local ok, err = to_whole(t, "port", 0, 65535, "from 0 (any port that is free) to 65535")
   if not ok then return nil, err end
   return to_whole(t, "keep", 0, math.huge, "of messages to keep")
end

-- A host that can be listened at: no name is looked up.
local function is_address(host)
   local bare = host:match("^%[(.*)%]$") or host:gsub("%%.*", "")
   return host == "localhost" or core.domain("[" .. bare .. "]")
      or core.domain("[IPv6:" .. bare .. "]")
end

local function check_words(t)
   local ok, err = check.is_word(t, "protocol", { "smtp", "lmtp" })
   if ok and t.tls then ok, err = check.is_word(t, "tls", { "starttls", "implicit" }) end
   if ok then ok, err = check.is_word(t, "tls_max_version", { "1.2", "1.3" }) end
   if not ok then return nil, err end
   if t.domain and not t.domain:find("^[!-~]+$") then
      return nil, usage("domain", ("domain = %q is not a valid name"):format(t.domain),
         "Write a name such as \"sink.example\"", t.domain)
   end
   if t.host and not is_address(t.host) then
      return nil, usage("host", ("host = %q is not an address of this machine"):format(t.host),
         "Write \"127.0.0.1\", \"::1\" or \"localhost\"", t.host)
   end
   if t.socket and (t.socket == "" or #t.socket > PATH_MAX) then
      return nil, usage("socket", ("socket is not a path of 1 to %d bytes"):format(PATH_MAX), nil,
         t.socket)
   end
   return true
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
         return nil, usage(name, ("%s has no effect without %s"):format(name, other), hint)
      end
   end
   if t.socket and (t.host or t.port) then
      return nil, usage("socket", "socket and host or port are both given", "Keep one of them")
   end
   return true
end

local checks = { check_types, check_words, check_together, check_faults, check_capabilities }

--- The options as the sink keeps them.
---@param given? table
---@return table|nil options
---@return table|nil err
function sink_options.read(given)
   if given ~= nil and type(given) ~= "table" then
      return nil, usage("options", ("expected a table of options, got a %s"):format(type(given)),
         "Write { auth = { users = { … } } }, or nothing")
   end
   local t = check.copy(given or {})
   local ok, err = check.names(t, names)
   if ok then ok, err = check.all(checks, t) end
   if not ok then return nil, err end
   local options = { host = "127.0.0.1", port = 0, domain = "sink.example", keep = 1000,
      capabilities = { "PIPELINING", "SIZE 52428800", "8BITMIME", "ENHANCEDSTATUSCODES",
         "SMTPUTF8", "CHUNKING", "DSN" } }
   for name, value in next, t do options[name] = value end
   if options.auth then
      options.auth, err = auth_options.check(options.auth)
      if not options.auth then return nil, err end
   end
   return options
end

--- What `serve` takes.
---@return table|nil options   connections, timeout
---@return table|nil err
function sink_options.read_serve(given)
   if given ~= nil and type(given) ~= "table" then
      return nil, usage("options", ("expected a table of options, got a %s"):format(type(given)),
         "Write { connections = 1 }, or nothing")
   end
   local t = check.copy(given or {})
   local ok, err = check.names(t, { "connections", "timeout" })
   if ok then ok, err = to_whole(t, "connections", 1, math.huge, "of connections to serve") end
   if not ok then return nil, err end
   local seconds = t.timeout ~= nil and ascii.number(t.timeout)
   if t.timeout ~= nil and not (seconds and seconds > 0 and seconds < math.huge) then
      return nil, usage("timeout", "timeout is not a positive number of seconds", nil, t.timeout)
   end
   t.timeout = seconds or nil
   return t
end

return sink_options
