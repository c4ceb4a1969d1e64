-- A server that sends one reply too many after a message. Taken for the answer to the next command, it would shift all
-- that follow: what the server makes of the next message would be read from its answer to RCPT.
if package.loaded.ngx then return end

local peer = require "spec.tools.peer"
local smtp = require "smtp.safe"
local socket = require "smtp.socket"

-- Refuses the third message, wherever it comes; sends the surplus after the second one, on its first connection.
local SERVER = [[
   local control, taken = accept(), 0
   local function serve(sock, has_surplus)
      local has_recipient = false
      local function say(text) sock:send(text .. "\r\n") end
      local function verdict()
         if not has_recipient then return say "503 no recipient" end
         taken, has_recipient = taken + 1, false
         say(taken == 3 and "552 too big" or "250 taken " .. taken)
         if taken == 2 and has_surplus then
            control:receiveany(1)
            say "250 surplus"
            control:send "x"
         end
      end
      say "220 mx"
      for text in function() return line(sock) end do
         local verb = text:match("^%u+")
         if text == "" then
            return
         elseif verb == "EHLO" then
            say "250-mx\r\n250-PIPELINING\r\n250 OFFER"
         elseif verb == "RCPT" then
            socket.wait({}, 3) -- its answer does not come together with the one to MAIL
            has_recipient = true
            say "250 rcpt"
         elseif verb == "BDAT" then
            local size = tonumber(text:match("%d+"))
            while size > 0 do size = size - #line(sock) end
            verdict()
         elseif verb == "DATA" then
            say "354 go"
            repeat until line(sock) == ".\r\n"
            verdict()
         elseif verb == "QUIT" then
            say "221 bye"
            return
         else
            say "250 ok"
         end
      end
   end
   for i = 1, 2 do
      local sock = accept()
      heard = ""
      serve(sock, i == 1)
      sock:close()
   end
]]

-- -> its port; lets the surplus come, and waits until it has; waits until the server has ended
local function start(offer)
   local server = peer.start((SERVER:gsub("OFFER", offer)))
   local function open()
      local sock = socket.new()
      sock:settimeouts(20000, 20000, 20000)
      return sock, sock:connect("127.0.0.1", server.port)
   end
   local control = open()
   return server.port, function()
      control:send "x"
      assert.equal("x", control:receiveany(1))
   end, function()
      open():close() -- the second connection, where there was none
      control:close()
      server.finish()
   end
end

local function options(port, pipelining)
   return { host = "127.0.0.1", port = port, tls = "skip", domain = "me.example", pipelining = pipelining }
end

local function message(i)
   return { from = "ann@me.example", to = "bob@there.example", raw = ("Subject: %d\r\n\r\nhi\r\n"):format(i) }
end

-- The next message follows at once: a connection that has been idle for a while is looked at anyway.
for _, offer in ipairs { "CHUNKING", "SIZE 1000" } do
   for _, pipelining in ipairs { "safe", "eager" } do
      describe(("A surplus reply, with %s, pipelining = %s,"):format(offer, pipelining), function()
         it("does not answer the next message of connection:send", function()
            local port, bring_surplus, finish = start(offer)
            local connection = assert(smtp.connect(options(port, pipelining)))
            for i = 1, 2 do assert.equal("taken " .. i, assert(connection:send(message(i))).reply.text) end
            bring_surplus()
            local receipt, err = connection:send(message(3))
            connection:close()
            finish()
            assert.is_nil(receipt)
            assert.same({ "protocol", "unasked", "no" }, { err.kind, err.reason, err.sent })
         end)

         it("does not answer the next message of send_many", function()
            local port, bring_surplus, finish = start(offer)
            local count, texts = 0, {}
            local summary, err = smtp.send_many(options(port, pipelining), function()
               count = count + 1
               if count == 3 then bring_surplus() end
               return count <= 3 and message(count) or nil
            end, { connections = 1, window = 1, on_result = function(i, receipt, err)
               texts[i] = (receipt and receipt.reply or err).text
            end })
            finish()
            assert.same({ 2, 1 }, { summary.sent, summary.failed }, tostring(err))
            assert.same({ "taken 1", "taken 2", "too big" }, texts)
         end)
      end)
   end
end
