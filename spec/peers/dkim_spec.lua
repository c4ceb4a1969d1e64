-- Cases of dkimpy's tests, and of the appendices of RFC 6376 and RFC 8463, that say which bytes are signed. Whole
-- signatures are verified by dkimpy itself in spec/live/dkim_spec.lua; those of RFC 8463 are in
-- crypto/dkim_key_spec.lua.
local core = require "smtp.core"
local crypto = require "smtp.crypto"
local keys = require "spec.tools.dkim_keys"
local peers = require "spec.tools.peers"
local safe = require "smtp.safe"

local function body_hash(how, text)
   local body = assert(crypto.dkim_body(how))
   body:add(text)
   return core.base64(assert(body:finish()))
end

describe("the body that DKIM signs", function()
   for i, row in ipairs {
      -- how, as it is sent, as it is hashed: test_canonicalization
      { "simple", "Foo  \tbar    \r\n\r\n", "Foo  \tbar    \r\n" }, { "simple", "Foo bar", "Foo bar\r\n" },
      { "simple", "", "\r\n" }, { "simple", "\r\n", "\r\n" }, { "simple", "\r\n\r\n", "\r\n" },
      { "relaxed", "Foo  \t\r\nbar\r\n", "Foo\r\nbar\r\n" }, { "relaxed", "Foo  \t  bar\r\n", "Foo bar\r\n" },
      { "relaxed", "Foo\r\nbar\r\n\r\n\r\n", "Foo\r\nbar\r\n" }, { "relaxed", "Foo bar", "Foo bar\r\n" },
      { "relaxed", "", "" }, { "relaxed", "\r\n", "" }, { "relaxed", "\r\n\r\n", "" } } do
      it(("%d, %s"):format(i, row[1]), function()
         assert.equal(core.base64(crypto.digest("SHA256", row[3])), body_hash(row[1], row[2]))
      end)
   end

   -- bh= of the messages of the appendices.
   it("of dkimpy's message of RFC 6376, with two spaces, has its hash", function()
      assert.equal("4bLNXImK9drULnmePzZNEBleUanJCX5PIsDIFoH4KTQ=",
         body_hash("simple", "Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n"))
   end)

   it("of RFC 6376 A.2 has its hash", function()
      assert.equal("2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=",
         body_hash("simple", "Hi.\r\n\r\nWe lost the game. Are you hungry yet?\r\n\r\nJoe.\r\n"))
   end)

   it("of RFC 8463 A.1 has its hash", function()
      assert.equal("2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=",
         body_hash("relaxed", "Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n"))
   end)
end)

local script = peers.script {}

-- The signature is made before a connection; `raw` is the message.
local function signing(name, raw, expected, check)
   return { name, function()
      return { raw = raw, dkim = { domain = "example.com", selector = "test", key = keys.rfc.ed25519 } }
   end, not expected.kind and script "<hello X>\n<sent>" or nil, expected, call = function(options, peer)
      local receipt, err = safe.send(options)
      if receipt and check then check(peer.body) end
      return receipt, err
   end }
end

peers.rows("the message that DKIM signs", {
   signing("test_no_from_fails", "Subject: x\r\n\r\nhi\r\n", { kind = "usage" }),
   signing("test_multiple_from_fails", "From: a@example.com\r\nFrom: b@example.com\r\n\r\nhi\r\n", { kind = "usage" }),
   signing("test_dkim_signature_canonicalization: a folded subject",
      "From: mbp@canonical.com\r\nTo: scottk@example.com\r\n"
      .. "Subject: this is my\r\n    test message\r\n", { states = "accepted" }, function(body)
         assert.truthy(body:find("\r\nSubject: this is my\r\n    test message\r\n", 1, true))
         assert.truthy(body:find("; b=", 1, true) or body:find("\r\n b=", 1, true))
      end),
   signing("test_extra_headers: a header that is there twice is signed twice",
      "Received: a\r\nReceived: b\r\nFrom: a@example.com\r\n"
      .. "To: b@example.com\r\nTo: c@example.com\r\n\r\nhi\r\n", { states = "accepted" }, function(body)
         local names = body:match("[; ]h=(.-);"):gsub("%s", "")
         local _, count = (names .. ":"):gsub("To:", "")
         assert.is_true(count >= 2)
         assert.is_nil(names:find("Received", 1, true)) -- each server adds one
      end),
   signing("test_verifies_lflinesep: line ends of LF are signed as CR LF", "From: a@example.com\n\nhi\n",
      { states = "accepted" },
      function(body)
         assert.equal(body_hash("relaxed", "hi\r\n"), (body:gsub("\r\n ", "")):match "bh=([^;]*)")
      end),
})
