--- Right values for each option of smtp/types.lua, and tables of options made of them.

local keys = require "spec.tools.dkim_keys"
local values = require "spec.fuzz.values"

local fields = {}

-- Fields of smtp/types.lua by class: what a value of each looks like. A function makes a value; a list is picked from.
local KEY = keys.rfc.ed25519

local function address(r)
   return r:pick { "ann@example.org", "Bob \195\150 <bob@example.net>", '"Lee, Ann" <lee@example.com>', "x@[127.0.0.1]",
      { name = "Carol", address = "carol@example.org" }, { address = "d@b\195\188cher.example" }, '"a b"@example.org' }
end

local function addresses(r)
   local list = {}
   for i = 1, r:int(3) do list[i] = address(r) end
   return r:once_in(2) and list or list[1]
end

local function source_of(pieces)
   return function()
      local i = 0
      return function()
         i = i + 1
         return pieces[i]
      end
   end
end

local function nested(class)
   return function(r) return fields.options(r, class, 3) end
end

local function several(class)
   local one = nested(class)
   return function(r) return r:once_in(2) and { one(r), one(r) } or one(r) end
end

local RAW = "From: a@example.org\r\nSubject: x\r\n\r\n.dot\r\nbody\r\n"

local mechanism = { name = "X-OWN", start = function() return "hello" end, step = function() return "more", true end }

local function nothing() end

fields.classes = {
   connection = {
      url = { "smtp://mx.example:2525", "smtps://mx.example", "lmtp://mx.example:2424", "lmtp+unix:/tmp/x",
         "smtp://ann:sesame-fuzz-url@mx.example:587" },
      service = { "gmail", "ses:eu-west-1", "mailgun" }, host = { "mx.example", { "mx.example", "mx2.example" } },
      server = { "mx.example" }, proxy = { "socks5://proxy.example", "http://proxy.example:3128" }, port = { 2525,
         "25", 465 },
      socket = { "/tmp/no-such-socket" }, protocol = { "smtp", "lmtp" }, domain = { "me.example", "[127.0.0.1]" },
      tls = { "skip", "prefer", "require", "implicit" }, tls_verify = { true, false }, tls_host = { "mx.example" },
      tls_ca_file = { "/no/such/file" }, tls_ca_path = { "/no/such/folder" }, tls_cert = { "/no/such/cert" },
      tls_key = { "/no/such/key" }, tls_min_version = { "1.2", "1.3" },
      tls_pin = { "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" }, auth = { "skip", "prefer", "require" },
      username = { "ann" }, user = { "ann" }, password = { "sesame-fuzz-1", function() return "sesame-fuzz-2" end },
      token = { "sesame-fuzz-3", function() return "sesame-fuzz-4" end }, authzid = { "bob" },
      auth_mechanisms = { "PLAIN", { "SCRAM-SHA-256", "PLAIN", "LOGIN" }, { "XOAUTH2" }, { mechanism } },
      scram_iterations = { { 4096, 200000 } }, auth_plaintext = { true, false }, timeout = { 5, "3.5" },
      connect_timeout = { 2 }, reply_timeout = { 2, "2" }, source_address = { "127.0.0.1" },
      pipelining = { "safe", "eager", "off" }, extensions = { { dsn = "prefer" }, { chunking = "skip",
         size = "skip" } },
      trace = { nothing, false }, observe = { nothing }, transport = {}, loop = { false }, keepalive = { false,
         { idle = 1 } },
   },
   message = {
      from = address, to = addresses, cc = addresses, bcc = addresses, reply_to = addresses, sender = address,
      subject = { "Hello", "Gr\195\188\195\159e", ("long "):rep(40) }, text = { "Hi\n", "", ".\n..\n", "\195\182\n" },
      html = { "<p>Hi</p>" }, attachments = several "attachment", calendar = { "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n",
         { content = "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", method = "REQUEST" } },
      headers = { { ["X-A"] = "b" }, { { "X-A", "b" }, { "X-B", "c" } } }, date = { 0,
         "Tue, 24 Nov 2026 12:00:00 +0000" },
      message_id = { "<id@example.org>" }, in_reply_to = { "<a@example.org>" }, references = { { "<a@b>", "<c@d>" } },
      priority = { "high", "normal", "low" }, list_unsubscribe = { "https://example.org/u",
         { "mailto:u@example.org" } },
      dkim = several "dkim", raw = { RAW, "x", "\195\182" }, eightbit = { true, false }, size = { 10, 10000 },
      envelope = nested "envelope", recipients = { "any", "all" },
      extensions = { { dsn = "prefer" }, { smtputf8 = "require" } },
      dsn = { { notify = "never" }, { notify = { "success", "delay" }, ret = "hdrs", envid = "id" } },
      requiretls = { true, false }, deliver_by = { 60, { seconds = 60, mode = "notify" } }, hold_for = { 60 },
      hold_until = { "2030-01-01T00:00:00Z", 2000000000 }, mt_priority = { 3, "-3" },
   },
   attachment = {
      path = { "README.md", "/no/such/file" }, content = { "bytes", "\0\1" }, source = source_of { "one", "two" },
      size = { 6, 7 }, filename = { "a.txt", "\195\182.pdf" }, content_type = { "text/plain; charset=utf-8",
         "image/png" },
      disposition = { "attachment", "inline" }, cid = { "logo" }, content_id = { "<logo@example.org>" },
   },
   envelope = { from = { "", "ann@example.org" }, to = several "recipient" },
   recipient = { address = { "bob@example.net", "eve@b\195\188cher.example" }, name = { "Bob" },
      notify = { "never", { "success" } }, orcpt = { "old@example.net", "rfc822;old@example.net" } },
   dkim = {
      domain = { "example.org" }, selector = { "s" }, key = { KEY }, identity = { "x@example.org" },
      canonicalization = { "relaxed/relaxed", "simple" }, headers = { { "From", "Subject" } }, skip = { "Date" },
      expires = { 3600 },
   },
   many = { connections = { 1, 2 }, window = { 1, 16 }, per_connection = { 1, 100 }, rate = { 1000 },
      on_result = { nothing }, progress = { false } },
   put = { id = { "id-1", "id-2" }, at = { 0, 2000000000 } },
}

