-- Parsers in Lua: mutations of texts that are right. None raises but an error object, and what is accepted means what
-- the rules of its format say. CASES=100000 SEED=2 make spec SPEC=spec/fuzz/parsers_spec.lua tries others.
local account_file = require "smtp.cli.account_file"
local address_parts = require "smtp.compose.address_parts"
local content_types = require "smtp.compose.content_types"
local core = require "smtp.core"
local dates = require "smtp.options.dates"
local dkim_keys = require "smtp.compose.dkim_keys"
local http_connect = require "smtp.runtime.http_connect"
local keys = require "spec.tools.dkim_keys"
local parameters = require "smtp.sink.parameters"
local proxy = require "smtp.options.proxy"
local random = require "spec.fuzz.random"
local reader = require "smtp.sink.reader"
local redis = require "smtp.outbox.redis"
local request = require "smtp.client.request"
local safe = require "smtp.safe"
local sendmail_message = require "smtp.cli.sendmail_message"
local sink_session = require "smtp.sink.session"
local socks = require "smtp.runtime.socks"
local staged = require "spec.tools.staged"
local tally = require "spec.tools.tally"
local values = require "spec.fuzz.values"
local words = require "smtp.sink.words"

local PASSWORD = "sesame-fuzz-parser"

-- What a format has: its marks, and hostile texts.
local marks = { "\r\n", "\n", "\0", " ", "\t", ":", ";", "/", "@", "[", "]", "%", "%0a", "%zz", "?", "#", "..", "=?",
   "?=",
   "\"", "\\", "(", ")", "<", ">", "\255", "\195\182", "{", "}", "99999999999999999999", "-", "+", "=", "--", "\r",
      "," }

local function is_one_line(text)
   return type(text) == "string" and not text:find("[%z\1-\31\127]")
end

-- -> what fn returned | nil: an error object was raised. It does not show the password that is in the text.
local function attempt(text, fn, ...)
   local ok, result, more = pcall(fn, ...)
   if ok then return result, more end
   if not safe.is_error(result) then error("it raised: " .. tostring(result), 0) end
   local line = tostring(result)
   if not is_one_line(line) then error(("not one line: %q"):format(line), 0) end
   if line:find(PASSWORD, 1, true) and text:find(":" .. PASSWORD .. "@", 1, true) then
      error("a secret is in: " .. line, 0)
   end
end

local function must(condition, ...)
   if not condition then error(("this does not hold: %s"):format(table.concat({ ... }, " ")), 0) end
end

-- ---- dialogues with proxies: in any pieces they end in the same way ----

