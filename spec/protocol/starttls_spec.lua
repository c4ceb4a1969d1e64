local talk = require "spec.tools.talk"

local script = talk.script

describe("STARTTLS", function()
   for _, policy in ipairs { "require", "prefer" } do
      it("is used under " .. policy .. ", and everything heard before is forgotten", function()
         local receipt, _, peer = talk.send({ tls = policy }, script [[
            <hello PIPELINING, STARTTLS>
            C: STARTTLS
            S: 220 go
            TLS
            C: EHLO me.example
            S: 250-inside
            S: 250 STARTTLS
            <accepted>
         ]])
         assert.equal("on", receipt.tls.state)
         assert.is_true(receipt.tls.verified)
         assert.equal("inside", receipt.server.name)
         assert.same({ name = "mx.example", verify = true }, peer.handshake)
      end)
   end

   it("takes a reply of several lines", function()
      assert.is_table((talk.send({ tls = "require" }, script [[
         <hello PIPELINING, STARTTLS>
         C: STARTTLS
         S: 220-go
         S: 220 go
         TLS
         C: EHLO me.example
         S: 250 inside
         <accepted>
      ]])))
   end)

   it("that is not offered is an error of its own under require", function()
      local _, err = talk.send({ tls = "require" }, script [[
         <hello>
         <bye>
      ]])
      assert.equal("tls_unsupported", err.kind)
      assert.equal("not_advertised", err.reason)
      assert.equal("starttls", err.stage)
      assert.equal("never", err.retry)
   end)

   it("behind HELO is an error of its own under require", function()
      local _, err = talk.send({ tls = "require" },
         script [[
            S: 220 hi
            C: EHLO me.example
            S: 500 what
            C: HELO me.example
            S: 250 mx
            <bye>
         ]])
      assert.equal("tls_unsupported", err.kind)
      assert.equal("helo_only", err.reason)
   end)

   it("that is not offered is done without under prefer, and the receipt says so", function()
      local receipt = talk.send({ tls = "prefer" }, script [[
         <hello>
         <accepted>
      ]])
      assert.equal("unavailable", receipt.tls.state)
   end)

   it("is not used under skip", function()
      local receipt = talk.send({ tls = "skip" }, script([[
         <offer>
         <accepted>
      ]], { offer = ((script "<hello PIPELINING, STARTTLS>"):gsub("S: 250%-PIPELINING\n", "")) }))
      assert.equal("skipped", receipt.tls.state)
   end)

   for _, policy in ipairs { "require", "prefer" } do
      for _, code in ipairs { 454, 500, 501, 502, 503, 530, 554 } do
         it(("refused with %d is an error under %s"):format(code, policy), function()
            local _, err = talk.send({ tls = policy }, script([[
               <hello PIPELINING, STARTTLS>
               C: STARTTLS
               S: $code 5.7.0 no
               <bye>
            ]], { code = code }))
            assert.equal("tls", err.kind)
            assert.equal("starttls_refused", err.reason)
            assert.equal("starttls", err.stage)
            assert.equal(code == 454 and "later" or "never", err.retry)
         end)
      end
   end

   it("answered by 421 is a lost connection, for now", function()
      local _, err = talk.send({ tls = "require" }, script [[
         <hello PIPELINING, STARTTLS>
         C: STARTTLS
         S: 421 bye
         CLOSE
      ]])
      assert.equal("disconnected", err.kind)
      assert.equal("later", err.retry)
   end)

   for _, code in ipairs { 250, 221, 354 } do
      it("answered by " .. code .. " means nothing", function()
         local _, err = talk.send({ tls = "require" }, script([[
            <hello PIPELINING, STARTTLS>
            C: STARTTLS
            S: $code ok
         ]], { code = code }))
         assert.equal("protocol", err.kind)
      end)
   end

   for name, bytes in pairs { ["a whole reply"] = "S: 250 AUTH PLAIN", ["one byte"] = "S~ x" } do
      it("with " .. name .. " after its 220 is an attack, seen before the handshake", function()
         local _, err = talk.send({ tls = "require" }, script([[
            <hello PIPELINING, STARTTLS>
            C: STARTTLS
            S: 220 go
            <bytes>
         ]], { bytes = bytes }))
         assert.equal("protocol", err.kind)
         assert.equal("injected", err.reason)
         assert.equal("never", err.retry)
      end)
   end

   it("answered before it was said counts as not answered", function()
      local _, err = talk.send({ tls = "require" }, script [[
         <hello PIPELINING, STARTTLS>
         S: 220 go
      ]])
      assert.equal("protocol", err.kind)
      assert.equal("unasked", err.reason)
   end)

   it("that fails in the handshake is the end, under prefer too", function()
      for _, policy in ipairs { "require", "prefer" } do
         local _, err = talk.send({ tls = policy }, script [[
            <hello PIPELINING, STARTTLS>
            C: STARTTLS
            S: 220 go
            TLS tls:handshake
         ]])
         assert.equal("tls", err.kind)
         assert.equal("tls", err.stage)
      end
   end)

   it("with a bad certificate is an error that says what is wrong with it", function()
      for _, reason in ipairs { "expired", "wrong_host", "self_signed", "unknown_issuer" } do
         local _, err = talk.send({ tls = "prefer" }, script([[
            <hello PIPELINING, STARTTLS>
            C: STARTTLS
            S: 220 go
            TLS certificate:$reason
         ]], { reason = reason }))
         assert.equal("certificate", err.kind)
         assert.equal(reason, err.reason)
         assert.is_string(err.hint)
      end
   end)

   it("cut in the handshake is a lost connection at stage tls", function()
      local _, err = talk.send({ tls = "require" }, script [[
         <hello PIPELINING, STARTTLS>
         C: STARTTLS
         S: 220 go
         TLS closed
      ]])
      assert.equal("disconnected", err.kind)
      assert.equal("tls", err.stage)
   end)

   it("stalled in the handshake runs into the time limit", function()
      local _, err = talk.send({ tls = "require" }, script [[
         <hello PIPELINING, STARTTLS>
         C: STARTTLS
         S: 220 go
         TLS timeout
      ]])
      assert.equal("timeout", err.kind)
      assert.equal("tls", err.stage)
   end)

   it("takes PIPELINING away where it is offered before TLS only", function()
      talk.send({ tls = "require" }, script [[
         <hello PIPELINING, STARTTLS>
         C: STARTTLS
         S: 220 go
         TLS
         C: EHLO me.example
         S: 250 inside
         <accepted>
      ]])
   end)
end)

describe("implicit TLS", function()
   it("begins before the greeting, and STARTTLS is never said in it", function()
      local receipt = talk.send({ tls = "implicit" },
         script [[
            TLS
            <hello STARTTLS>
            <accepted>
         ]])
      assert.equal("on", receipt.tls.state)
   end)

   it("against a plain port names the remedy", function()
      local _, err = talk.send({ tls = "implicit" }, "TLS tls:plaintext")
      assert.equal("tls", err.kind)
      assert.truthy(err.hint:find('tls = "require"', 1, true))
   end)

   it("with a bad certificate sends nothing", function()
      local _, err = talk.send({ tls = "implicit" }, "TLS certificate:expired")
      assert.equal("certificate", err.kind)
      assert.equal("expired", err.reason)
      assert.equal("no", err.sent)
   end)
end)
