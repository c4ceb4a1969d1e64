--- Plain values as bytes, for stores: nil, booleans, numbers, strings, and tables of these. The
-- bytes of a value say where it ends, so that several may follow each other.
-- @module smtp.outbox.encoding

local ascii = require "smtp.ground.ascii"

local encoding = {}

local DEPTH_MAX = 20

-- ---- writing ----

local write

-- Seventeen digits keep every number; the point is a point in every locale.
local function number_text(value)
   if value % 1 == 0 and value > -1e15 and value < 1e15 then return ("%d"):format(value) end
   return (("%.17g"):format(value):gsub("[^0-9eE+-]", "."))
end

local function write_table(parts, value, depth)
   assert(depth < DEPTH_MAX, "the value is a table in too many tables")
   parts[#parts + 1] = "{"
   for key, inner in next, value do
      write(parts, key, depth + 1)
      write(parts, inner, depth + 1)
   end
   parts[#parts + 1] = "}"
end

function write(parts, value, depth)
   local kind = type(value)
   if kind == "string" then
      parts[#parts + 1] = ("%d:"):format(#value)
      parts[#parts + 1] = value
   elseif kind == "number" then
      parts[#parts + 1] = "=" .. number_text(value) .. ";"
   elseif kind == "table" then
      write_table(parts, value, depth)
   else
      assert(kind == "boolean" or kind == "nil", "the value has a type that cannot be stored")
      parts[#parts + 1] = value and "+" or kind == "nil" and "~" or "-"
   end
end

--- A value as bytes. Raises an error for a function, a userdata or a coroutine.
---@param value any
---@return string
function encoding.encode(value)
   local parts = {}
   write(parts, value, 0)
   return table.concat(parts)
end

-- ---- reading ----

local read

local readers = {}

readers["+"] = function(_, at) return true, at + 1 end
readers["-"] = function(_, at) return false, at + 1 end
readers["~"] = function(_, at) return nil, at + 1 end

readers["="] = function(bytes, at)
   local digits, stop = bytes:match("^([0-9.eE+-]+);()", at + 1)
   return digits and ascii.number(digits), stop
end

readers["{"] = function(bytes, at, depth)
   local result = {}
   at = at + 1
   while bytes:byte(at) ~= 125 do -- "}"
      local key
      key, at = read(bytes, at, depth + 1)
      if key == nil then return nil, nil end
      result[key], at = read(bytes, at, depth + 1)
      if not at then return nil, nil end
   end
   return result, at + 1
end

-- -> the value; where the next one begins, nil if the bytes are damaged
function read(bytes, at, depth)
   local reader = readers[bytes:sub(at, at)]
   if reader and depth < DEPTH_MAX then return reader(bytes, at, depth) end
   local len, first = bytes:match("^([0-9]+):()", at)
   local stop = len and first + len
   if not stop or stop > #bytes + 1 then return nil, nil end
   return bytes:sub(first, stop - 1), stop
end

--- The value of bytes that encode made.
---@param bytes string
---@return any value         nil if the bytes are damaged
---@return integer|nil next  where the bytes of the next value begin; nil if they are damaged
function encoding.decode(bytes, at)
   return read(bytes, at or 1, 0)
end

--- The values that follow each other in these bytes, up to the first that is damaged.
---@param bytes string
---@return table list
function encoding.decode_all(bytes)
   local list, at = {}, 1
   while at and at <= #bytes do
      local value
      value, at = read(bytes, at, 0)
      if at then list[#list + 1] = value end
   end
   return list
end

return encoding