local function feed(dialogue, data, size)
   local rest, outputs = "", {}
   for at = 1, #data, size do
      rest = rest .. data:sub(at, at + size - 1)
      while rest ~= "" and not dialogue.is_open do
         if dialogue.output then outputs[#outputs + 1], dialogue.output = dialogue.output, nil end
         local count, wrong = dialogue:read(rest)
         if not count then return "wrong " .. wrong.reason, table.concat(outputs) end
         must(count >= 0 and count <= #rest, "a dialogue reads what there is")
         if count == 0 then break end
         rest = rest:sub(count + 1)
      end
   end
   return dialogue.is_open and "open " .. rest or "waits", table.concat(outputs)
end

local function in_any_pieces(new)
   return function(text, r)
      local whole, said = feed(new(), text, #text + 1)
      local again, said_again = feed(new(), text, r:int(3))
      if whole:find "^open" then -- what follows is the server's; of pieces the last may be missing
         must(again == whole, whole, again)
      else
         must(again == whole or again:find "^wrong" and whole:find "^wrong", whole, again)
      end
      must(said == said_again or not whole:find "^open", "what was said differs")
   end
end

local login = { scheme = "socks5", username = "ann", password = PASSWORD }

-- ---- what clients say to the sink: in any pieces it answers the same ----

local CLIENT = "EHLO me.example\r\nMAIL FROM:<a@b.example> SIZE=10 BODY=8BITMIME\r\n"
   .. "RCPT TO:<c@d.example> NOTIFY=NEVER\r\n"

local function answered(text, size)
   local sink = assert(safe.sink { auth = { users = { ann = PASSWORD } } })
   local session, said = sink_session.new(sink), {}
   session:greet()
   said[1] = session:receive ""
   for at = 1, #text, size do said[#said + 1] = session:receive(text:sub(at, at + size - 1)) end
   local messages = {}
   for i, message in ipairs(sink.messages) do messages[i] = message.data end
   return table.concat(said), table.concat(messages, "|")
end

local function in_any_words(text, r)
   local said, taken = answered(text, #text + 1)
   local said_again, taken_again = answered(text, r:int(5))
   must(said == said_again and taken == taken_again, said, said_again)
   must(not said:find "[^\r]\n" and not said:find "[%z\1-\8\11\12\14-\31\127]", "replies are lines:", said)
   must(not said:find(PASSWORD, 1, true), "a secret is in a reply")
end

-- ---- servers whose replies are mutated ----

local stages = { "greeting", "EHLO", "MAIL", "RCPT", "DATA", "END", "QUIT", "AUTH" }

local function reply_to(text, r)
   local stage = r:pick(stages)
   local receipt, err = staged.send { server = { [stage] = text:gsub("\r\n", "\n") }, options = {
      tls = "skip", auth_plaintext = true, timeout = 2, reply_timeout = 1 } }
   if receipt then return end
   must(safe.is_error(err) and not safe.is_error(err, "usage"), stage, tostring(err))
   must(is_one_line(tostring(err)), "one line:", tostring(err))
   must(err.text == nil or core.is_utf8(err.text), "the words of a server are UTF-8")
   must(not tostring(err):find("sesame-staged", 1, true), "a secret is in the error")
end

-- ---- the parsers ----

local function accepted_url(text)
   local server = attempt(text, request.connection, { url = text })
   if not server then return end
   must(server.socket or is_one_line(server.host), "a host is one line:", text)
   must(server.socket or server.host ~= "" and not server.host:find "[@/ ]", "a host is a name:", text)
   must(server.port == nil or server.port >= 1 and server.port <= 65535, "a port:", text)
end

local MESSAGE = "From: =?utf-8?q?Ann_=C3=96?= <ann@example.org>\r\nTo: bob@example.net, \"x\" <c@d.example>\r\n"
   .. "Subject: =?iso-8859-1?B?SGVsbG8=?=\r\n folded\r\nBcc: eve@example.org\r\n"
   .. "Content-Type: multipart/mixed; boundary=\"b 1\"\r\n\r\nx\r\n--b 1\r\nContent-Type: text/plain; charset=utf-8\r\n"
   .. "Content-Transfer-Encoding: quoted-printable\r\n\r\na=\r\nb=C3=96\r\n--b 1\r\n"
   .. "Content-Disposition: attachment; filename*0*=utf-8''%C3%96; filename*1=x\r\n"
   .. "Content-Transfer-Encoding: base64\r\n\r\nSGVsbG8=\r\n--b 1--\r\n"

local parsers = {
   { "url", { "smtp://ann:" .. PASSWORD .. "@mail.example.org:587", "smtps://[::1]:465/", "lmtp+unix:/run/x",
      "lmtp://mail.example.org" }, accepted_url },
   { "proxy", { "socks5://ann:" .. PASSWORD .. "@proxy.example:1080", "http://[2001:db8::1]:3128" }, function(text)
      local read = attempt(text, proxy.read, text)
      if not read then return end
      must(is_one_line(read.host) and read.port >= 1 and read.port <= 65535, "a place:", text)
      must(not read.username or not read.url:find(PASSWORD, 1, true), "the URL without the login")
   end },
   { "SOCKS", { "\5\2\1\0\5\0\0\1\1\2\3\4\0\25220 hi\r\n", "\5\0\5\0\0\3\4abcd\0\25", "\5\255", "\5\2\1\1",
      "\5\0\5\5\0\1\0\0\0\0\0\0", "\5\0\5\0\0\4" .. ("\1"):rep(18) }, in_any_pieces(function()
         return socks.new(login, "mx.example", 25)
      end) },
   { "HTTP proxy", { "HTTP/1.1 200 ok\r\nA: b\r\n\r\n220 hi\r\n",
      "HTTP/1.0 407 no\r\nProxy-Authenticate: Basic\r\n\r\n",
      "HTTP/1.1 100 wait\r\n\r\nHTTP/1.1 200 ok\n\n220" }, in_any_pieces(function()
         return http_connect.new(login, "mx.example", 25)
      end) },
   { "date", { "Tue, 24 Nov 2026 12:00:00 +0100", "24 Nov 2026 12:00 GMT (x)", "2026-11-24T12:00:00.5Z",
      "2026-11-24T12:00:00+01:00" }, function(text)
         local header, what, hint = dates.header(text)
         if header then
            must(header:find "^%a%a%a, %d%d? %a%a%a %d%d%d%d %d%d:%d%d:%d%d [%u+-][%u%d]*", "a date:", header)
            must(not header:find "[%z\1-\8\11-\31\127]", "a date is text:", header)
         else
            must(what == nil or hint == nil or is_one_line(hint), "a hint")
         end
         local parameter = dates.parameter(text)
         must(not parameter or parameter:find "^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ$", "a parameter:",
            tostring(parameter))
      end },
   { "content type", { "text/plain; charset=utf-8", 'application/x; name="a b"; x=y', "image/png" }, function(text)
      local list = attempt(text, content_types.read, text, "a.txt", "body", "content_type")
      for i = 1, list and #list or 0 do must(is_one_line(list[i]), "a type is one line:", list[i]) end
   end },
   { "parameters", { 'attachment; filename="a b"', "x; a*0*=utf-8''%41; a*1=b; a*2*=%zz", "text/plain (x); a=b" },
      function(text)
         local word, list = parameters.read(text)
         must(type(word) == "string" and type(list) == "table", "a word and values")
         for _, value in pairs(list) do must(type(value) == "string", "a value") end
      end },
   { "encoded words", { "=?utf-8?q?a_=C3=96?= =?utf-8?b?w5Y=?= x", "=?iso-8859-1*de?Q?=D6?=", "=?x?y?z?=" },
      function(text)
      local decoded = words.decode(text)
      must(#decoded <= 3 * #text, "no more than three bytes for one")
      if core.is_utf8(text) and not text:find("=?", 1, true) then must(decoded == text, "text stays as it is") end
   end },
   { "message", { MESSAGE }, function(text)
      local message, len = reader.read(text), 0
      for _, part in ipairs(message.parts) do len = len + #(part.content or part.data or "") end
      must(#message.parts <= #text + 1 and len <= 3 * #text + 3, "parts are of the message")
   end },
   { "sendmail", { MESSAGE, "To: a@example.org (x), Friends: b@example.org;\nResent-To: c@example.org\n\n.\n" },
      function(text, r)
      local message = attempt(text, sendmail_message.read, text, r:once_in(2))
      if not message then return end
      for _, name in ipairs { "recipients", "sender", "author" } do attempt(text, message[name], message) end
      local whole = attempt(text, message.text, message)
      must(not whole or not whole:find "\r[^\n]" and not whole:find "[^\r]\n", "line ends")
   end },
   { "addresses", { '"Ann, B." <a@b.example>, x@y.example (c), G: z@example.org;', "<a@b>" }, function(text)
      local parts, last = {}, 0
      address_parts.each(text, function(part, _, stop)
         must(stop > last, "parts go on")
         parts[#parts + 1], last = part, stop
      end)
      must(table.concat(parts) == text, "the parts are the text")
   end },
   { "key", { keys.rfc.ed25519 }, function(text)
      attempt(text, dkim_keys.get, text, "dkim.key", require "smtp.crypto")
   end },
   { "commands", { CLIENT .. "DATA\r\nSubject: x\r\n\r\n..dot\r\n.\r\nQUIT\r\n",
      CLIENT .. "BDAT 3\r\nabcBDAT 4 LAST\r\nde\r\nRSET\r\nNOOP\r\n",
      "HELO x\r\nVRFY a\r\nHELP\r\nEHLO [127.0.0.1]\r\nAUTH LOGIN\r\nYW5u\r\n*\r\nAUTH PLAIN AGFubgB4\r\n"
      .. "STARTTLS\r\nx" },
      in_any_words },
   { "reply", { "250 2.1.0 ok", "250-a\r\n250 b", "550-5.1.1 <x>: no\n550 5.1.1 see https://x.example/",
      "421 4.7.0 bye\nCLOSE",
      "334 AAAA", "220 hi", "354 go", "250-mx\n250-AUTH PLAIN\n250-SIZE 99999999999\n250 LIMITS RCPTMAX=0" },
         reply_to, 4 },
}

describe("parsers of Lua", function()
   local seed, count = random.run(300)

   for _, row in ipairs(parsers) do
      it("read " .. row[1], function()
         local r = random.new(seed)
         for _, text in ipairs(row[2]) do row[3](text, r) end
         for number = 1, math.ceil(count / (row[4] or 1)) do
            local text = r:once_in(10) and values.text(r) or r:mutated(r:pick(row[2]), marks)
            local ok, why = pcall(row[3], text, r)
            if not ok then error(("SEED=%d, case %d: %s\nof %q"):format(seed, number, tostring(why), text), 0) end
         end
         tally.add(count)
      end)
   end

   -- Its replies are values of any type: what a client of the caller's makes of what arrives.
   it("read what a client of Redis returns", function()
      local r = random.new(seed)
      for number = 1, count do
         local store = assert(redis.new { prefix = "mail", on_warning = function() end, connect = function()
            return { eval = function() return values.any(r, r:int(3) - 1) end, close = function() end }
         end })
         local box = assert(safe.outbox { store = store, server = { host = "mx.example", tls = "skip" } })
         local calls = { function() return box:list() end, function() return box:get "id" end,
            function() return box:stats() end, function() return box:cancel "id" end,
            function() return box:retry "id" end, function() return box:resolve("id", "sent") end,
            function()
               return box:put { from = "ann@example.org", to = "bob@example.net", text = "Hi\n" }
            end }
         local what = r:int(#calls)
         local ok, result, err = pcall(calls[what])
         if not ok then error(("SEED=%d, case %d, call %d: %s"):format(seed, number, what, tostring(result)), 0) end
         if result == nil and err ~= nil then must(safe.is_error(err), "an error object") end
      end
      tally.add(count)
   end)

   -- The file is a program: it is stopped, and changes nothing of this one.
   if not package.loaded.ngx then
      it("read the file of accounts", function()
         local r, path = random.new(seed), os.tmpname()
         local right = 'return { accounts = { work = { host = "mx.example", username = "ann", list = { "a" } } } }'
         local pieces = { "while true do end ", "x = 1 ", "string.rep ", '("x"):rep(1e9) ', "function() end", "nil",
            "{", "}",
            "\27Lua", "error() ", "coroutine.yield() ", "_G", "..", "[[", "--", "setmetatable", "\0", "return", "," }
         for number = 1, math.ceil(count / 4) do
            local file = io.open(path, "wb")
            file:write(r:mutated(right, pieces))
            file:close()
            local ok, why = pcall(attempt, "", account_file.read, path)
            if not ok then error(("SEED=%d, case %d: %s"):format(seed, number, tostring(why)), 0) end
            must(("x"):rep(2) == "xx" and rawget(_G, "x") == nil, "this program is as it was")
         end
         os.remove(path)
         tally.add(math.ceil(count / 4))
      end)
   end
end)
