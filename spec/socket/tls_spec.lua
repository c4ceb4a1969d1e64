-- TLS over real sockets, and what the server saw of it.
local certs = require "spec.tools.certs"
local peer = require "spec.tools.peer"
local safe = require "smtp.safe"
local socket = require "smtp.socket"
local tls_pair = require "spec.tools.tls_pair"
local tls_server = require "spec.tools.tls_server"

local cert = certs.make()
local send = tls_server.send
local nothing_told = tls_server.nothing_told

describe("TLS", function()
   it("against a port that speaks plain SMTP names the remedy", function()
      local other = peer.start [[
         local sock = accept()
         sock:send("220 plain\r\n")
         print(#line(sock))
      ]]
      local _, err = safe.send { host = "localhost", port = other.port, tls = "implicit",
         tls_ca_file = cert "ca", from = "a@b", to = "c@d", text = "", timeout = 5 }
      other.finish()
      assert.same({ "tls", "plaintext" }, { err.kind, err.reason })
      assert.truthy(err.hint:find('tls = "require"', 1, true))
   end)

   it("that is stripped is an error, and nothing secret is said", function()
      local other = peer.start [[
         local sock = accept()
         sock:send("220 hi\r\n")
         print(line(sock))
         sock:send("250-mx\r\n250 AUTH PLAIN\r\n")
         print(line(sock))
         sock:send("221 bye\r\n")
         print(line(sock))
      ]]
      local _, err = safe.send { host = "localhost", port = other.port, tls = "require",
         tls_ca_file = cert "ca", username = "ann", password = "sesame", from = "a@b", to = "c@d",
         text = "", timeout = 5 }
      local saw = other.finish()
      assert.equal("tls_unsupported", err.kind)
      nothing_told(saw)
      assert.truthy(saw:find("QUIT", 1, true))
   end)

   it("shows the client's certificate, and two conversations in one process work", function()
      local path, key = cert "client"
      for _ = 1, 2 do
         assert((send("good", { tls_cert = path, tls_key = key })))
      end
   end)
end)

describe("a 421 without a line end, before the end of the connection,", function()
   for _, tls in ipairs { "implicit", "skip" } do
      it("is shown, tls = " .. tls, function()
         local path, key = cert "good"
         local other = peer.start(([[
            local sock = accept()
            if %s then sock:sslaccept(server_context(%q, %q)) end
            sock:send("220 hi\r\n")
            line(sock)
            sock:send("250 mx\r\n")
            line(sock)
            sock:send("421 4.3.2 going down")
            sock:close()
         ]]):format(tostring(tls == "implicit"), path, key))
         local _, err = safe.send { host = "localhost", port = other.port, tls = tls, tls_ca_file = cert "ca",
            from = "ann@me.example", to = "bob@there.example", raw = "x", timeout = 10 }
         other.finish()
         assert.same({ "disconnected", "mail", 421, "going down", "later" },
            { err.kind, err.stage, err.code, err.text, err.retry }, tostring(err))
      end)
   end
end)

describe("a TLS connection", function()
   it("of more records than may be strays goes on as long as they bring data", function()
      local both = tls_pair.open()
      for i = 1, 1500 do
         assert.equal(1, (both:drive(both.client, "send", "x")))
         assert.equal(1, (both:drive(both.server, "send", "x")))
         for _, sock in ipairs(i % 100 == 0 and { both.server, both.client } or {}) do
            local heard = 0
            while heard < 100 do heard = heard + #assert((both:drive(sock, "receiveany", 100))) end
         end
      end
      both:close()
   end)

   it("sends what is long piece by piece, in order", function()
      local both = tls_pair.open()
      local parts = {}
      for i = 1, 60000 do parts[i] = ("%07d\n"):format(i) end
      local all, sent, heard = table.concat(parts), 0, {}
      while sent < #all do
         local count, why, _, partly = both.client:send(all:sub(sent + 1))
         sent = sent + (count or partly)
         if why then assert.equal("again", why) end
         both:pass()
         local data = both.server:receiveany(1000000)
         heard[#heard + 1] = data
      end
      both.client:close()
      repeat
         local data = both:drive(both.server, "receiveany", 1000000)
         heard[#heard + 1] = data
      until not data
      assert.truthy(table.concat(heard) == all)
      both:close()
   end)

   it("that hears what no key has sealed ends, and says no more", function()
      local both = tls_pair.open()
      both.near:send("\23\3\3\0\32" .. ("x"):rep(32)) -- a record that no key has sealed
      local why, text = select(2, both:drive(both.client, "receiveany", 10))
      assert.same({ "closed", "it sent a TLS record that is not valid" }, { why, text })
      both:pass()
      for _ = 1, 2 do
         assert.same({ nil, "closed", text }, { both.client:receiveany(10) })
         assert.same({ nil, "closed", text, 0 }, { both.client:send("x") })
      end
      assert.is_nil(both.client:certificate())
      both.client:close()
      assert.equal("", (both:pass()))
      both:close()
   end)

   it("that the other end has ended says no more", function()
      local both = tls_pair.open()
      both.server:close()
      both:pass()
      assert.same({ nil, "closed", "it ended TLS" }, { both:drive(both.client, "receiveany", 10) })
      assert.same({ nil, "closed", "TLS has ended" }, { both.client:receiveany(10) })
      assert.same({ nil, "closed", "TLS has ended", 0 }, { both.client:send("x") })
      assert.is_nil(both.client:certificate())
      both.client:close()
      assert.equal("", (both:pass()))
      both:close()
   end)

   it("tells the other end when it is closed, unless a record is on its way", function()
      local both = tls_pair.open()
      both.client:close()
      assert.truthy(#both:pass() > 0)
      assert.same({ nil, "closed", "it ended TLS" }, { both:drive(both.server, "receiveany", 10) })
      both:close()
      both = tls_pair.new()
      both.client:sslhandshake(nil, nil, false, both.context)
      both:pass()
      both.client:close()
      assert.equal("", (both:pass()))
      both:close()
   end)
end)

describe("what a TLS connection cannot send yet", function()
   for _, ending in ipairs { "open", "closed" } do
      it("does not keep it from reading: the other end is " .. ending, function()
         local both = tls_pair.open()
         both:pass()
         local why
         local data = ("x"):rep(65536)
         repeat why = select(2, both.client:send(data)) until why
         assert.equal("again", why)
         both.server:send("552 enough\r\n")
         socket.wait({}, 10)
         both.near:send(assert(both.far:receiveany(65536)))
         if ending == "closed" then both.near:close() end -- with much unread: a reset
         socket.wait({}, 10)
         both.client:settimeouts(5000, 5000, 5000)
         for _ = 1, 50 do
            data, why = both.client:receiveany(100)
            if why ~= "again" then break end
            socket.wait({ both.client }, 100)
         end
         assert.same({ "552 enough\r\n" }, { data, why })
         both:close()
      end)
   end
end)

-- Reads records that are whole, of a connection of TLS 1.3. -> plaintext in them, what is left of the input
local function open_records(input)
   local plain = 0
   while #input >= 5 do
      local len = input:byte(4) * 256 + input:byte(5)
      if #input < 5 + len then break end
      plain, input = plain + len - 17, input:sub(6 + len) -- the type and the tag are 17 octets
   end
   return plain, input
end

describe("what a TLS connection has sent", function()
   -- Makes the client send until it would have to wait. -> how much it counts as sent
   local function fill(both)
      local counted, data = 0, ("x"):rep(65536)
      while true do
         local count, why, _, partly = both.client:send(data)
         counted = counted + (count or partly)
         if why then
            assert.equal("again", why)
            return counted
         end
      end
   end

   it("is what the other end can read: all of it, and no more", function()
      local both = tls_pair.open()
      local rest, arrived, counted = "", 0, 0
      -- Takes what the kernel has, for which it waits, and for 50 ms without more.
      local function take()
         both.near:settimeouts(0, 0, 50)
         local until_time = os.time() + 10
         repeat
            local data = both.near:receiveany(65536)
            local plain
            plain, rest = open_records(rest .. (data or ""))
            arrived = arrived + plain
         until not data and (arrived >= counted or os.time() > until_time)
      end
      for round = 1, 6 do
         counted = counted + fill(both)
         take()
         assert.equal(counted, arrived, round)
         both.client:settimeouts(0, 0, 0)
         assert.equal("timeout", (select(2, both.client:receiveany(10)))) -- which sends nothing that waits
         take()
         assert.equal(counted, arrived, round)
         both.client:settimeouts(5000, 5000, 5000)
      end
      both:close()
   end)
end)

describe("a TLS connection", function()
   it("sends one large text after the other, and hears an answer to each", function()
      local both = tls_pair.open()
      for i = 1, 4 do
         local text, heard = tostring(i):rep(60000), ""
         assert.equal(#text, (both:drive(both.client, "send", text)))
         while #heard < #text do heard = heard .. assert(both:drive(both.server, "receiveany", 65536)) end
         assert.truthy(text == heard)
         assert.equal(1, (both:drive(both.server, "send", tostring(i))))
         assert.equal(tostring(i), (both:drive(both.client, "receiveany", 10)))
      end
      both:close()
   end)

   it("gives what has arrived before it asks the socket for more", function()
      local both = tls_pair.open()
      assert.equal(10, (both:drive(both.server, "send", "one record")))
      assert.equal(7, (both:drive(both.server, "send", "another")))
      both:pass()
      assert.equal("one ", (both:drive(both.client, "receiveany", 4)))
      assert.equal("rec", both.client:receiveany(3))
      assert.equal("ord", both.client:receiveany(10))
      assert.equal("another", both.client:receiveany(10))
      assert.equal("again", (select(2, both.client:receiveany(10))))
      both:close()
   end)
end)
