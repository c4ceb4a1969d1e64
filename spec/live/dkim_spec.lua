-- Signatures by the judgement of others: dkimpy and opendkim, with the keys in a file instead of DNS.
local command = require "spec.tools.command"
local core = require "smtp.core"
local dkim = require "smtp.dkim"
local keys = require "spec.tools.dkim_keys"

local work = "build/live/dkim"

local function write(name, text)
   command.write(work .. "/" .. name, text)
   return work .. "/" .. name
end

-- For each message what each of the two says: selector → "pass" or "fail".
local function judge(messages)
   local paths, found = {}, {}
   for i, message in ipairs(messages) do
      -- As the server has it: DATA ends with a line end, and opendkim reads no file without one.
      if message:sub(-2) ~= "\r\n" then message = message .. "\r\n" end
      paths[i] = write(i .. ".eml", message)
      local said = command.run("spec/live/opendkim.sh -x " .. work .. "/opendkim.conf -vv -t " .. paths[i])
      assert(said:find(": verification", 1, true), "opendkim: " .. said)
      found[i] = { dkimpy = {}, opendkim = {} }
      for verdict, selector in said:gmatch("dkim=(%a+)[^\n]- header%.s=(%w+)") do
         found[i].opendkim[selector] = verdict == "pass" and "pass" or "fail"
      end
   end
   local said = command.run("/usr/bin/python3 -B spec/live/dkim_verify.py " .. work .. "/zone "
      .. table.concat(paths, " "))
   local i = 0
   for line in said:gmatch("[^\n]+") do
      i = i + 1
      for selector, verdict in line:gmatch("(%w+)=(%a+)") do
         assert(found[i], said).dkimpy[selector] = verdict
      end
   end
   assert(i == #messages, "dkimpy (the packages python3-dkim and python3-nacl): " .. said)
   return found
end

-- Verdicts on the four signers: the first letter is the key's, the others tell the canonicalizations.
local all = { rrr = "pass", rss = "pass", ers = "pass", esr = "pass" }
local none = { rrr = "fail", rss = "fail", ers = "fail", esr = "fail" }

local head = "From: Ann <ann@example.org>\r\nTo: bob@example.net\r\nSubject: signed\r\n"
   .. "Date: Tue, 24 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n"

local messages = {
   ["is plain"] = head .. "\r\nhello\r\n",
   ["has odd whitespace"] = "Subject: a  b \t\r\nFROM: ann@example.org\r\nto: bob@example.net\t \r\n"
      .. "\r\n \t a  b\t\tc \r\n\td\r\n \r\n e\r\n",
   ["has an empty body"] = head .. "\r\n",
   ["has no body"] = head,
   ["has a body of empty lines"] = head .. "\r\n\r\n\r\n\r\n",
   ["has a body of blank lines"] = head .. "\r\n \r\n\t\r\n  \t\r\n",
   ["ends with empty lines"] = head .. "\r\nhello\r\n\r\nyou\r\n\r\n\r\n\r\n",
   ["ends without a line end"] = head .. "\r\nhello\r\nyou",
   ["begins with empty lines"] = head .. "\r\n\r\n\r\nhello\r\n",
   ["has folded headers"] = "From: Ann\r\n <ann@example.org>\r\nTo: a@example.net,\r\n\tb@example.net,\r\n"
      .. "    c@example.net\r\nSubject: folded  and \r\n   again\r\n\r\nhello\r\n",
   ["has headers twice"] = "To: a@example.net\r\nSubject: one\r\n" .. head .. "Cc: c@example.net\r\n"
      .. "References: <1@a>\r\nSubject: three\r\nReferences: <2@a>\r\nTo: d@example.net\r\n\r\nhello\r\n",
   ["has 8-bit text"] = head .. "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
      .. "Content-Transfer-Encoding: 8bit\r\n\r\nGr\195\188\195\159e  \255\160 \133\r\n",
   ["has other headers"] = "Received: from a by b; Tue, 24 Nov 2026 12:00:00 +0000\r\nReturn-Path: <a@b.example>\r\n"
      .. head .. "X-Own: 1\r\nList-Id: <l.example.org>\r\nList-Unsubscribe: <https://example.org/u>\r\n"
      .. "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nAuto-Submitted: no\r\n\r\nhello\r\n",
   ["has dots"] = head .. "\r\n.\r\n..\r\n.hello\r\n",
   ["is long"] = head .. "\r\n" .. ("words  and words \r\n"):rep(20000) .. ("\r\n"):rep(3000)
      .. ("x"):rep(900) .. "\r\n",
   ["ends its lines with LF"] = (head .. "\r\nhello\r\n\r\n"):gsub("\r\n", "\n"),
}

-- What happens to a signed message on its way, and what is left of its signatures.
local function on_top(header)
   return function(message) return header .. "\r\n" .. message end
end

local function changed(this, to)
   return function(message)
      local at, last = message:find(this, 1, true)
      return message:sub(1, at - 1) .. to .. message:sub(last + 1)
   end
end

local fates = {
   { "a Received header", on_top "Received: from a by b; Tue, 24 Nov 2026 12:00:00 +0000", all },
   { "a header that is not signed", on_top "X-Spam: no", all },
   { "List-Id of a mailing list", on_top "List-Id: <l.example.net>", all },
   { "a second subject", on_top "Subject: buy", none },
   { "a second From", on_top "From: eve@example.com", none },
   { "a Reply-To", on_top "Reply-To: eve@example.com", none },
   { "another recipient", on_top "Cc: eve@example.com", none },
   { "another type", on_top "Content-Type: text/html", none },
   { "another author", changed("Ann <ann@", "Ann <eve@"), none },
   { "another subject", changed("Subject: signed", "Subject: Signed"), none },
   { "no date", changed("Date: Tue, 24 Nov 2026 12:00:00 +0000\r\n", ""), none },
   { "a word of the body changed", changed("hello", "hallo"), none },
   { "a line more", function(message) return message .. "P.S.\r\n" end, none },
   { "no body", changed("\r\n\r\nhello you\r\n", "\r\n\r\n"), none },
   { "whitespace in the body", changed("hello you\r\n", "hello \t you  \r\n"),
      { rrr = "pass", rss = "fail", ers = "fail", esr = "pass" } },
   { "whitespace in a header", changed("Subject: signed", "SUBJECT:\r\n\tsigned "),
      { rrr = "pass", rss = "fail", ers = "pass", esr = "fail" } },
   { "empty lines at the end", function(message) return message .. "\r\n\r\n" end, all },
}

-- What is signed, by whom, what becomes of it, and the verdicts.
local cases = {}

local function case(title, message, verdicts, more)
   local one = { title = title, message = message, verdicts = verdicts, by = "own" }
   for name, value in pairs(more or {}) do one[name] = value end
   cases[#cases + 1] = one
end

for what, message in pairs(messages) do
   case("all signatures hold of a message that " .. what, message, all)
end
-- opendkim's reader of files makes one space of what begins a value, and a simple signature covers it.
case("all signatures hold of a message with odd whitespace behind its colons", head
   .. "Cc:\r\n c@example.net\r\nReply-To:\t  a@example.org\r\nSender:a@example.org\r\nReferences:\r\n"
   .. "Auto-Submitted: \r\nIn-Reply-To:\r\n \r\n\r\nhello\r\n", all, { only = "dkimpy" })
case("the signatures hold that the specs know to the octet", keys.rfc.message,
   { brisbane = "pass", test = "pass" }, { by = "rfc" })
for _, fate in ipairs(fates) do
   case("a signed message gets on its way " .. fate[1], head .. "\r\nhello you\r\n", fate[3],
      { fate = fate[2] })
end


-- Signers with options of their own: some headers, all but some, an expiry, a domain outside ASCII.
local own_head = head .. "X-Own: 1\r\nX-Own: 2\r\n"

local function chosen(title, hhh, sss, xxx, fate)
   case("signatures over chosen headers hold or do not: " .. title, own_head .. "\r\nhello you\r\n",
      { hhh = hhh, sss = sss, xxx = xxx, idn = xxx }, { by = "options", clock = os.time, fate = fate })
end

chosen("nothing changes", "pass", "pass", "pass")
chosen("a provider replaces Message-ID and Date", "pass", "pass", "fail", function(message)
   return (message:gsub("Date: Tue, 24", "Date: Wed, 25"):gsub("<1@example", "<2@example"))
end)
chosen("Message-ID is removed", "pass", "pass", "fail", changed("Message-ID: <1@example.org>\r\n", ""))
chosen("a header is added that was signed once more than it occurs", "fail", "pass", "pass", on_top "X-Own: 3")
chosen("a header that is not signed changes", "fail", "pass", "pass", changed("X-Own: 1", "X-Own: 4"))
chosen("a Reply-To is added", "pass", "fail", "fail", on_top "Reply-To: eve@example.com")
chosen("a second From", "fail", "fail", "fail", on_top "From: eve@example.com")

describe("DKIM by the judgement of dkimpy and opendkim", function()
   local found

   setup(function()
      os.execute("mkdir -p " .. work)
      local key, rfc, signers = keys.make(), keys.rfc, {}
      local function record(name, kind)
         return ("v=DKIM1; k=%s; p=%s\n"):format(kind, core.base64(select(3, key(name))))
      end
      local zone = { rrr = record("rsa", "rsa"), rss = record("rsa1024", "rsa"),
         ers = record("ed25519", "ed25519"), esr = record("ed25519", "ed25519"), hhh = record("rsa", "rsa"),
         sss = record("ed25519", "ed25519"), xxx = record("rsa1024", "rsa") }
      local lines = {}
      for selector, text in pairs(zone) do
         lines[#lines + 1] = selector .. "._domainkey.example.org " .. text
      end
      lines[#lines + 1] = ("brisbane._domainkey.%s %s\n"):format(rfc.domain, rfc.brisbane)
      lines[#lines + 1] = ("test._domainkey.%s %s\n"):format(rfc.domain, rfc.test)
      lines[#lines + 1] = "idn._domainkey.xn--bcher-kva.example " .. record("ed25519", "ed25519")
      write("zone", table.concat(lines))
      write("opendkim.conf", "Mode v\nSyslog no\nMaximumSignaturesToVerify 9\nTestDNSData file:" .. work
         .. "/zone\n")
      signers.own = assert(dkim.check {
         { domain = "example.org", selector = "rrr", key = key "rsa" },
         { domain = "example.org", selector = "rss", key = key "rsa1024", canonicalization = "simple/simple" },
         { domain = "example.org", selector = "ers", key = key "ed25519", canonicalization = "relaxed/simple",
            identity = '"a; b"@mail.example.org' },
         { domain = "example.org", selector = "esr", key = key "ed25519", canonicalization = "simple/relaxed",
            identity = "@example.org" },
      })
      signers.rfc = assert(dkim.check {
         { domain = rfc.domain, selector = "brisbane", key = rfc.ed25519 },
         { domain = rfc.domain, selector = "test", key = rfc.rsa },
      })
      signers.options = assert(dkim.check {
         { domain = "example.org", selector = "hhh", key = key "rsa", headers = { "Subject", "To", "X-Own", "x-own" } },
         { domain = "example.org", selector = "sss", key = key "ed25519", skip = { "Message-ID", "Date" } },
         { domain = "example.org", selector = "xxx", key = key "rsa1024", expires = 3600 },
         { domain = "b\195\188cher.example", selector = "idn", key = key "ed25519",
            identity = "@B\195\188cher.example" },
      })
      local signed = {}
      for i, one in ipairs(cases) do
         signed[i] = assert(dkim.sign(one.message, signers[one.by],
            one.clock or function() return 1528637909 end))
         if one.fate then signed[i] = one.fate(signed[i]) end
      end
      found = judge(signed)
   end)

   for i, one in ipairs(cases) do
      it(one.title, function()
         for name, verdicts in pairs(found[i]) do
            if not one.only or one.only == name then assert.same({ name, one.verdicts }, { name, verdicts }) end
         end
      end)
   end
end)
