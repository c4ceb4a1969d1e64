--- Plain values as bytes, for stores: nil, booleans, numbers, strings, and tables of these. The
-- bytes of a value say where it ends, so that several may follow each other.
-- @module smtp.outbox.encoding

local core = require "smtp.core"

local encoding = {}

--- A value as bytes. Raises an error for a function, a userdata or a coroutine.
---@type fun(value: any): string
encoding.encode = core.pack

--- A table as bytes that is given as keys and values in turn; a field whose value is nil is left
-- out.
---@type fun(key: string, value: any, ...): string
encoding.fields = core.pack_fields

--- The value of bytes that encode made; nil if they are damaged. Then, where the bytes of the next
-- value begin; nil if they are damaged.
---@type fun(bytes: string, at?: integer): any, integer|nil
encoding.decode = core.unpack

--- The values that follow each other in these bytes, up to the first that is damaged.
---@param bytes string
---@return table list
function encoding.decode_all(bytes)
   local list, at = {}, 1
   while at and at <= #bytes do
      local value
      value, at = core.unpack(bytes, at)
      if at then list[#list + 1] = value end
   end
   return list
end

return encoding
