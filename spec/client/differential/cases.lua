--- The corpus: each case has a name, a message (or messages for send_many), and, where it is not the
-- usual one, options of the connection and what the server offers and answers.

local FROM, TO = "ann@example.org", "bob@example.net"
local HEAD = "From: ann@example.org\r\nTo: bob@example.net\r\nSubject: Hello\r\n\r\n"
local LF, CR = HEAD:gsub("\r", "") .. "a\nb\n", HEAD:gsub("\n", "") .. "a\rb\r"
local ALL = { "PIPELINING", "8BITMIME", "SIZE 1000000", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES" }
local CHUNKING = { "PIPELINING", "8BITMIME", "SIZE 1000000", "CHUNKING" }
local DAY = 1795521600

local function with(base, more)
   local t = {}
   for name, value in next, base do t[name] = value end
   for name, value in next, more or {} do t[name] = value end
   return t
end

local function raw(text, more)
   return function() return with({ from = FROM, to = TO, raw = text }, more) end
end

local function composed(more)
   return function()
      return with({ from = "Ann Ö <ann@example.org>", to = "Bob <bob@example.net>", subject = "Grüße",
         date = DAY, message_id = "<1@example.org>" }, more)
   end
end

local function pieces(list)
   return function()
      local i = 0
      return { from = FROM, to = TO, raw = function()
         i = i + 1
         return list[i]
      end }
   end
end

local KEY = "build/spec/dkim/rsa.pem"
local many_raw = {}
for i = 1, 6 do many_raw[i] = { from = FROM, to = TO, raw = HEAD .. "Message " .. i .. "\r\n" } end

local function list_of(list)
   return function() return list end
end

local auth = { auth = "require", username = "ann", password = "opensesame" }
local AUTH = with(ALL)
AUTH[#AUTH + 1] = "AUTH PLAIN LOGIN"

return {
   { name = "raw", message = raw(HEAD .. "Text\r\n") },
   { name = "raw, no extension", capabilities = {}, message = raw(HEAD .. "Text\r\n") },
   { name = "raw, chunking", capabilities = CHUNKING, message = raw(HEAD .. "Text\r\n") },
   { name = "raw, size and all", capabilities = ALL, message = raw(HEAD .. "Text\r\n") },
   { name = "raw, dots", message = raw(HEAD .. ".\r\n..\r\n.a\r\nb.\r\n") },
   { name = "raw, LF", message = raw(LF) },
   { name = "raw, CR", message = raw(CR) },
   { name = "raw, mixed line ends",
      message = raw("From: a@example.org\nTo: b@example.net\r\n\r\na\rb\n\rc\r\r\nd\r\n\n.") },
   { name = "raw, mixed line ends in chunks", capabilities = CHUNKING,
      message = raw("From: a@example.org\nTo: b@example.net\r\n\r\na\rb\n\rc\r\r\nd\r\n\n.") },
   { name = "raw, no line end at the end", message = raw(HEAD .. "Text") },
   { name = "raw, header only", message = raw("Subject: x\r\n") },
   { name = "raw, empty", message = raw("") },
   { name = "raw, body only", message = raw("\r\nText\r\n") },
   { name = "raw, 8-bit", capabilities = ALL, message = raw(HEAD .. "Gr\195\188\195\159e\r\n") },
   { name = "raw, 8-bit not offered", capabilities = {}, message = raw(HEAD .. "Gr\195\188\195\159e\r\n") },
   { name = "raw, NUL", message = raw(HEAD .. "a\0b\r\n") },
   { name = "raw, long line", message = raw(HEAD .. ("x"):rep(999) .. "\r\n") },
   { name = "raw, line of 998", message = raw(HEAD .. ("x"):rep(998) .. "\r\n") },
   { name = "raw, Bcc", message = raw("Bcc: c@example.com\r\n" .. HEAD .. "Text\r\n") },
   { name = "raw, Bcc in the body", message = raw(HEAD .. "Bcc: c@example.com\r\n") },
   { name = "raw, 400 KiB", capabilities = CHUNKING, digest = true,
      message = raw(HEAD .. (("x"):rep(70) .. "\r\n"):rep(6000)) },
   { name = "raw, 400 KiB by DATA", digest = true,
      message = raw(HEAD .. (".x" .. ("x"):rep(70) .. "\n"):rep(6000)) },
   { name = "raw, pieces", message = pieces { HEAD, "a\r", "\nb", "\n.", "c\r\n" } },
   { name = "raw, pieces in chunks", capabilities = CHUNKING,
      message = pieces { HEAD, "a\r", "\nb", "\n.", "c\r\n" } },
   { name = "raw, several recipients", message = raw(HEAD .. "Text\r\n", { to = { TO, "carl@example.net", TO } }) },
   { name = "raw, one of three refused", replies = { rcpt = { "250 ok", "550 5.1.1 unknown", "250 ok" } },
      message = raw(HEAD .. "Text\r\n", { to = { TO, "carl@example.net", "dora@example.net" } }) },
   { name = "raw, all of several, one refused", replies = { rcpt = { "250 ok", "550 5.1.1 unknown" } },
      message = raw(HEAD .. "Text\r\n", { to = { TO, "carl@example.net" }, recipients = "all" }) },
   { name = "raw, recipient refused", replies = { rcpt = { "550 5.1.1 unknown" } },
      message = raw(HEAD .. "Text\r\n") },
   { name = "raw, recipient deferred", replies = { rcpt = { "451 4.7.1 greylisted" } },
      message = raw(HEAD .. "Text\r\n") },
   { name = "raw, sender refused", replies = { mail = { "550 5.7.1 go away" } }, message = raw(HEAD .. "Text\r\n") },
   { name = "raw, DATA refused", replies = { data = { "451 4.3.0 not now" } }, message = raw(HEAD .. "Text\r\n") },
   { name = "raw, message refused", replies = { final = { "554 5.6.0 spam" } }, message = raw(HEAD .. "Text\r\n") },
   { name = "raw, chunk refused", capabilities = CHUNKING, replies = { final = { "554 5.6.0 spam" } },
      message = raw(HEAD .. "Text\r\n") },
   { name = "raw, named addresses",
      message = raw(HEAD .. "Text\r\n", { from = "Ann <ann@example.org>", to = "Bob <bob@example.net>" }) },
   { name = "raw, null sender", message = raw(HEAD .. "Text\r\n", { envelope = { from = "", to = TO } }) },
   { name = "raw, SMTPUTF8", capabilities = ALL,
      message = raw(HEAD .. "Text\r\n", { to = "j\195\188rgen@example.net" }) },
   { name = "raw, DSN", capabilities = ALL,
      message = raw(HEAD .. "Text\r\n", { dsn = { notify = "failure", ret = "hdrs", envid = "1" } }) },
   { name = "raw, too large", capabilities = { "SIZE 100" }, message = raw(HEAD .. ("x"):rep(80) .. "\r\n") },
   { name = "raw, BINARYMIME", capabilities = { "PIPELINING", "CHUNKING", "BINARYMIME", "8BITMIME" },
      message = raw(HEAD .. "a\0\nb", { extensions = { binarymime = "prefer" } }) },
   { name = "raw, AUTH", capabilities = AUTH, options = auth, message = raw(HEAD .. "Text\r\n") },
   { name = "raw, AUTH not offered", options = auth, message = raw(HEAD .. "Text\r\n") },
   { name = "raw, AUTH refused", capabilities = AUTH, options = auth,
      replies = { auth = { "535 5.7.8 no opensesame here" } }, message = raw(HEAD .. "Text\r\n") },
   { name = "text", capabilities = ALL, message = composed { text = "Hello\nworld\n" } },
   { name = "text, without a line end", message = composed { text = "Hello" } },
   { name = "text, umlauts and dots", message = composed { text = ".Grüße\n..\nFrom here\n" } },
   { name = "text and html", message = composed { text = "Hello", html = "<p>Hello</p>" } },
   { name = "text in chunks", capabilities = CHUNKING, message = composed { text = "Hello\n.\nworld\n" } },
   { name = "attachment", capabilities = CHUNKING,
      message = composed { text = "See the file", attachments = { { content = ("\0\1\2"):rep(100),
      filename = "a.bin" } } } },
   { name = "attachment from a function", message = function()
      local list = { "first ", "second", nil }
      return composed { text = "See the file", attachments = { { filename = "b.txt", size = 12,
         source = function() return table.remove(list, 1) end } } }()
   end },
   { name = "bcc", message = composed { text = "Hello", bcc = "carl@example.com", cc = "dora@example.com" } },
   { name = "text, refused", replies = { rcpt = { "550 5.1.1 unknown" } }, message = composed { text = "Hello" } },
   { name = "text, AUTH", capabilities = AUTH, options = auth, message = composed { text = "Hello" } },
   { name = "DKIM", message = composed { text = "Hello\n", dkim = { domain = "example.org", selector = "s",
      key = KEY } },
      normalize = true },
   { name = "DKIM of raw", normalize = true,
      message = raw(HEAD .. "Text\r\n", { dkim = { domain = "example.org", selector = "s", key = KEY } }) },
   { name = "many", options = { pipelining = "safe" }, messages = list_of(many_raw), settings = { connections = 1 } },
   { name = "many, eager", capabilities = ALL, options = { pipelining = "eager" },
      messages = list_of(many_raw), settings = { connections = 1 } },
   { name = "many, eager, one refused", capabilities = ALL, options = { pipelining = "eager" },
      replies = { rcpt = { "250 ok", "550 5.1.1 unknown", "250 ok" } },
      messages = list_of { many_raw[1], many_raw[2], many_raw[3] }, settings = { connections = 1 } },
   { name = "many, mixed", capabilities = ALL, options = { pipelining = "safe" }, settings = { connections = 1 },
      messages = function() return { many_raw[1], composed { text = "Hello" }(), { from = FROM, raw = "x" },
      many_raw[2] } end },
   { name = "many, AUTH", capabilities = AUTH, messages = list_of(many_raw), settings = { connections = 1 },
      options = with(auth, { pipelining = "eager" }) },
   { name = "LMTP", options = { protocol = "lmtp" }, message = raw(HEAD .. "Text\r\n") },
}
