local logins = require "spec.tools.logins"
local peer = require "spec.tools.peer"
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

describe("what receipts say of a server", function()
   local server = [[
      for _, hello in ipairs { "250-one\r\n250 SIZE 1000", "250-one\r\n250 SIZE 1000", "250-two\r\n250 SIZE 1000",
         "250-two\r\n250 DSN", "250 two" } do
         local sock = accept()
         sock:settimeouts(60000, 60000, 60000)
         sock:send("220 hi\r\n")
         local inside = false
         while true do
            local data = sock:receiveany(65536)
            if not data then break end
            if inside then
               inside = not data:find("\r\n.\r\n", 1, true)
               if not inside then sock:send("250 ok\r\n") end
            elseif data:find("^EHLO") then
               sock:send(hello .. "\r\n")
            elseif data:find("^DATA") then
               inside = true
               sock:send("354 go\r\n")
            else
               sock:send((data:find("^QUIT") and "221" or "250") .. " ok\r\n")
               if data:find("^QUIT") then break end
            end
         end
         sock:close()
      end
   ]]

   it("is made once for connections that find the same, and anew for another offer", function()
      local other, receipts = peer.start(server), {}
      for i = 1, 5 do
         receipts[i] = assert(safe.send { host = "127.0.0.1", port = other.port, from = "ann@me.example",
            to = "bob@there.example", raw = "Subject: x\r\n\r\nx\r\n" })
      end
      other.finish()
      assert.same({ "one", "one", "two", "two", "two" }, { receipts[1].server.name, receipts[2].server.name,
         receipts[3].server.name, receipts[4].server.name, receipts[5].server.name })
      assert.same({ SIZE = "1000" }, receipts[3].capabilities)
      assert.same({ DSN = "" }, receipts[4].capabilities)
      assert.same({}, receipts[5].capabilities)
      assert.same(receipts[1].auth, receipts[5].auth)
   end)

   it("is the caller's to change", function()
      local own = peer.start(server)
      for i = 1, 5 do
         local receipt = assert(safe.send { host = "127.0.0.1", port = own.port, from = "ann@me.example",
            to = "bob@there.example", raw = "Subject: x\r\n\r\nx\r\n" })
         assert.same({ i > 2 and "two" or "one", own.port, "off" }, { receipt.server.name, receipt.server.port,
            receipt.pipelining })
         if i < 4 then assert.same({ SIZE = "1000" }, receipt.capabilities) end
         assert.same({}, receipt.extensions)
         receipt.server.name, receipt.server.port, receipt.capabilities.SIZE = "evil", 1, nil
         receipt.capabilities.PIPELINING, receipt.extensions.x, receipt.auth.state = "", "used", "authenticated"
      end
      own.finish()
   end)
end)
