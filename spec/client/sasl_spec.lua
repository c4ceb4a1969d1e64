-- smtp.sasl: SCRAM against servers of every honesty, and what is done where a library is missing.
local core = require "smtp.core"
local crypto = require "smtp.crypto"
local octets = require "spec.tools.octets"
local peer = require "spec.tools.peer"
local safe = require "smtp.safe"
local sasl = require "smtp.client.sasl"
local talk = require "spec.tools.talk"

local PASSWORD = "sesame-scram"
local PLAIN = core.base64("\0ann\0" .. PASSWORD)
local SALT = "QSXCR+Q6sek8bf92"

-- ---- a server that knows SCRAM, as a transport ----

local hashes = { ["SCRAM-SHA-1"] = "SHA1", ["SCRAM-SHA-256"] = "SHA256", ["SCRAM-SHA-512"] = "SHA512" }

local Server = {}
Server.__index = Server

function Server:say(text) self.out = self.out .. text .. "\r\n" end

-- Takes the client's first message, and sets all that follows from it.
function Server:begin(message)
   self.hash = hashes[(self.name:gsub("%-PLUS$", ""))]
   self.header, self.bare = message:match("^([nyp][^,]*,[^,]*,)(.*)$")
   self.nonce = self.bare:match(",r=([^,]+)$")
   self.both = self.nonce .. "%there"
   self.first = ("r=%s,s=%s,i=%d"):format(self.both, SALT, self.iterations)
end

-- Takes the client's last message: was its proof right? RFC 5802 3.
function Server:verify(message)
   local hash, without, proof = self.hash, (message or ""):match("^(.*),p=([^,]*)$")
   if not without then return false end
   local salted = crypto.pbkdf2(hash, self.password, core.base64_decode(SALT), self.iterations)
   local signed = self.bare .. "," .. self.first .. "," .. without
   local key = crypto.hmac(hash, salted, "Client Key")
   local signature = crypto.hmac(hash, crypto.digest(hash, key), signed)
   self.signature = "v=" .. core.base64(crypto.hmac(hash, crypto.hmac(hash, salted, "Server Key"),
      signed))
   return proof == core.base64(octets.xor(key, signature))
      and without == "c=" .. core.base64(self.header .. (self.header:find("^p") and self.binding or ""))
      .. ",r=" .. self.both
end

-- In an exchange: what comes next of `says`, a list of replies or of functions that return them.
function Server:exchange(line)
   if line == "*" then
      self.exchanging = false
      return self:say(self.cancelled or "501 5.7.0 cancelled")
   end
   self.turn = self.turn + 1
   if self.turn == 1 then self:begin(core.base64_decode(line)) end
   if self.turn == 2 then self.proved = self:verify(core.base64_decode(line)) end
   local reply = self.says[self.turn] or "421 4.7.0 nothing more to say"
   if type(reply) == "function" then reply = reply(self) end
   self.exchanging = reply:find("^334") ~= nil
   self:say(reply)
end

local commands = {
   EHLO = function(self) self:say("250-mx\r\n250 AUTH " .. self.offers) end,
   MAIL = function(self) self:say("250 ok") end,
   RCPT = function(self) self:say("250 ok") end,
   DATA = function(self)
      self.taking = true
      self:say("354 go on")
   end,
   QUIT = function(self) self:say("221 bye") end,
}

function commands:AUTH(line)
   local name, initial = line:match("^AUTH (%S+) ?(.*)$")
   if name == "PLAIN" then return self:say("235 ok") end
   if initial ~= "" and self.no_initial then return self:say("500 5.5.6 line too long") end
   self.exchanging, self.turn, self.name = true, 0, name
   if initial == "" then return self:say("334 ") end
   self:exchange(initial)
end

