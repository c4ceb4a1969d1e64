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

-- A peer that hangs up after so many bytes, heard or said.
local function cut(peer, heard_max, said_max)
   local receive, send = peer.receiveany, peer.send
   local heard, said = 0, 0
   function peer:receiveany(max)
      if heard >= heard_max or said >= said_max then return nil, "closed", "cut" end
      local data, why = receive(self, math.min(max, heard_max - heard))
      if data then heard = heard + #data end
      return data, why
   end
   function peer:send(data)
      if heard >= heard_max or said >= said_max then return nil, "closed", "cut", 0 end
      local part = data:sub(1, said_max - said)
      local count = send(self, part)
      said = said + (count or 0)
      if count == #part and #part < #data then return nil, "closed", "cut", count end
      return count
   end
   function peer.counts() return heard, said end
   return peer
end

local raw = "Subject: x\r\n\r\n.one\r\ntwo\r\n"

local function play(text, tls, heard_max, said_max)
   local peer = cut(talk.peer(text), heard_max, said_max)
   local receipt, err = safe.send(talk.options({ raw = raw, tls = tls, timeout = 5,
      to = { "a@x.example", "b@x.example" } }, peer))
   return peer, receipt, err
end

describe("a connection cut at every byte", function()
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
      it("is reported as it was, " .. name, function()
         local tls = name == "after STARTTLS" and "require" or "skip"
         local whole = play(text, tls, FAR, FAR)
         local heard_all, said_all = whole.counts()
         assert(heard_all > 60 and said_all > 100)
         local bye = #"221 bye\r\n"
         tally.add(heard_all + said_all)
         for side = 1, 2 do
            for n = 0, (side == 1 and heard_all or said_all) - 1 do
               local peer, receipt, err = play(text, tls, side == 1 and n or FAR,
                  side == 2 and n or FAR)
               local ended = (peer.body or ""):sub(-5) == "\r\n.\r\n"
               local verdict = side == 1 and n >= heard_all - bye
                  or side == 2 and n >= said_all - #"QUIT\r\n"
               -- Cut on our side right after the end of the message, the verdict is not heard.
               if side == 2 and n == said_all - #"QUIT\r\n" then verdict = false end
               local where = ("side %d, byte %d"):format(side, n)
               if verdict then
                  assert(receipt and receipt.recipients[1].state == "accepted", where)
               else
                  assert(not receipt and err, where)
                  local state = err.recipients and err.recipients[1].state or "unsent"
                  assert(state == (ended and "unknown" or "unsent"), where .. ": " .. state)
                  assert(err.retry == (ended and "doubt" or "now"), where .. ": " .. err.retry)
                  assert(err.sent == (ended and "maybe" or "no"), where)
               end
            end
         end
      end)
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
   local function send(way, at, is_mute)
      local server = spec_server.new { capabilities = way.capabilities, cut = at, mute = is_mute }
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
   end
end)
