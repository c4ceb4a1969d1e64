--- Every option, named once: the options of a connection and those of a message, with what the
-- values of simple ones may be; and the mechanisms of AUTH. The modules that use the others check
-- them.
--
-- Fields of an option:
--    kind      what check.values expects of the value: one of the kinds in options/check.lua
--    words, min, max, pattern, types
--              what this kind allows
--    wrong     what the error says is expected, for kinds without a text of their own
--    hint      what the error says to write
--    example   a value that the hint of an error shows
--    alias     a second name of the option
--    object    an object of the caller's: used as it is, with its metatable
--    addresses one address or a list of them: used as it is; each is read once, without metatables
--    carried   smtp.probe copies it into the options that it recommends
-- @module smtp.options.names

local names = {}

-- ---- of a connection ----

local connection = {
   { "url" }, { "service" }, { "host", kind = "line", alias = "server" }, { "server" },
   { "proxy", kind = "line" },
   { "port", kind = "whole", min = 1, max = 65535, hint = "Write port = 587 (STARTTLS), 465 (TLS "
      .. "from the first byte) or 25 (between servers)" },
   { "socket", kind = "line" },
   { "protocol", kind = "word", words = { "smtp", "lmtp" } },
   { "domain", kind = "line", carried = true },
   { "tls", kind = "word", words = { "implicit", "require", "prefer", "skip" } },
   { "tls_verify", kind = "boolean" },
   { "tls_host", kind = "line", carried = true },
   { "tls_ca_file", kind = "line", carried = true },
   { "tls_ca_path", kind = "line", carried = true },
   { "tls_cert", kind = "line", carried = true },
   { "tls_key", kind = "line", carried = true },
   { "tls_min_version", kind = "word", words = { "1.2", "1.3" }, carried = true },
   { "tls_pin", kind = "pattern", pattern = "^" .. ("[A-Za-z0-9+/]"):rep(43) .. "=$",
      wrong = "a SHA-256 in base64 (44 characters)",
      hint = "lua-smtp probe HOST shows that of a server, as key_pin", carried = true },
   { "auth", kind = "word", words = { "require", "prefer", "skip" } },
   { "username", alias = "user" }, { "user" }, { "password" }, { "token" }, { "authzid" },
   { "auth_mechanisms", object = true, carried = true },
   { "auth_plaintext", kind = "boolean", carried = true },
   { "scram_iterations", carried = true },
   { "timeout", kind = "seconds", max = 3600, example = 300 },
   { "connect_timeout", kind = "seconds", max = 300, example = 15 },
   { "reply_timeout", kind = "seconds", max = 900, example = 60 },
   { "source_address", kind = "line", carried = true },
   { "transport", object = true }, { "loop", object = true, carried = true },
   { "pipelining", kind = "word", words = { "safe", "eager", "off" } },
   { "extensions", carried = true },
   { "trace", kind = "types", types = { boolean = true, ["function"] = true },
      wrong = "true or a function(direction, line)", hint = "Write trace = true" },
   { "observe", kind = "types", types = { ["function"] = true },
      wrong = "a function(event)", hint = "Write observe = function(event) … end" },
   { "keepalive" },
}

-- ---- of a message ----

local message = {
   { "from", addresses = true }, { "to", addresses = true }, { "cc", addresses = true },
   { "bcc", addresses = true }, { "reply_to", addresses = true }, { "sender" }, { "subject" },
   { "text" }, { "html" }, { "attachments" }, { "calendar" }, { "headers" }, { "date" },
   { "message_id" }, { "in_reply_to" }, { "references" },
   { "priority", kind = "word", words = { "high", "normal", "low" } },
   { "list_unsubscribe" },
   { "dkim", object = true },
   { "raw" },
   { "eightbit", kind = "boolean" },
   { "size" }, { "envelope" },
   { "recipients", kind = "word", words = { "any", "all" } },
   { "extensions" }, { "dsn" },
   { "requiretls", kind = "boolean" },
   { "deliver_by" }, { "hold_for" }, { "hold_until" }, { "mt_priority" },
}

-- ---- sets ----

-- `home`: where these options belong, for the error that another call was given one of them.
local function new_set(list, home)
   ---@class smtp.OptionSet
   ---@field list table[]      the options in order
   ---@field names string[]    their names in order
   ---@field by_name table     name to option
   ---@field objects table     the names of the options that are used as they are, not copied
   ---@field home string       where these options belong
   local set = { list = list, names = {}, by_name = {}, objects = {}, home = home }
   for i = 1, #list do
      local option = list[i]
      local name = option[1]
      set.names[i], set.by_name[name] = name, option
      if option.object or option.addresses then set.objects[name] = true end
   end
   return set
end

names.connection = new_set(connection, "the connection: smtp.send, smtp.connect or send_many")
names.message = new_set(message, "a message: smtp.send, connection:send or send_many")

--- The names of all options, for smtp.send.
names.all = {}
for _, set in ipairs { names.connection, names.message } do
   for i = 1, #set.names do names.all[#names.all + 1] = set.names[i] end
end

-- ---- mechanisms of AUTH ----

--- The mechanisms of this library, in order of preference; `by_name` has them by their names.
--    secret         the credential that it needs
--    binds, mutual  it binds to the channel; it also authenticates the server
--    named          it is used only if auth_mechanisms names it
--    bare           it cannot carry authzid
-- The entry of a mechanism of the caller's own is { name =, object =, shows_secret = }: can the
-- server, and a listener without TLS, read the secret? For the others the core knows this.
names.mechanisms = {
   { name = "OAUTHBEARER", secret = "token", bare = true },
   { name = "XOAUTH2", secret = "token", bare = true },
   { name = "SCRAM-SHA-512-PLUS", secret = "password", binds = true, mutual = true },
   { name = "SCRAM-SHA-256-PLUS", secret = "password", binds = true, mutual = true },
   { name = "SCRAM-SHA-1-PLUS", secret = "password", binds = true, mutual = true },
   { name = "SCRAM-SHA-512", secret = "password", mutual = true },
   { name = "SCRAM-SHA-256", secret = "password", mutual = true },
   { name = "SCRAM-SHA-1", secret = "password", mutual = true },
   { name = "PLAIN", secret = "password" },
   { name = "LOGIN", secret = "password", bare = true },
   { name = "EXTERNAL", named = true },
   { name = "CRAM-MD5", secret = "password", named = true, bare = true },
   by_name = {},
}

for _, one in ipairs(names.mechanisms) do names.mechanisms.by_name[one.name] = one end

return names
