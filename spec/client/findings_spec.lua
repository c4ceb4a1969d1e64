local logins = require "spec.tools.logins"
local safe = require "smtp.safe"
local talk = require "spec.tools.talk"

local login = logins.login
local script = talk.script

describe("a list of mechanisms that shrank since an earlier connection", function()
   it("is in the receipt, on the connection, and in the error", function()
      local host = "shrank.example"
      talk.send(login("require", { host = host }), script [[
         <hello AUTH PLAIN LOGIN CRAM-MD5 X-FOO>
         C: AUTH PLAIN AGFubgBzZXNhbWUtMA==
         S: 535 no
         <bye>
      ]])
      local receipt = talk.send(login("require", { host = host }), script [[
         <hello AUTH PLAIN>
         C: AUTH PLAIN AGFubgBzZXNhbWUtMA==
         S: 235 ok
         <accepted>
      ]])
      assert.same({ "CRAM-MD5", "LOGIN" }, receipt.auth.downgrade) -- unknown names are not kept
      local _, err = talk.send(login("require", { host = host }), script [[
         <hello X>
         <bye>
      ]])
      assert.same({ "CRAM-MD5", "LOGIN", "PLAIN" }, err.downgrade)
      assert.truthy(tostring(err):find("on an earlier connection it offered CRAM-MD5, LOGIN, PLAIN", 1, true))
      receipt = talk.send(login("prefer", { host = host }), script [[
         <hello X>
         <accepted>
      ]])
      assert.same({ "CRAM-MD5", "LOGIN", "PLAIN" }, receipt.auth.downgrade)
      assert.equal("unavailable", receipt.auth.state)
   end)

   it("is not confused with that of another server, port, or link", function()
      talk.send(login("skip", { host = "one.example" }), script [[
         <hello AUTH PLAIN LOGIN>
         <accepted>
      ]])
      for _, other in ipairs { { host = "two.example" }, { host = "one.example", port = 26 } } do
         assert.is_nil(talk.send(login("skip", other), script [[
            <hello AUTH PLAIN>
            <accepted>
         ]]).auth.downgrade)
      end
      assert.is_nil(talk.send(login("require", { host = "one.example", tls = "require" }), script [[
         <hello STARTTLS>
         C: STARTTLS
         S: 220 go
         TLS
         <ehlo AUTH PLAIN>
         C: AUTH PLAIN AGFubgBzZXNhbWUtMA==
         S: 235 ok
         <accepted>
      ]]).auth.downgrade)
   end)

   it("is seen by connections that send nothing", function()
      local function connect(offered)
         return assert(safe.connect { host = "quiet.example", domain = "me.example", tls = "skip",
            transport = talk.peer(script("<hello $offered>", { offered = offered })) })
      end
      connect("AUTH PLAIN"):close()
      local second = connect "X"
      assert.same({ state = "skipped", offered = {}, downgrade = { "PLAIN" } }, second.auth)
      second:close()
   end)
end)