-- What each class needs, so that most of its tables are right but for what is hostile in them.
local needed = { attachment = { "content" }, envelope = { "to" }, recipient = { "address" },
   dkim = { "domain", "selector", "key" } }

local function names_of(class)
   local list = {}
   for name in pairs(fields.classes[class]) do list[#list + 1] = name end
   table.sort(list)
   return list
end

--- A right value of this option.
function fields.right(r, class, name)
   local pool = fields.classes[class][name]
   if type(pool) == "function" then return pool(r) end
   return r:pick(pool)
end

--- A table of options of this class: right values, one in `hostile` of which is replaced.
function fields.options(r, class, hostile)
   local names, t = names_of(class), {}
   for _, name in ipairs(needed[class] or {}) do t[name] = fields.right(r, class, name) end
   for _ = 1, r:int(4) - 1 do
      local name = r:pick(names)
      if name ~= "transport" then fields.put(r, t, class, name, r:once_in(hostile)) end
   end
   return t
end

local secret = { password = true, token = true }

-- The value where an option that prints was to be true.
local function silent(name, value)
   if name == "trace" or name == "progress" then return value ~= true and value end
   return value
end

--- Give this option a right value, or a hostile one. Secrets are words that no other text has.
function fields.put(r, t, class, name, is_hostile)
   local right = fields.right(r, class, name)
   if not is_hostile then
      t[name] = right
   elseif secret[name] then
      t[name] = r:once_in(2) and "sesame-fuzz" .. values.text(r) or values.any(r, 3, right)
   elseif type(right) == "table" and r:once_in(2) then
      local copy = {}
      for key, value in pairs(right) do copy[key] = r:once_in(2) and values.any(r, 1, value) or value end
      t[name] = copy
   else
      t[name] = silent(name, values.any(r, 0, right))
   end
end

return fields