function Server:line(line)
   if self.taking then
      self.taking = line ~= "."
      if not self.taking then self:say("250 taken") end
      return
   end
   self.said[#self.said + 1] = line
   if self.exchanging then return self:exchange(line) end
   commands[line:match("^%a+")](self, line)
end

-- What smtp.drive asks of a transport.
function Server.settimeouts() end
function Server.connect() return true end
function Server.sslhandshake() return true end
function Server:close() self.closed = true end

function Server:send(bytes)
   self.heard = self.heard .. bytes
   while true do
      local line, rest = self.heard:match("^(.-)\r\n(.*)$")
      if not line then return #bytes end
      self.heard = rest
      self:line(line)
   end
end

function Server:receiveany(max)
   if self.out == "" then return nil, "closed" end
   local count = math.min(max, self.piece)
   local data = self.out:sub(1, count)
   self.out = self.out:sub(count + 1)
   return data
end

local function coded(text) return "334 " .. core.base64(text) end
local function first(self) return coded(self.first) end
local function final(self) return coded(self.signature) end

local function serve(given, piece)
   local self = setmetatable({ out = "220 hi\r\n", heard = "", said = {}, duplex = true, piece = piece,
      offers = "SCRAM-SHA-256 PLAIN", password = PASSWORD, iterations = 4096,
      says = { first, final, "235 2.7.0 ok" } }, Server)
   for key, value in pairs(given or {}) do self[key] = value end
   return self
end

-- Sends a message to such a server, which says all at once, and again octet by octet.
-- -> receipt, err, server
local function send(given, options)
   local receipt, err, server, before
   for _, piece in ipairs { 65536, 1 } do
      server = serve(given, piece)
      local all = { username = "ann", password = PASSWORD, auth_plaintext = true }
      for key, value in pairs(options or {}) do all[key] = value end
      receipt, err = safe.send(talk.options(all, server))
      assert(server.closed, tostring(err))
      local now = { receipt and receipt.auth.mechanism, err and err.kind, err and err.reason,
         server.said[#server.said] }
      if before then assert.same(before, now) end
      before = now
   end
   return receipt, err, server
end

local function lines_with(server, word)
   local count = 0
   for i = 1, #server.said do
      if server.said[i]:find("^" .. word) then count = count + 1 end
   end
   return count
end

-- No success, no other mechanism after it, and the session ends in order.
local function assert_refused(server, err, reason)
   assert.truthy(err, "it was sent")
   assert.equal("auth_rejected", err.kind)
   assert.equal(reason, err.reason)
   assert.equal("auth", err.stage)
   assert.equal("no", err.sent)
   assert.equal(0, lines_with(server, "MAIL"))
   assert.equal(1, lines_with(server, "AUTH"))
   assert.equal("QUIT", server.said[#server.said])
   assert.is_nil(table.concat(server.said, "\n"):find(PLAIN, 1, true))
end

local function wrong(self)
   return (self.signature:gsub("^v=(.)", function(c) return "v=" .. (c == "A" and "B" or "A") end))
end

describe("SCRAM", function()
   for _, name in ipairs { "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512" } do
      it("authenticates both sides as " .. name, function()
         local receipt, err, server = send { offers = name }
         assert(receipt, tostring(err))
         assert.is_true(server.proved)
         assert.equal("authenticated", receipt.auth.state)
         assert.equal(name, receipt.auth.mechanism)
         assert.equal("", server.said[4]) -- the empty answer to v=…
      end)
   end

   it("believes a signature that rides on 235, against RFC 4954 4", function()
      for _, says in ipairs {
         { first, function(self) return "235 " .. core.base64(self.signature) end },
         { first, function(self) return "235 2.7.0 " .. core.base64(self.signature) end },
      } do
         local receipt, err, server = send { says = says }
         assert(receipt, tostring(err))
         assert.is_true(server.proved)
         assert.equal("SCRAM-SHA-256", receipt.auth.mechanism)
      end
   end)

   it("whose initial response is too long, gives it to an empty challenge", function()
      local receipt, err, server = send { no_initial = true }
      assert(receipt, tostring(err))
      assert.is_true(server.proved)
      assert.equal("AUTH SCRAM-SHA-256", server.said[3])
   end)

   it("never says the same nonce twice", function()
      local seen = {}
      for _ = 1, 5 do
         local _, _, server = send { says = { "535 no" } }
         assert.truthy(server.nonce:find("^[A-Za-z0-9+/]+$"))
         assert.equal(24, #server.nonce)
         assert.is_nil(seen[server.nonce])
         seen[server.nonce] = true
      end
   end)

   it("is refused by a server that has another password", function()
      local _, err, server = send { password = "other", says = { first, "535 5.7.8 no" } }
      assert.is_false(server.proved)
      assert_refused(server, err, "rejected")
   end)

   for _, policy in ipairs { "require", "prefer" } do
      for _, row in ipairs {
         { "a wrong signature", { first, function(self) return coded(wrong(self)) end },
            "server_not_authentic", "*" },
         { "a signature with another password", password = "other", { first, final, "235 ok" },
            "server_not_authentic", "*" },
         { "an empty signature", { first, coded "v=" }, "server_not_authentic", "*" },
         { "a signature and something else", { first, function(self)
            return coded(self.signature .. ",e=other-error") end }, "protocol", "*" },
         { "nothing where the signature belongs", { first, "334 " }, "protocol", "*" },
         { "words instead of base64", { first, "334 go on please" }, "protocol", "*" },
         { "235 before any message of its own", { "235 2.7.0 Authentication successful" },
            "server_not_authentic" },
         { "235 alone, before any message of its own", { "235" }, "server_not_authentic" },
         { "235 with a signature of nothing", { "235 2.7.0 " .. core.base64("v=" .. ("A"):rep(44)) },
            "server_not_authentic" },
         { "235 instead of its signature", { first, "235 2.7.0 Authentication successful" },
            "server_not_authentic" },
         { "235 and a word that happens to be base64", { first, "235 2.7.0 Accepted" },
            "server_not_authentic" },
         { "235 with a wrong signature", { first, function(self)
            return "235 " .. core.base64(wrong(self)) end }, "server_not_authentic" },
         { "235 with an error", { first, "235 " .. core.base64("e=invalid-proof") },
            "server_not_authentic" },
         { "235 after an error", { first, coded "e=invalid-proof", "235 ok" },
            "server_not_authentic" },
         { "235 with the signature after an error", { first, coded "e=invalid-proof", function(self)
            return "235 " .. core.base64(self.signature) end }, "server_not_authentic" },
         { "the signature after an error", { first, coded "e=invalid-proof", final }, "protocol", "*" },
         { "an error, and a refusal", { first, coded "e=invalid-proof", "535 5.7.8 no" }, "rejected" },
         { "its signature, and a refusal", { first, final, "535 5.7.8 no" }, "rejected" },
         { "its signature twice", { first, final, final }, "protocol", "*" },
         { "its signature first", { coded "v=" }, "protocol", "*" },
         { "its first message twice", { first, first }, "protocol", "*" },
         { "our own first message", { function(self) return coded(self.header .. self.bare) end },
            "protocol", "*" },
         { "our own nonce", { function(self)
            return coded(("r=%s,s=%s,i=4096"):format(self.nonce, SALT)) end }, "protocol", "*" },
         { "another nonce", { coded("r=there,s=" .. SALT .. ",i=4096") }, "protocol", "*" },
         { "one iteration", { first }, "iterations", "*", iterations = 1 },
         { "too few iterations", { first }, "iterations", "*", iterations = 4095 },
         { "too many iterations", { first }, "iterations", "*", iterations = 200001 },
         { "iterations for an hour", { first }, "iterations", "*", iterations = 2147483647 },
         { "a wrong signature, and 235 to our refusal", { first, function(self)
            return coded(wrong(self)) end }, "server_not_authentic", "*", cancelled = "235 2.7.0 ok" },
         { "its signature twice, and 235 to our refusal", { first, final, final }, "protocol", "*",
            cancelled = "235 2.7.0 ok" },
         { "another nonce, and 235 to our refusal", { coded("r=there,s=QQ==,i=4096") }, "protocol", "*",
            cancelled = "235 2.7.0 ok" },
         { "another nonce, and 334 to our refusal", { coded("r=there,s=QQ==,i=4096") }, "protocol", "*",
            cancelled = "334 " },
      } do
         it("told " .. row[1] .. " ends, under " .. policy, function()
            local _, err, server = send({ says = row[2], password = row.password or PASSWORD,
               iterations = row.iterations or 4096, cancelled = row.cancelled }, { auth = policy })
            assert_refused(server, err, row[3])
            assert.equal(row[4] == "*" and 1 or 0, lines_with(server, "%*$"))
         end)
      end
   end

   it("takes what scram_iterations allows", function()
      local _, err = send({ iterations = 16 }, { scram_iterations = { 16, 16 } })
      assert.is_nil(err)
      for _, count in ipairs { 15, 17 } do
         local _, refusal, server = send({ iterations = count }, { scram_iterations = { 16, 16 } })
         assert_refused(server, refusal, "iterations")
      end
   end)

   it("says whose fault it was", function()
      local _, err = send { says = { first, function(self) return coded(wrong(self)) end } }
      assert.truthy(tostring(err):find("could not prove that it knows the password", 1, true))
      assert.is_nil(tostring(err):find(PASSWORD, 1, true))
   end)
end)

describe("SCRAM inside TLS", function()
   local binding = ("\200k"):rep(16)

   local function bound(given)
      given.secure, given.binding = true, binding
      given.channel_binding = function() return "tls-exporter", binding end
      return given
   end

   it("binds to the channel where both can (RFC 5802 6)", function()
      local receipt, err, server = send(bound { offers = "SCRAM-SHA-256 SCRAM-SHA-256-PLUS PLAIN" })
      assert(receipt, tostring(err))
      assert.equal("p=tls-exporter,,", server.header)
      assert.is_true(server.proved)
      assert.equal("SCRAM-SHA-256-PLUS", receipt.auth.mechanism)
   end)

   it("says that it could have, where the server seems not to", function()
      local receipt, err, server = send(bound { offers = "SCRAM-SHA-256 PLAIN" })
      assert(receipt, tostring(err))
      assert.equal("y,,", server.header)
      assert.is_true(server.proved)
   end)

   it("says that it cannot, where the transport cannot", function()
      local receipt, err, server = send { secure = true, offers = "SCRAM-SHA-256-PLUS SCRAM-SHA-256" }
      assert(receipt, tostring(err))
      assert.equal("n,,", server.header)
      assert.equal("SCRAM-SHA-256", receipt.auth.mechanism)
   end)

   it("refused with the -PLUS it offers, tries nothing less", function()
      local receipt, err, server = send(bound { offers = "SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN",
         says = { "504 5.5.4 unknown" } })
      assert.is_nil(receipt)
      assert.equal("no_common_mechanism", err.reason)
      assert.equal(1, lines_with(server, "AUTH"))
      assert.equal(0, lines_with(server, "MAIL"))
   end)

   it("is refused by a server at the end of another channel, and tries nothing less", function()
      local given = bound { offers = "SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN", says = { first,
         function(self) return self.proved and "235 ok" or "535 no" end } }
      given.binding = ("x"):rep(32) -- what the server sees, and we do not
      local _, err, server = send(given)
      assert.is_false(server.proved)
      assert_refused(server, err, "rejected")
   end)
end)

-- Mechanisms by themselves, without a session.
describe("A mechanism of smtp.sasl", function()
   local function start(name, more)
      local info = { username = "ann", password = PASSWORD, nonce = "ours", iterations = { 4096, 9000 } }
      for key, value in pairs(more or {}) do info[key] = value end
      local exchange = sasl.exchange(sasl.mechanisms[name])
      return exchange, exchange:start(info)
   end

   local lengths = { ["1"] = 20, ["256"] = 32, ["512"] = 64 } -- octets of the hash

   for name, mechanism in pairs(sasl.mechanisms) do
      local kind, plus = name:match("^SCRAM%-SHA%-(%d+)(.*)$")
      if kind then
         it("proves with the hash of its name, and binds where its name says so: " .. name, function()
            local exchange, opening = start(name, { binding = "channel", binding_type = "tls-exporter" })
            local header = plus == "-PLUS" and "p=tls-exporter,," or "y,,"
            assert.equal(header .. "n=ann,r=ours", opening)
            local last, why
            repeat last, why = exchange:step("r=oursand-theirs,s=" .. SALT .. ",i=4096")
            until why ~= "again"
            local bound, proof = last:match("^c=([^,]+),r=oursand%-theirs,p=(.*)$")
            assert.equal(core.base64(header .. (plus == "-PLUS" and "channel" or "")), bound)
            assert.equal(lengths[kind], #core.base64_decode(proof))
            assert.is_nil(rawget(mechanism, "exchange"))
         end)
      end
   end

   it("takes names of 1,024 octets, and none that is longer", function()
      local longest = ("x"):rep(1024)
      local _, opening = start("SCRAM-SHA-256", { username = longest, authzid = longest })
      assert.equal("n,a=" .. longest .. ",n=" .. longest .. ",r=ours", opening)
      for _, option in ipairs { "username", "authzid" } do
         local _, none, why = start("SCRAM-SHA-256", { [option] = longest .. "x" })
         assert.is_false(none)
         assert.matches("1,024 bytes", why)
      end
   end)

   it("drops out where a text is not UTF-8, or nothing is left of it, and says of which", function()
      for _, option in ipairs { "username", "password", "authzid" } do
         for text, reason in pairs { ["p\228ss"] = "it is not UTF%-8", ["\194\173"] = "saslprep" } do
            local _, none, why = start("SCRAM-SHA-256", { [option] = text })
            assert.is_false(none)
            assert.matches("^" .. option .. ": " .. reason, why)
         end
      end
   end)

   it("prepares the identity to act as", function()
      local _, opening = start("SCRAM-SHA-256", { authzid = "\226\133\168" })
      assert.equal("n,a=IX,n=ann,r=ours", opening)
   end)

   it("drops out where libcrypto has no such hash, and says why it cannot answer", function()
      local real, nothing = package.loaded["smtp.crypto"], function() return nil, "no memory" end
      package.loaded["smtp.crypto"] = { name_max = 1024, hmac = nothing, scram = nothing,
         saslprep = function(text) return text ~= "sesame" and text or nil, text == "sesame" and "crypto" or nil end }
      local results = {}
      for _, case in ipairs { { "SCRAM-SHA-512" }, { "CRAM-MD5" }, { "SCRAM-SHA-1", "sesame" } } do
         local _, none, why = start(case[1], { password = case[2] })
         results[#results + 1] = tostring(none) .. " " .. why
      end
      local answer, why = sasl.mechanisms["CRAM-MD5"].step({ crypto = { hmac = nothing }, info = {} }, "x")
      package.loaded["smtp.crypto"] = real
      assert.same({ "false libcrypto would not do SHA512", "false libcrypto has no MD5 here",
         "false password: no memory" }, results)
      assert.same({ nil, "no memory" }, { answer, why })
   end)

   it("of CRAM-MD5 answers a challenge, says that this is all, and why it cannot", function()
      local exchange = start("CRAM-MD5")
      local answer, enough = exchange:step("<1@there.example>")
      assert.equal("ann " .. octets.hex(crypto.hmac("MD5", PASSWORD, "<1@there.example>")), answer)
      assert.is_true(enough)
      answer, enough = exchange:step("")
      assert.same({ nil, "protocol" }, { answer, enough })
   end)
end)

describe("SASLprep", function()
   for _, row in ipairs {
      { "p\195\164ss", "p\195\164ss", "a letter outside ASCII" },
      { "pa\204\136ss", "p\195\164ss", "a letter of two code points" },
      { "p\194\173\195\164ss", "p\195\164ss", "a soft hyphen" },
      { "\226\133\168 p\194\170ss", "IX pass", "what has an ASCII form" },
   } do
      it("prepares a password for SCRAM: " .. row[3], function()
         local receipt, err, server = send({ password = row[2] }, { password = row[1] })
         assert(receipt, tostring(err))
         assert.is_true(server.proved)
         assert.equal("SCRAM-SHA-256", receipt.auth.mechanism)
      end)
   end

   it("prepares the user name for SCRAM, before it is escaped", function()
      local _, err, server = send({}, { username = "\226\133\168=\239\188\140" })
      assert.is_nil(err)
      assert.equal("n=IX=3D=2C,r=" .. server.nonce, server.bare)
   end)

   for _, what in ipairs { "password", "username" } do
      local text = "p\195\164\226\128\171ss" -- U+202B: RFC 3454 C.8

      it(("takes SCRAM out for a %s that it forbids, and PLAIN has it as it is"):format(what), function()
         local options = { [what] = text }
         local receipt, err, server = send({}, options)
         assert(receipt, tostring(err))
         assert.equal("PLAIN", receipt.auth.mechanism)
         assert.equal("AUTH PLAIN " .. core.base64("\0" .. (options.username or "ann") .. "\0"
            .. (options.password or PASSWORD)), server.said[2])
         receipt, err = send({ offers = "SCRAM-SHA-256" }, options)
         assert.is_nil(receipt)
         assert.equal("auth_unsupported", err.kind)
         assert.equal("no_common_mechanism", err.reason)
         assert.equal(what .. ": saslprep:", err.mechanisms["SCRAM-SHA-256"]:match("^%S+ %S+"))
         assert.truthy(tostring(err):find("saslprep", 1, true))
      end)
   end
end)

describe("without random bytes", function()
   it("there is no nonce, and nothing more is said", function()
      local random = core.random
      core.random = function() return nil end
      local ok, why = pcall(function()
         for _, policy in ipairs { "require", "prefer" } do
            local _, err, server = send({}, { auth = policy })
            assert.equal("system", err.kind)
            assert.equal("random", err.reason)
            assert.equal("no", err.sent)
            for i = 2, #server.said do assert.equal("QUIT", server.said[i]) end
         end
      end)
      core.random = random
      assert(ok, why)
   end)
end)

-- ---- what is missing in a process of its own ----

-- Reads its own OpenSSL as 1.1.1, as in a process that brings another than the one we were built for.
local OTHER_OPENSSL = [[
unsigned long OpenSSL_version_num(void);
unsigned long OpenSSL_version_num(void) { return 0x1010117fL; }
]]

local NO_LIBIDN = [[
#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>
void *dlopen(const char *name, int flags)
{
    void *(*next)(const char *, int);
    void *symbol = dlsym(RTLD_NEXT, "dlopen");
    memcpy(&next, &symbol, sizeof next);
    return name != NULL && strstr(name, "libidn.") != NULL ? NULL : next(name, flags);
}
]]

local function shell(command)
   local pipe = io.popen(command .. " 2>&1; echo status $?")
   local said = pipe:read("*a")
   pipe:close()
   return said
end

local function write(name, text)
   local file = assert(io.open(name, "w"))
   file:write(text)
   file:close()
end

-- The file that require would load.
local function find_module(name)
   for template in package.cpath:gmatch("[^;]+") do
      local path = template:gsub("%?", (name:gsub("%.", "/")))
      local file = io.open(path)
      if file then
         file:close()
         return path
      end
   end
   error(name .. " is nowhere")
end

describe("beside", function()
   local folder

   -- For children only: cc does not run under what is preloaded here.
   local function compile(name, source)
      write(folder .. "/" .. name .. ".c", source)
      local said = shell(("env -u LD_PRELOAD cc -O1 -fPIC -shared -o %s/%s.so %s/%s.c -ldl"):format(
         folder, name, folder, name))
      assert.equal("status 0\n", said)
   end

   setup(function()
      folder = shell('mkdir -p build/spec && mktemp -d build/spec/sasl.XXXXXX'):match("^%S+")
      compile("openssl", OTHER_OPENSSL)
      compile("libidn", NO_LIBIDN)
   end)

   teardown(function() shell("rm -r " .. folder) end)

   local prologue = [[
      local talk = require "spec.tools.talk"
      local hello = "S: 220 hi\nC: EHLO me.example\nS: 250-mx\nS: 250 AUTH "
      local bye = "C: QUIT\nS: 221 bye\n"
      local mail = "C: MAIL FROM:<ann@me.example>\nS: 250 ok\nC: RCPT TO:<bob@there.example>\n"
         .. "S: 250 ok\nC: DATA\nS: 354 go on\nMESSAGE\nS: 250 ok\n" .. bye
      local function plain(password)
         return "C: AUTH PLAIN " .. require "smtp.core".base64("\0ann\0" .. password) .. "\nS: 235 ok\n"
      end
      local function send(password, transcript)
         local receipt, err = talk.send({ username = "ann", password = password,
            auth_plaintext = true }, transcript)
         if receipt then return print("sent", receipt.auth.mechanism) end
         print(err.kind, err.reason, err.mechanisms["SCRAM-SHA-256"])
      end
   ]]

   -- Runs Lua in a process of its own; asan, where it is preloaded, stays first. -> lines, status
   local function run(preload, body, environment)
      write(folder .. "/child.lua", prologue .. body)
      local said = shell(([[LD_PRELOAD="${LD_PRELOAD:+$LD_PRELOAD%s}%s" %s %s %s/child.lua]]):format(
         preload and ":" or "", preload and folder .. "/" .. preload .. ".so" or "", environment or "",
         peer.interpreter, folder))
      local text, status = said:match("^(.*)status (%d+)\n$")
      assert.equal("0", status, said)
      local lines = {}
      for line in text:gmatch("[^\n]+") do lines[#lines + 1] = line end
      return lines
   end

   local offers_both = [[
      send("sesame-child", hello .. "SCRAM-SHA-256 PLAIN\n" .. plain "sesame-child" .. mail)
      send("sesame-child", hello .. "SCRAM-SHA-256\n" .. bye)
   ]]

   it("another OpenSSL than it was built for, SCRAM drops out before any call into it", function()
      local lines = run("openssl", [[
         print(pcall(require, "smtp.crypto"))
      ]] .. offers_both)
      assert.truthy(lines[1]:find("^false\t.*built for OpenSSL %d, and this process has OpenSSL 1"), lines[1])
      assert.equal("sent\tPLAIN", lines[2])
      assert.truthy(lines[3]:find("^auth_unsupported\tno_common_mechanism\tcrypto_unavailable: "),
         lines[3])
   end)

   it("no smtp.crypto at all, SCRAM drops out", function()
      assert.equal("status 0\n", shell(("mkdir %s/smtp && cp '%s' %s/smtp/"):format(folder,
         find_module("smtp.core"), folder)))
      local lines = run(nil, offers_both, "LUA_CPATH=" .. folder .. "/?.so")
      assert.equal("sent\tPLAIN", lines[1])
      assert.truthy(lines[2]:find("^auth_unsupported\tno_common_mechanism\tcrypto_unavailable: "),
         lines[2])
   end)

   it("no libidn, SCRAM drops out for a password outside ASCII, and for no other", function()
      local lines = run("libidn", [[
         local password = "p\195\164ssw\195\182rd"
         send(password, hello .. "SCRAM-SHA-256 PLAIN\n" .. plain(password) .. mail)
         send(password, hello .. "SCRAM-SHA-256\n" .. bye)
         local crypto = require "smtp.crypto"
         print(crypto.saslprep "p\195\164ss")
         print(crypto.saslprep "pass")
         print(crypto.saslprep "pa\7ss")
         local _, err = talk.send({ username = "ann", password = "sesame-child" }, hello
            .. "SCRAM-SHA-256\nC~ AUTH SCRAM-SHA-256 with any nonce\nS: 535 5.7.8 no\n" .. bye)
         print(err.reason, err.mechanism)
      ]])
      assert.equal("sent\tPLAIN", lines[1])
      assert.truthy(lines[2]:find("^auth_unsupported\tno_common_mechanism\t"
         .. "password: saslprep_unavailable: "), lines[2])
      assert.equal("nil\tsaslprep_unavailable", lines[3])
      assert.equal("pass", lines[4])
      assert.equal("nil\tsaslprep", lines[5])
      assert.equal("rejected\tSCRAM-SHA-256", lines[6])
   end)
end)

describe("CRAM-MD5", function()
   it("answers as in RFC 2195 2", function()
      assert.equal("tim b913a602c7eda7a495b4e6e7334d3890",
         sasl.cram_md5(crypto, "tim", "tanstaaftanstaaf", "<1896.697170952@postoffice.reston.mci.net>"))
   end)

   it("sends the name as it is, spaces and all", function()
      local challenge = "<1@there.example>"
      for _, name in ipairs { "", "a b", "p\195\164t", ("x"):rep(5000) } do
         assert.equal(name .. " " .. octets.hex(crypto.hmac("MD5", "key", challenge)),
            sasl.cram_md5(crypto, name, "key", challenge))
      end
   end)
end)
