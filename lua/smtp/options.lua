--- Every option, its default and its check, once. All of it happens before a connection is made.
-- @module smtp.options

local address = require "smtp.address"
local auth = require "smtp.auth"
local check = require "smtp.check"
local core = require "smtp.core"
local errors = require "smtp.errors"
local compose = require "smtp.compose"
local dkim = require "smtp.dkim"
local extensions = require "smtp.extensions"
local here = require "smtp.host"
local raw = require "smtp.raw"
local signing = require "smtp.signing"

local options = {}

local connection_names = {
   "url", "host", "server", "port", "socket", "protocol", "domain", "tls", "tls_verify", "tls_host",
   "tls_ca_file", "tls_ca_path", "tls_cert", "tls_key", "tls_min_version", "tls_pin", "auth",
   "username", "user", "password", "token", "authzid", "auth_mechanisms", "auth_plaintext",
   "scram_iterations", "timeout", "connect_timeout", "reply_timeout", "source_address",
   "transport", "pipelining", "extensions", "trace", "keepalive",
}

local mail_names = {
   "from", "to", "cc", "bcc", "reply_to", "sender", "subject", "text", "html", "attachments",
   "calendar", "headers", "date", "message_id", "in_reply_to", "references", "priority",
   "list_unsubscribe", "dkim", "raw", "eightbit", "size", "envelope", "recipients", "extensions",
   "dsn", "requiretls", "deliver_by", "hold_for", "hold_until", "mt_priority",
}

local all_names = {}
for i = 1, #connection_names do all_names[i] = connection_names[i] end
for i = 1, #mail_names do all_names[#all_names + 1] = mail_names[i] end

local is_connection = {}
for i = 1, #connection_names do is_connection[connection_names[i]] = true end

local usage = errors.usage
local is_word, is_type, is_line = check.is_word, check.is_type, check.is_line
local each = check.each

-- A copy without metatables: nothing of the caller's runs, or changes, while we send.
local function copy(t)
   local result = {}
   for key, value in next, t do result[key] = value end
   return result
end

-- ---- checks; each returns nil, error ----

local function seconds(t, name, default)
   local value = t[name]
   if value == nil then return default end
   local number = tonumber(value)
   if not number or number ~= number or number <= 0 or number == math.huge then
      return nil, usage(name, ("%s must be a positive number of seconds"):format(name), nil, value)
   end
   if number > 86400 then
      return nil, usage(name, ("%s = %s seconds is more than a day"):format(name, tostring(value)),
         "Did you mean milliseconds? Times are in seconds", value)
   end
   return number
end

-- ---- where ----

local function decode(text)
   return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

local url_schemes = { smtp = true, smtps = true, lmtp = true }

local function has_place(t)
   return t.host ~= nil or t.server ~= nil or t.socket ~= nil
end

local function read_url(t)
   if t.url == nil then return true end
   local path = tostring(t.url):match("^lmtp%+unix:/*(/[^?#]*)$")
   local scheme, rest = tostring(t.url):match("^(%a+)://([^/?#]+)/?$")
   if not path and not url_schemes[scheme] then
      return nil, usage("url", "url is not of the form smtp://user:password@host:587",
         "Other forms are smtps://host (TLS from the first byte), lmtp://host, lmtp+unix:/path")
   end
   if (path or scheme == "lmtp") and t.protocol == nil then t.protocol = "lmtp" end
   if path then
      if not has_place(t) then t.socket = decode(path) end
      return true
   end
   local login, place = rest:match("^(.*)@([^@]*)$")
   place = place or rest
   local host, port = place:match("^%[(.+)%]:?(%d*)$")
   if not host then host, port = place:match("^([^:]+):?(%d*)$") end
   if not host then return nil, usage("url", "url names no host") end
   if not has_place(t) then t.host = decode(host) end
   if t.port == nil and port ~= "" then t.port = port end
   if t.tls == nil and scheme == "smtps" then t.tls = "implicit" end
   if login and t.username == nil and t.user == nil then
      local user, password = login:match("^([^:]*):?(.*)$")
      t.username = decode(user)
      if t.password == nil and password ~= "" then t.password = decode(password) end
   end
   return true
