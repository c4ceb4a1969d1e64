-- How a conversation begins: what a transport says where it cannot connect.
local checked = require "spec.tools.checked"
local safe = require "smtp.safe"
local talk = require "spec.tools.talk"

-- Sends by a transport with this method connect. -> the error
local function send_by(connect, more)
   local transport, closed = checked.untouched(), 0
   function transport.settimeouts() end
   function transport.close() closed = closed + 1 end
   transport.connect = connect
   local options = { port = talk.new_port() }
   for name, value in pairs(more or {}) do options[name] = value end
   local receipt, err = safe.send(talk.options(options, transport))
   assert.is_nil(receipt)
   assert.equal(1, closed, tostring(err))
   return err
end

describe("A transport that cannot connect", function()
   for word, want in pairs {
      ["resolve:unknown_host"] = { "resolve", "unknown_host", "resolve" },
      ["resolve:no_resolver"] = { "resolve", "no_resolver", "resolve" },
      ["connect:refused"] = { "connect", "refused", "connect" }, connect = { "connect", "connect", "connect" },
      system = { "system", "system", "connect" }, timeout = { "timeout", "timeout", "connect" },
      ["timeout:resolve"] = { "timeout", "timeout", "resolve" },
      ["a word of its own"] = { "connect", "connect", "connect" },
   } do
      it("gives a word that decides the error: " .. word, function()
         local err = send_by(function() return nil, word, "its own words" end)
         assert.same(want, { err.kind, err.reason, err.stage })
         assert.same({ "its own words", "no" }, { err.text, err.sent })
      end)
   end

   it("may give nothing but that word, or a remedy as well", function()
      assert.equal("connect:refused", send_by(function() return nil, "connect:refused" end).text)
      assert.equal("Try another", send_by(function() return nil, "connect", "x", "Try another" end).hint)
   end)

   it("is called again where it says so", function()
      local calls = 0
      local err = send_by(function()
         calls = calls + 1
         return nil, calls < 3 and "again" or "timeout"
      end)
      assert.same({ "timeout", 3 }, { err.kind, calls })
   end)

   it("may raise, which ends the attempt", function()
      local err = send_by(function() error("broken", 0) end)
      assert.same({ "source", "connect", "broken" }, { err.kind, err.stage, err.cause })
   end)
end)
