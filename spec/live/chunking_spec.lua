-- The message by BDAT and by DATA, to real servers: the octets that arrive are those sent.
local safe = require "smtp.safe"
local servers = require "spec.live.servers"

local head = "From: ann@live.example\nMessage-ID: <1@live.example>\nDate: Tue, 24 Nov 2026 12:00:00 +0000\n"

local function postfix(live)
   return { host = "127.0.0.1", port = live.relay_port, tls = "skip" }
end

local function exim(live)
   return { host = "localhost", port = live.open_port, tls = "require", tls_ca_file = live.ca_file, username = "ann",
      password = "sesame" }
end

-- Exim notes the sender below the header.
local function without_note(text)
   return (text:gsub("X%-Identity: [^\n]*\n", "", 1))
end

for name, server in pairs { Postfix = { servers.start, postfix }, Exim = { servers.start_exim, exim } } do
   describe("A message to " .. name, function()
      local live = servers.during(setup, teardown, server[1])
      local said

      -- Sends it to a box, and sees it there.
      local function send(box, more, wanted)
         local options = server[2](live)
         options.from, options.to, options.timeout, said = "ann@live.example", box .. "@live.example", 30, {}
         options.trace = function(direction, line) if direction == "C" then said[#said + 1] = line end end
         for key, value in pairs(more) do options[key] = value end
         local receipt, err = safe.send(options)
         assert(receipt, tostring(err))
         said = table.concat(said, "\n")
         local got = live.arrived(box, 1)
         assert.equal(1, #got)
         assert(without_note(got[1]) == wanted, "it changed on its way:\n" .. got[1]:sub(1, 2000))
      end

      local text = head .. "Subject: chunks\n\n.\n..dots\n"

      it("goes in one chunk after the envelope", function()
         send("bob", { raw = text }, text)
         assert.truthy(said:find(("BDAT %d LAST\n"):format(#text:gsub("\n", "\r\n")), 1, true), said)
      end)

      it("goes by DATA where CHUNKING is to be skipped", function()
         send("bob", { raw = text, extensions = { chunking = "skip" } }, text)
         assert.truthy(said:find("\nDATA\n", 1, true), said)
      end)

      for _, grade in ipairs { "safe", "eager", "off" } do
         it("of 300 KiB from a function arrives to the octet, pipelining = " .. grade, function()
            local pieces, count = { head .. "Subject: chunks\n\n" }, 1
            for i = 1, 3072 do pieces[i + 1] = ("%05d."):format(i):rep(33):sub(1, 99) .. "\n" end
            send("bob", { pipelining = grade, raw = function()
               count = count + 7
               return count < 3100 and table.concat(pieces, "", count - 7, math.min(count - 1, #pieces)) or nil
            end }, table.concat(pieces))
            assert.truthy(said:find("\nBDAT %d+\n.*\nBDAT %d+ LAST\n"), said)
         end)
      end

      it("with 8-bit bytes is declared as such", function()
         local raw = head .. "Subject: 8bit\n\ngrüße\n"
         send("bob", { raw = raw }, raw)
         assert.truthy(said:find("BODY=8BITMIME\n.*\nBDAT %d+ LAST"), said)
      end)

      it("with an international address and header goes by SMTPUTF8", function()
         local raw = "From: ann@live.example\nTo: pelé@live.example\nMessage-ID: <1@live.example>\n"
            .. "Date: Tue, 24 Nov 2026 12:00:00 +0000\nSubject: grüße\n\ngrüße\n"
         send("pelé", { raw = raw }, raw)
         assert.truthy(said:find("BODY=8BITMIME SMTPUTF8\nRCPT TO:<pelé@live.example>\nBDAT %d+ LAST"), said)
      end)
   end)
end