end

local function alias(t, name, other)
   if t[other] == nil then return true end
   if t[name] ~= nil then
      return nil, usage(other, ("%s and %s mean the same, and both are given"):format(name, other),
         "Keep " .. name)
   end
   t[name] = t[other]
   return true
end

-- A name outside ASCII is looked up, verified and said in its ASCII form.
local function to_ascii(t, name)
   if t[name] == nil or not t[name]:find("[\128-\255]") then return true end
   local ascii, why, hint = address.domain(t[name])
   if not ascii then
      return nil, usage(name, ("%s = %q is no host name: %s"):format(name, t[name], why), hint,
         t[name])
   end
   t[name] = ascii
   return true
end

local function check_host(t)
   local ok, err = each(is_line, t, { "host", "socket", "source_address", "tls_host", "domain" })
   if not ok then return nil, err end
   ok, err = each(to_ascii, t, { "host", "tls_host", "domain" })
   if not ok then return nil, err end
   if t.socket and t.host then
      return nil, usage("socket", "socket and host are both given", "Keep one of them")
   end
   if t.socket and (#t.socket == 0 or #t.socket > 107) then
      return nil, usage("socket", "socket is no path of 1 to 107 octets", nil, t.socket)
   end
   if t.host and (t.host == "" or #t.host > 255 or t.host:find("[^!-~]")) then
      return nil, usage("host", "host is neither a host name nor an address", nil, t.host)
   end
   if t.domain == nil then return true end
   local is_domain, why = core.domain(t.domain)
   if is_domain then return true end
   return nil, usage("domain", "domain cannot be said in EHLO: " .. why,
      "Write this host's full name, or an address literal such as [192.0.2.1]", t.domain)
end

local function is_loopback(plan)
   if plan.transport then return false end
   if plan.socket then return true end
   local host = plan.host
   return host == "localhost" or host == "::1"
      or host:find("^127%.") ~= nil and core.domain("[" .. host .. "]") ~= nil
end

local function check_port(t)
   if t.port == nil then return true end
   local port = tonumber(t.port)
   if not port or port < 1 or port > 65535 or port % 1 ~= 0 then
      return nil, usage("port", "port is not a number from 1 to 65535", nil, t.port)
   end
   if port == 25 and t.protocol == "lmtp" then
      return nil, usage("port", "LMTP is not spoken on port 25 (RFC 2033 5)",
         "The usual port is 24; most servers have a unix socket")
   end
   t.port = port
   return true
end

local function check_protocol(t)
   return is_word(t, "protocol", { "smtp", "lmtp" })
end

-- ---- TLS ----

local function is_pin(pin)
   return type(pin) == "string" and #pin == 44 and pin:find("^[A-Za-z0-9+/]+=$") ~= nil
end

local function check_tls(t)
   local ok, err = is_word(t, "tls", { "implicit", "require", "prefer", "skip" })
   if not ok then return nil, err end
   ok, err = each(is_line, t, { "tls_ca_file", "tls_ca_path", "tls_cert", "tls_key" })
   if not ok then return nil, err end
   ok, err = is_type(t, "tls_verify", "boolean")
   if not ok then return nil, err end
   ok, err = is_word(t, "tls_min_version", { "1.2", "1.3" })
   if not ok then return nil, err end
   if (t.tls_cert == nil) ~= (t.tls_key == nil) then
      local missing = t.tls_cert and "tls_key" or "tls_cert"
      return nil, usage(missing, missing .. " is missing: a client certificate needs both",
         "Give tls_cert and tls_key; one file may hold both")
   end
   if t.tls_pin ~= nil and not is_pin(t.tls_pin) then
      return nil, usage("tls_pin", "tls_pin is not a SHA-256 in base64 (44 characters)",
         "openssl x509 -pubkey … | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary "
         .. "| base64")
   end
   return true
end

-- ---- the rest of how ----

local transport_methods = { "connect", "send", "receiveany", "sslhandshake", "settimeouts",
   "close" }

local function check_transport(t)
   local transport = t.transport
   if transport == nil or type(transport) == "function" then return true end
   for i = 1, #transport_methods do
      local kind = type(transport)
      if (kind ~= "table" and kind ~= "userdata") or not transport[transport_methods[i]] then
         return nil, usage("transport", ("transport has no method %s"):format(
            transport_methods[i]), "It needs " .. table.concat(transport_methods, ", "))
      end
   end
   return true
end

local KEPT_SECONDS, KEPT_MAX = 60, 32
local keepalive_names = { "idle", "size" }

local function keepalive_bounds(given)
   local ok, err = check.names(given, keepalive_names, "keepalive")
   if not ok then return nil, err end
   local idle, size = given.idle or KEPT_SECONDS, given.size or KEPT_MAX
   if type(idle) ~= "number" or not (idle > 0 and idle <= 86400) or type(size) ~= "number"
      or size % 1 ~= 0 or not (size > 0 and size <= 10000) then
      return nil, usage("keepalive", "keepalive needs seconds up to a day, and a number of "
         .. "connections from 1 to 10,000", "Write { idle = 60, size = 32 }")
   end
   return { idle = idle, size = size }
end

-- With a mechanism of the user's own we cannot tell whose connection it is.
local function check_keepalive(t)
   local given = t.keepalive
   if not given then return true end
   local what, hint
   if not here.nginx() then
      what = "keepalive is for nginx, and this is not nginx"
      hint = "Use smtp.connect to send several messages over one connection"
   elseif type(given) ~= "table" then
      what, hint = "keepalive must be a table", "Write { idle = 60, size = 32 }"
   elseif t.transport then
      what, hint = "keepalive is for connections made here", "Remove it, or transport"
   end
   for i = 1, what and 0 or #t.mechanisms do
      if t.mechanisms[i].object then
         what = "connections with a mechanism of your own cannot be kept"
         hint = "Remove keepalive, or use smtp.connect"
      end
   end
   if what then return nil, usage("keepalive", what, hint) end
   local err
   t.keepalive, err = keepalive_bounds(given)
   return t.keepalive and true, err
end

local function check_rest(t)
   local ok, err = check_transport(t)
   if not ok then return nil, err end
   ok, err = is_word(t, "pipelining", { "safe", "eager", "off" })
   if not ok then return nil, err end
   t.extensions, err = extensions.check(t.extensions)
   if not t.extensions then return nil, err end
   ok, err = extensions.settle_pipelining(t)
   if not ok then return nil, err end
   if t.trace ~= nil and t.trace ~= true and t.trace ~= false and type(t.trace) ~= "function" then
      return nil, usage("trace", "trace must be true or a function(direction, line)")
   end
   return check_keepalive(t)
end

local function check_name_to_verify(plan)
   if plan.tls == "skip" or not plan.tls_verify or plan.tls_host or plan.host_given then
      return true
   end
   if not plan.socket and not plan.transport then return true end
   return nil, usage("tls_host", "the certificate cannot be checked without the server's name",
      "Give tls_host, or tls = \"skip\"")
end

local function fill(t)
   local plan = copy(t)
   plan.given = { tls_ca_file = t.tls_ca_file, tls_ca_path = t.tls_ca_path, tls_pin = t.tls_pin,
      tls_min_version = t.tls_min_version }
   plan.host_given = t.host ~= nil
   if not t.socket then plan.host = t.host or "localhost" end
   plan.loopback = is_loopback(plan)
   plan.protocol = t.protocol or "smtp"
   plan.port = t.port or (t.protocol == "lmtp" and 24) or (t.tls == "implicit" and 465)
      or (t.credentials and 587) or 25
   plan.tls = t.tls or (plan.port == 465 and "implicit") or (plan.loopback and "skip") or "require"
   if t.tls_verify == nil then plan.tls_verify = true end
   plan.tls_min_version = t.tls_min_version or "1.2"
   plan.pipelining = t.pipelining or "safe"
   plan.timeout_given = t.timeout ~= nil
   local ok, err
   plan.timeout, err = seconds(t, "timeout", 300)
   if not plan.timeout then return nil, err end
   plan.connect_timeout, err = seconds(t, "connect_timeout", 15)
   if not plan.connect_timeout then return nil, err end
   plan.reply_timeout, err = seconds(t, "reply_timeout", 60)
   if not plan.reply_timeout then return nil, err end
   ok, err = check_name_to_verify(plan)
   if not ok then return nil, err end
   return plan
end

-- The same options make the same plan, and most senders give the same again and again: to compare
-- them costs less than to check them. Weak where there are secrets, which go with the next
-- collection.
local newest, weak = {}, { __mode = "v" }

local function is_same(a, b)
   if type(a) ~= "table" or type(b) ~= "table" then return rawequal(a, b) end
   for key, value in next, a do
      if not is_same(value, rawget(b, key)) then return false end
   end
   for key in next, b do
      if rawget(a, key) == nil then return false end
   end
   return true
end

local simple = { string = true, number = true, boolean = true }

-- An object of the caller's is itself, whatever it holds, and may change.
local function is_object(t)
   if getmetatable(t) ~= nil then return true end
   for _, value in next, t do
      if not simple[type(value)] then return true end
   end
   return false
end

local function remember(given, plan)
   local kept, count = {}, 0
   for name, value in next, given do
      if type(value) == "table" then
         if is_object(value) then return end
         value = copy(value)
      end
      kept[name], count = value, count + 1
   end
   newest = setmetatable({ given = kept, count = count, plan = plan },
      plan.credentials and weak or nil)
end

-- The newest plan, where it is that of the connection's options among these; how many these are.
local function known_plan(t)
   local plan, given, count = newest.plan, newest.given, 0
   if not plan or not given then return nil end
   for name, value in next, t do
      if is_connection[name] then
         local known = given[name]
         if not rawequal(value, known) and not is_same(value, known) then return nil end
         count = count + 1
      end
   end
   if count == newest.count then return plan, count end
   return nil
end

local function new_plan(given)
   local t = copy(given)
   local ok, err = read_url(t)
   if not ok then return nil, err end
   ok, err = alias(t, "host", "server")
   if not ok then return nil, err end
   ok, err = alias(t, "username", "user")
   if not ok then return nil, err end
   ok, err = check.all({ check_host, check_protocol, check_port, check_tls, auth.check,
      check_rest }, t)
   if not ok then return nil, err end
   return fill(t)
end

local function connection(given)
   local known = known_plan(given)
   if known then return known end
   local plan, err = new_plan(given)
   if plan then remember(given, plan) end
   return plan, err
end

-- ---- what ----

local composing = { "cc", "bcc", "reply_to", "sender", "subject", "text", "html", "attachments",
   "calendar", "headers", "date", "message_id", "in_reply_to", "references", "priority",
   "list_unsubscribe" }

local function raw_message(t, words)
   for i = 1, #composing do
      if t[composing[i]] ~= nil then
         local hint = "raw is the whole message already"
         if composing[i] == "cc" or composing[i] == "bcc" then hint = "List everybody in `to`" end
         return nil, usage(composing[i], composing[i] .. " stands beside raw", hint)
      end
   end
   return raw.read(t, words.binarymime)
end

local function composed(t, lists)
   local extra = { "eightbit", "size" }
   for i = 1, #extra do
      if t[extra[i]] ~= nil then
         return nil, usage(extra[i], extra[i] .. " is for raw messages only", "Remove it")
      end
   end
   if #lists.from > 1 and not lists.sender then
      return nil, usage("sender", "several addresses in from need a sender", "Name one of them")
   end
   local what = { from = lists.from, sender = lists.sender, reply_to = lists.reply_to,
      to = lists.to, cc = lists.cc }
   for i = 1, #composing do
      local name = composing[i]
      if what[name] == nil then what[name] = t[name] end
   end
   local made, err = compose.message(what)
   if not made then return nil, err end
   return signing.assemble(made)
end

local function read_lists(t)
   local lists = {}
   local err
   for _, name in ipairs { "from", "to", "cc", "bcc", "reply_to" } do
      lists[name], err = address.list(t[name], name)
      if not lists[name] then return nil, err end
   end
   if t.sender ~= nil then
      lists.sender, err = address.parse(t.sender, "sender")
      if not lists.sender then return nil, err end
   end
   return lists
end

-- A list of addresses; some may ask for something of their own.
local function read_envelope_to(given)
   if type(given) ~= "table" or rawget(given, "address") ~= nil then given = { given } end
   local list, err = address.list(given, "envelope.to")
   if not list then return nil, err end
   for i = 1, #list do
      local ok
      ok, err = extensions.ask_recipient(given[i], list[i])
      if not ok then return nil, err end
   end
   return list
end

local function read_envelope(t, lists)
   local envelope = t.envelope or {}
   if type(envelope) ~= "table" then
      return nil, usage("envelope", "envelope must be a table", "Write { from = …, to = … }")
   end
   local ok, err = check.names(envelope, { "from", "to" }, "envelope")
   if not ok then return nil, err end
   local from = lists.sender or lists.from[1]
   if envelope.from == "" then
      from = { address = "" }
   elseif envelope.from ~= nil then
      from, err = address.parse(envelope.from, "envelope.from")
      if not from then return nil, err end
   elseif not from then
      return nil, usage("from", "from is missing", "Name the sender: from = \"ann@example.org\"")
   end
   local groups = { lists.to, lists.cc, lists.bcc }
   if envelope.to ~= nil then
      groups[1], err = read_envelope_to(envelope.to)
      if not groups[1] then return nil, err end
      groups[2], groups[3] = nil, nil
   end
   return from, groups
end

-- Each of them once -> addresses, what the first of that address asks for
local function gather(groups)
   local to, seen, asked = {}, {}, { notify_of = {}, orcpt_of = {} }
   for i = 1, #groups do
      for j = 1, #groups[i] do
         local entry = groups[i][j]
         local one = entry.address
         if not seen[one] then
            to[#to + 1], seen[one] = one, true
            asked.notify_of[one], asked.orcpt_of[one] = entry.notify, entry.orcpt
         end
      end
   end
   return to, asked
end

-- The address because of which SMTPUTF8 must be said: one of the envelope, or of the header.
local function needs_utf8(t, lists, from, groups)
   local found = address.needs_utf8 { { from } } or address.needs_utf8(groups)
   if found or t.raw ~= nil then return found end
   return address.needs_utf8 { lists.from, { lists.sender }, lists.reply_to, lists.to, lists.cc }
end

local function needs_of(facts)
   local needs = {}
   if facts.binary then
      needs.binarymime = facts.binary_needed and "raw holds what no text may hold"
         or "extensions.binarymime asks for it"
      needs.chunking = "BINARYMIME goes by it alone"
   end
   if facts.eightbit and not facts.binary_needed then
      needs["8bitmime"] = "the message holds 8-bit bytes"
   end
   if facts.utf8 then
      needs.smtputf8 = ("an address outside ASCII needs it (%s)"):format(facts.utf8)
   end
   return needs
end

-- Which extensions the message needs: facts.needs says why, facts.extensions how urgently, and
-- facts.asked what is to be said of them.
local function read_extensions(t, words, facts)
   local asked, needs = facts.asked, needs_of(facts)
   local ok, err = extensions.ask(t, asked, needs)
   if not ok then return nil, err end
   if next(asked.notify_of) ~= nil or next(asked.orcpt_of) ~= nil then
      needs.dsn = needs.dsn or "envelope.to asks for it"
   end
   ok, err = extensions.agree(needs, words)
   if not ok then return nil, err end
   if facts.binary_needed then words.binarymime = "require" end
   if facts.binary and words.chunking ~= "require" then words.chunking = words.binarymime end
   -- 8BITMIME is the core's to require: BINARYMIME does as well.
   for keyword in next, needs do
      if keyword ~= "8bitmime" then words[keyword] = words[keyword] or "require" end
   end
   facts.extensions, facts.needs = words, needs
   return facts
end

local function mail(t, plan)
   local ok, err = is_word(t, "recipients", { "any", "all" })
   if not ok then return nil, err end
   local lists
   lists, err = read_lists(t)
   if not lists then return nil, err end
   local from, groups = read_envelope(t, lists)
   if not from then return nil, groups end
   local to, asked = gather(groups)
   if #to == 0 then
      return nil, usage("to", "there is nobody to send to", "Give to, cc or bcc")
   end
   if t.raw == nil and #lists.from == 0 then
      return nil, usage("from", "from is missing", "Name the author: from = \"ann@example.org\"")
   end
   local words
   words, err = extensions.for_mail(t.extensions, plan)
   if not words then return nil, err end
   local facts
   if t.raw ~= nil then
      facts, err = raw_message(t, words)
   else
      facts, err = composed(t, lists)
   end
   if not facts then return nil, err end
   if t.dkim ~= nil then
      facts.signers, err = dkim.check(t.dkim)
      if not facts.signers then return nil, err end
   end
   facts.from, facts.to = from.address, to
   facts.utf8 = needs_utf8(t, lists, from, groups)
   facts.all = t.recipients == "all"
   facts.asked = asked
   return read_extensions(t, words, facts)
end

-- ---- the doors ----

local function check_table(t, name)
   if type(t) == "table" then return true end
   return nil, usage(name, ("a table of options is wanted, and this is a %s"):format(type(t)))
end

--- Where and how: for smtp.connect.
---@return table|nil plan
---@return table|nil err
function options.connection(t)
   local ok, err = check_table(t, "options")
   if not ok then return nil, err end
   ok, err = check.names(t, connection_names)
   if not ok then return nil, err end
   return connection(t)
end

--- The same plan, but for these values. A plan itself is never changed: others may have it.
function options.variant(plan, values)
   local other = copy(plan)
   for name, value in next, values do other[name] = value end
   return other
end

--- What: for connection:send.
---@param plan? table   of the connection
function options.mail(t, plan)
   local ok, err = check_table(t, "options")
   if not ok then return nil, err end
   ok, err = check.names(t, mail_names)
   if not ok then return nil, err end
   return mail(copy(t), plan)
end

-- What messages without more to say share; nobody changes it.
local no_extensions, no_needs, eightbit_needs = {}, {}, needs_of { eightbit = true }

--- What core.plain has found, as options.mail would tell it.
---@param old? table   a message that came from here: becomes the new one
function options.plain_mail(text, from, to, size, eightbit, old)
   local one = old or { to = {}, exact = true, extensions = no_extensions, plain = true }
   one.from, one.to[1], one.text, one.size, one.source_len = from, to, text, size, #text
   one.eightbit, one.needs = eightbit, eightbit and eightbit_needs or no_needs
   return one
end

--- Which extensions the commonest of messages need.
function options.plain_needs(eightbit)
   return eightbit and eightbit_needs or no_needs
end

--- The same for the commonest of messages, { from =, to =, raw = } as three strings, in one step.
---@param old? table   a message that came from here, is over, and is nobody's: becomes the new one
---@param others? number   so many options of the connection stand beside them
---@return table|nil   with its first `transaction`; nil where it is any other: options.mail has the
--   word
function options.plain(t, plan, old, others)
   if type(t) ~= "table" or next(plan.extensions) ~= nil then return nil end
   local transaction, from, to, size, eightbit, text = core.plain(t, old and old.transaction,
      others)
   if not transaction then return nil end
   local one = options.plain_mail(text, from, to, size, eightbit, old)
   one.transaction = transaction
   return one
end

--- Both: for smtp.send.
---@return table|nil plan
---@return table mail_or_err
function options.send(t)
   local ok, err = check_table(t, "options")
   if not ok then return nil, err end
   local known, others = known_plan(t)
   local plain = known and options.plain(t, known, nil, others)
   if plain then return known, plain end
   ok, err = check.names(t, all_names)
   if not ok then return nil, err end
   local where, what = {}, {}
   for name, value in next, t do
      if is_connection[name] then where[name] = value else what[name] = value end
   end
   local plan
   plan, err = connection(where)
   if not plan then return nil, err end
   local one = options.plain(what, plan)
   if not one then one, err = mail(what, plan) end
   if not one then return nil, err end
   return plan, one
end

return options
