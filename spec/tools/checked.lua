--- Options as they are checked, before a connection is made.

local assert = require "luassert"
local request = require "smtp.client.request"
local safe = require "smtp.safe"

local checked = {}

--- A message and its server.
checked.base = { host = "mx.example", from = "ann@me.example", to = "bob@there.example", text = "hi" }

--- A transport that must not be touched.
function checked.untouched()
   local function fail() error("the transport was used") end
   return { connect = fail, send = fail, receiveany = fail, sslhandshake = fail, settimeouts = fail,
      close = fail }
end

--- The message and its server, and more.
function checked.with(more)
   local t = {}
   for key, value in pairs(checked.base) do t[key] = value end
   for key, value in pairs(more) do t[key] = value end
   return t
end

--- Refused before a connection is made.
---@return table err
function checked.refused(more)
   local t = checked.with(more)
   t.transport, t.tls_host = t.transport or checked.untouched(), t.tls_host or "mx.example"
   local receipt, err = safe.send(t)
   assert.is_nil(receipt)
   assert.is_true(safe.is_error(err, "usage"), tostring(err))
   assert.equal("no", err.sent)
   assert.equal("never", err.retry)
   return err
end

--- What the options become.
---@return table server
---@return table message
function checked.server(more)
   local server, message = request.send(checked.with(more))
   assert(server, tostring(message))
   return server, message
end

--- Every way to where a message goes: all refuse the same.
checked.ways = {
   send = function(t) return safe.send(t) end,
   connect = function(t) return safe.connect(t) end,
   probe = function(t) return safe.probe(t) end,
   send_many = function(t)
      return safe.send_many(t, { { from = checked.base.from, to = checked.base.to, text = "" } })
   end,
}

--- Options that are refused in every way. -> the errors, by way
function checked.refused_everywhere(given)
   local errors = {}
   for way, call in pairs(checked.ways) do
      local t = { transport = checked.untouched(), tls_host = "mx.example" }
      for name, value in pairs(way == "send" and checked.base or {}) do t[name] = value end
      t.host = nil
      for name, value in pairs(given) do t[name] = value end
      local result, err = call(t)
      assert.is_nil(result)
      assert.same({ "usage", "no", "never" }, { err.kind, err.sent, err.retry }, way)
      errors[way] = err
   end
   return errors
end

return checked
