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

return checked
