-- The connection cut at every byte of what the server says, and at every byte of what we say: what is
-- reported must be what happened. The peer knows: it saw the end of the message or not, it gave its
-- verdict or not.
local safe = require "smtp.safe"
local spec_server = require "spec.tools.server"
local talk = require "spec.tools.talk"
local tally = require "spec.tools.tally"

local FAR = 1000000000

local script = talk.snippets {
   flight = [[
      C: MAIL FROM:<ann@me.example>
      C: RCPT TO:<a@x.example>
      C: RCPT TO:<b@x.example>
      C: DATA
      S: 250 ok
      S: 250 ok
      S: 550 no
      S: 354 go
   ]],
   steps = [[
      C: MAIL FROM:<ann@me.example>
      S: 250 ok
      C: RCPT TO:<a@x.example>
      S: 250 ok
      C: RCPT TO:<b@x.example>
      S: 550 no
      C: DATA
      S: 354 go
   ]],
   taken = [[
      MESSAGE
      S: 250 2.0.0 ok
      <bye>
   ]],
}

-- A peer that hangs up after so many bytes, heard or said; or whose words end in another way.
local function cut(peer, heard_max, said_max, ending)
   local receive, send = peer.receiveany, peer.send
   local heard, said = 0, 0
   function peer:receiveany(max)
      if heard >= heard_max or said >= said_max then return nil, ending, "cut" end
      local data, why = receive(self, math.min(max, heard_max - heard))
      if data then heard = heard + #data end
      return data, why
   end
   function peer:send(data)
      if heard >= heard_max or said >= said_max then return nil, ending, "cut", 0 end
      local part = data:sub(1, said_max - said)
      local count = send(self, part)
      said = said + (count or 0)
      if count == #part and #part < #data then return nil, ending, "cut", count end
      return count
   end
   function peer.counts() return heard, said end
   return peer
end

local raw = "Subject: x\r\n\r\n.one\r\ntwo\r\n"

local function play(text, tls, heard_max, said_max, ending)
   local peer = cut(talk.peer(text), heard_max, said_max, ending)
   local receipt, err = safe.send(talk.options({ raw = raw, tls = tls, timeout = 5,
      to = { "a@x.example", "b@x.example" } }, peer))
   return peer, receipt, err
end

-- -> the state of a recipient, `retry` and `sent`
local function result_of(receipt, err)
   local first = ((receipt or err).recipients or {})[1]
   return first and first.state or "unsent", err and err.retry, err and err.sent
end

-- One side ends after each number of bytes, by "closed" or "timeout".
local function try_all(text, tls, ending)
   local whole = play(text, tls, FAR, FAR)
   local heard_all, said_all = whole.counts()
   assert(heard_all > 60 and said_all > 100)
   tally.add(heard_all + said_all)
   for side = 1, 2 do
      for n = 0, (side == 1 and heard_all or said_all) - 1 do
         local peer, receipt, err = play(text, tls, side == 1 and n or FAR, side == 2 and n or FAR, ending)
         local state, retry, sent = result_of(receipt, err)
         local where = ("side %d, byte %d"):format(side, n)
         -- Where our side ends right after the message, the verdict is not heard.
         if side == 1 and n >= heard_all - #"221 bye\r\n" or side == 2 and n > said_all - #"QUIT\r\n" then
            assert.same({ "accepted", nil, nil, where }, { state, retry, sent, where })
         elseif (peer.body or ""):sub(-5) == "\r\n.\r\n" then
            assert.same({ "unknown", "doubt", "maybe", where }, { state, retry, sent, where })
         else
            local again = ending == "timeout" and "later" or "now"
            assert.same({ "unsent", again, "no", where }, { state, retry, sent, where })
         end
      end
   end
end

describe("a connection", function()
   for name, text in pairs {
      ["step by step"] = script [[
         <hello>
         <steps>
         <taken>
      ]],
      ["pipelined"] = script [[
         <hello PIPELINING>
         <flight>
         <taken>
      ]],
      ["after STARTTLS"] = script [[
         <hello STARTTLS>
         C: STARTTLS
         S: 220 go
         TLS
         <ehlo PIPELINING>
         <flight>
         <taken>
      ]],
   } do
      local tls = name == "after STARTTLS" and "require" or "skip"
      it("cut at every byte is reported as it was, " .. name, function() try_all(text, tls, "closed") end)
      it("stalled at every byte is reported as it was, " .. name, function() try_all(text, tls, "timeout") end)
   end
end)

-- A server that knows what it took, of every kind: what is reported of each recipient is what it has.
describe("a connection cut at every byte of ours", function()
   local names = { "a@x.example", "b@x.example" }

   local function ways()
      local list = {}
      for _, pipelining in ipairs { "safe", "eager", "off" } do
         for _, capabilities in ipairs { { "PIPELINING", "CHUNKING" }, { "PIPELINING" }, { "CHUNKING" }, {} } do
            for _, protocol in ipairs { "smtp", "lmtp" } do
               list[#list + 1] = { pipelining = pipelining, capabilities = capabilities, protocol = protocol }
            end
         end
      end
      return list
   end

   -- -> the server; what is reported of each recipient
   local function send(way, at, is_mute, stall)
      local server = spec_server.new { capabilities = way.capabilities, cut = at, mute = is_mute, stall = stall }
      local receipt, err = safe.send(talk.options_to({ server }, { from = "ann@me.example",
         to = names, raw = raw, pipelining = way.pipelining, protocol = way.protocol }))
      return server, receipt, err
   end

   for _, way in ipairs(ways()) do
      it(("%s, %s, %s"):format(way.protocol, way.pipelining, table.concat(way.capabilities, " ")), function()
         local whole, receipt = send(way)
         assert.equal(2, #receipt.accepted)
         tally.add(2 * whole.arrived)
         for at = 1, whole.arrived - 1 do
            for _, is_mute in ipairs { false, true } do
               local server, ok, err = send(way, at, is_mute)
               local has_it, where = server.taken[1] ~= nil, ("byte %d of %d"):format(at, whole.arrived)
               for _, one in ipairs((ok or err).recipients or {}) do
                  assert(one.state == "unknown" or (one.state == "accepted") == has_it, where .. ": " .. one.state)
               end
               assert(ok or not has_it or err.sent ~= "no", where)
            end
         end
      end)

      it(("or stalled at each byte of a reply: %s, %s, %s"):format(way.protocol, way.pipelining,
         table.concat(way.capabilities, " ")), function()
         local whole = send(way)
         tally.add(whole.told)
         for at = 0, whole.told - 1 do
            local server, ok, err = send(way, nil, false, at)
            local has_it, where = server.taken[1] ~= nil, ("byte %d of %d"):format(at, whole.told)
            for _, one in ipairs((ok or err).recipients or {}) do
               assert((one.state == "unsent") == not has_it, where .. ": " .. one.state)
               assert(one.state == "accepted" or not ok, where .. ": " .. one.state)
            end
            if not ok then
               assert(err.kind == "timeout", where .. ": " .. err.kind)
               assert((err.sent == "no") == not has_it and (err.retry == "doubt") == has_it, where .. ": " .. err.sent)
            end
            assert(server.closed, where)
         end
      end)
   end
end)
