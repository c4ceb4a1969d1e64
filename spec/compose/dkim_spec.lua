-- DKIM signatures: what is signed, whole and in pieces. That others find the signatures valid is in
-- live/dkim_spec.lua.
local core = require "smtp.core"
local crypto = require "smtp.crypto"
local dkim = require "smtp.dkim"
local keys = require "spec.tools.dkim_keys"

local clock, read, head, signer, rfc = keys.clock, keys.read, keys.head, keys.signer, keys.rfc

local function octets(text)
   local list = {}
   for c in text:gmatch(".") do list[#list + 1] = c end
   return list
end

local function names(message, more)
   return read(assert(dkim.sign(message, signer(more), clock)))[1].h
end

describe("a signature", function()
   it("is the same for the same message, key and time, to the octet", function()
      assert.equal(
         "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
         .. " d=football.example.com; s=brisbane; t=1528637909; h=From:From:Reply-To:To:To:\r\n"
         .. " Cc:Subject:Subject:Date:Date:Message-ID:Message-ID:MIME-Version:Content-Type:\r\n"
         .. " Content-Transfer-Encoding; bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
         .. " b=6KDaOhjmtItb0hfc2ErpVzC6+zzbvty59lGhIqWe9vbD+K/KrY69Ns7aVAo/H3mZ+YGJRZA+\r\n"
         .. " 44tEqNpc6hKyDw==\r\n"
         .. "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=football.example.com;\r\n"
         .. " s=test; t=1528637909; h=From:From:Reply-To:To:To:Cc:Subject:Subject:Date:\r\n"
         .. " Date:Message-ID:Message-ID:MIME-Version:Content-Type:\r\n"
         .. " Content-Transfer-Encoding; bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
         .. " b=HiNxoVIapQIRHZYiG5RQVPyZ1TYlZKEzQs6NtehoM85hs78uZT+NJJNsmWmM6KmXTIq4a6Ab\r\n"
         .. " Yn9ikaaLNQLIQdUWpJvhJ8gntYP/GnNENziYLWDJ/53Bv94jnDAxjstPzw8gCq+h20vuvf3p\r\n"
         .. " chzVk4cSADNwYmxb9rhQ0Xz6cgQ=\r\n" .. rfc.message,
         dkim.sign(rfc.message, {
            { domain = rfc.domain, selector = "brisbane", key = rfc.ed25519 },
            { domain = rfc.domain, selector = "test", key = rfc.rsa },
         }, clock))
   end)

   -- What is signed, by hand; Ed25519 and this key give one signature for one text.
   local function check(message, more, canonical)
      local signed = assert(dkim.sign(message, signer(more), clock))
      local header = signed:match("^(DKIM%-Signature:.-\r\n b=)")
      local tags = read(signed)[1]
      if tags.c:find("^relaxed") then
         header = header:gsub("DKIM%-Signature: ", "dkim-signature:"):gsub("\r\n", "")
      end
      assert.equal(core.base64(crypto.dkim_key(rfc.ed25519):sign(crypto.digest("SHA256", canonical .. header))), tags.b)
   end

   it("covers headers as RFC 6376 3.4.2 and the example of 3.4.5 relax them", function()
      check("FROM: X\r\nSUBJect:Y\t\r\n\tZ  \r\n\r\n", nil, "from:X\r\nsubject:Y Z\r\n")
   end)

   it("covers headers as they are where they are simple (3.4.1)", function()
      check("FROM: X\r\nSUBJect:Y\t\r\n\tZ  \r\n\r\n", { canonicalization = "simple/simple" },
         "FROM: X\r\nSUBJect:Y\t\r\n\tZ  \r\n")
   end)

   it("covers every header of a name, from the bottom up (5.4.2)", function()
      check("To: 1\r\nFrom: a\r\nTo: 2\r\nTo:3\r\n\r\n", nil, "from:a\r\nto:3\r\nto:2\r\nto:1\r\n")
   end)

   it("covers an empty header and one of folds alone", function()
      check("From: a\r\nTo:\r\nSubject: \r\n \r\n\t\r\n\r\n", nil, "from:a\r\nto:\r\nsubject:\r\n")
   end)

   it("names From once more, and what says what the message is", function()
      assert.equal("From:From:Reply-To:To:Cc:Subject:MIME-Version:Content-Type:Content-Transfer-Encoding",
         names(head .. "\r\n"))
   end)

   it("names what is there once more than it is there", function()
      assert.equal("From:From:Sender:Sender:Reply-To:Reply-To:To:To:Cc:Cc:Subject:Subject:Subject:Date:"
         .. "Date:Message-ID:Message-ID:In-Reply-To:In-Reply-To:References:References:MIME-Version:"
         .. "MIME-Version:Content-Type:Content-Type:Content-Transfer-Encoding:"
         .. "Content-Transfer-Encoding:Auto-Submitted:List-Id:List-Unsubscribe:List-Unsubscribe:"
         .. "List-Unsubscribe-Post:List-Unsubscribe-Post",
         names(head .. "Sender: a\r\nReply-To: a\r\nTo: a\r\nCC: a\r\nSubject: a\r\nsubject: b\r\nDate: a\r\n"
            .. "Message-Id: a\r\nIn-Reply-To: a\r\nReferences: a\r\nMIME-Version: 1.0\r\n"
            .. "Content-Type: text/plain\r\nContent-Transfer-Encoding: 7bit\r\nAuto-Submitted: no\r\n"
            .. "List-Id: a\r\nList-Unsubscribe: a\r\nList-Unsubscribe-Post: a\r\n\r\n"))
   end)

   it("leaves out what changes on the way", function()
      local h = names("Received: x\r\nReturn-Path: <x>\r\nBcc: x\r\nDKIM-Signature: x\r\nX-Own: x\r\n" .. head
         .. "\r\n")
      for _, name in ipairs { "Received", "Return-Path", "Bcc", "DKIM-Signature", "X-Own" } do
         assert.is_nil((":" .. h .. ":"):find(":" .. name .. ":", 1, true))
      end
   end)

   it("has no l= and no x=, and the time of now", function()
      local tags = read(dkim.sign(head .. "\r\n", signer()))[1]
      assert.same({ nil, nil }, { tags.l, tags.x })
      assert.truthy(math.abs(tonumber(tags.t) - os.time()) < 5)
   end)

   it("says which canonicalization it has; one word leaves the body simple (3.5)", function()
      for word, said in pairs { relaxed = "relaxed/simple", simple = "simple/simple",
         ["simple/relaxed"] = "simple/relaxed", ["relaxed/simple"] = "relaxed/simple" } do
         assert.equal(said, read(dkim.sign(head .. "\r\n", signer { canonicalization = word }))[1].c)
      end
   end)

   it("has an identity where one is given, in dkim-quoted-printable (2.11)", function()
      for identity, said in pairs { ["@example.org"] = "@example.org",
         ["ann@Sub.Example.ORG"] = "ann@Sub.Example.ORG", ["a=b@example.org"] = "a=3Db@example.org",
         ['"a; b"@example.org'] = '"a=3B=20b"@example.org' } do
         assert.equal(said, read(dkim.sign(head .. "\r\n", signer { identity = identity }))[1].i)
      end
   end)

   it("is folded, however long its parts are", function()
      local domain = ("a"):rep(60) .. "." .. ("b"):rep(60) .. ".example"
      for _, key in ipairs { rfc.ed25519, rfc.rsa, (keys.make()("rsa")) } do
         local signed = assert(dkim.sign(head .. ("References: <1@a>\r\n"):rep(50) .. "\r\n",
            signer { domain = domain, selector = ("s"):rep(60), key = key, canonicalization = "simple" }))
         for line in signed:gmatch("(.-)\r\n") do
            assert.truthy(#line <= 78 or line:find(domain, 1, true), line)
         end
         assert.is_nil(signed:find("\r\n \r\n", 1, true))
      end
   end)
end)

describe("signing in pieces", function()
   local headers = { { "From", "From: a@example.org\r\n" }, { "To", "To: b\r\n c\r\n" } }
   local by = assert(dkim.check { signer(), signer { key = rfc.rsa, canonicalization = "simple" },
      signer { selector = "t", canonicalization = "relaxed/simple" } })

   local function reading(pieces, of)
      local signing = assert(dkim.begin(of or by, clock))
      for _, piece in ipairs(pieces) do assert(signing:body(piece)) end
      return signing
   end

   it("gives the signatures of the whole, one for each signer", function()
      local message = "From: a@example.org\r\nTo: b\r\n c\r\n\r\nhello  you\r\n\r\n"
      local whole = assert(dkim.sign(message, by, clock))
      for _, pieces in ipairs { { "hello  you\r\n\r\n" }, octets("hello  you\r\n\r\n"), { "hello ", " you", "" } } do
         assert.equal(whole, reading(pieces):finish(headers) .. message)
      end
      assert.same({ "ed25519-sha256 s relaxed/relaxed", "rsa-sha256 s simple/simple",
         "ed25519-sha256 t relaxed/simple" }, (function(list)
         for i, tags in ipairs(list) do list[i] = tags.a .. " " .. tags.s .. " " .. tags.c end
         return list
      end)(read(whole)))
   end)

   it("knows another reading of the source by its fingerprint", function()
      local first = reading { "hello you\r\n" }
      assert(first:finish(headers))
      local print = assert(first:fingerprint(headers))
      assert.equal(32, #print)
      assert.equal(print, reading({ "hello", " you\r\n" }):fingerprint(headers))
      assert.equal(print, reading({ "hello you\r\n\r\n" }):fingerprint(headers))
      assert.not_equal(print, reading({ "hello you!\r\n" }):fingerprint(headers))
      assert.not_equal(print, reading({ "hello  you\r\n" }):fingerprint(headers))
      assert.not_equal(print, reading({ "hello you\r\n" }):fingerprint { headers[1] })
      assert.not_equal(print, reading({ "hello you\r\n" }):fingerprint { headers[1], { "To", "To: c\r\n" } })
      local relaxed = dkim.check(signer())
      assert.equal(reading({ "hello you\r\n" }, relaxed):fingerprint(headers),
         reading({ "hello \t you \r\n" }, relaxed):fingerprint(headers))
   end)

   it("takes nothing after the end", function()
      local signing = reading {}
      assert.equal(signing:finish(headers), signing:finish(headers))
      local ok, err = signing:body("more")
      assert.is_nil(ok)
      assert.equal("message", err.option)
   end)

   it("refuses invalid headers", function()
      for _, bad in ipairs { 1, { 1 }, { { "From" } }, { { "From", "From: a" } }, { { "From", "To: a\r\n" } },
         { { "From", "From: a\r\nBcc: b\r\n" } }, { { "From", "From: a\r\n\r\n" } }, { { "", ": a\r\n" } },
         { { "Fr om", "Fr om: a\r\n" } }, { { "From", "From : a\r\n" } },
         { { "From", "From: a\nb\r\n" } }, { { "From", "From: a\rb\r\n" } } } do
         local text, err = reading({}):finish(bad)
         assert.is_nil(text)
         assert.same({ "usage", "headers" }, { err.kind, err.option })
      end
      local text, err = reading({}):finish {}
      assert.is_nil(text)
      assert.equal("message", err.option)
   end)

   it("refuses invalid signers, an invalid clock and an invalid text", function()
      for _, bad in ipairs { { signer() }, { by, 5 }, { nil } } do
         local signing, err = dkim.begin(bad[1], bad[2])
         assert.is_nil(signing)
         assert.equal("usage", err.kind)
      end
      assert.equal("message", select(2, dkim.begin(by):body(nil)).option)
      assert.equal("message", select(2, dkim.headers(nil)).option)
   end)
end)
