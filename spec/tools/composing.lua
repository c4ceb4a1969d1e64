--- Messages composed by smtp.safe.message, the same each time.

local assert = require "luassert"
local safe = require "smtp.safe"

local composing = {}

--- A message with these options.
---@return table|nil message
---@return table|nil err
function composing.message(more)
   local t = { from = "ann@me.example", to = "bob@there.example", date = 1764000000,
      message_id = "<1@me.example>" }
   for key, value in pairs(more) do t[key] = value end
   return safe.message(t)
end

--- Its bytes, and the message.
function composing.bytes(more)
   local message, err = composing.message(more)
   assert(message, tostring(err))
   return tostring(message), message
end

--- These options are refused. -> the error
function composing.refused(more)
   local message, err = composing.message(more)
   assert.is_nil(message)
   assert.is_true(safe.is_error(err, "usage"), tostring(err))
   return err
end

--- Calls `act` with the path of a file of this content.
function composing.with_file(content, act)
   local path = os.tmpname()
   local file = assert(io.open(path, "wb"))
   file:write(content)
   file:close()
   act(path)
   os.remove(path)
end

return composing
