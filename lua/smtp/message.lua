--- The composer alone: a message as an object, to be sent or kept by other means.
-- @module smtp.message

require "smtp.ground.modules"
local errors = require "smtp.errors"
local raw = require "smtp.compose.raw"
local request = require "smtp.client.request"
local sign = require "smtp.compose.sign"
local source = require "smtp.compose.source"

local Message = {}
local message_mt = { __index = Message, __name = "smtp.Message" }

--- Make a message.
---@param options table   the message options of smtp.send
---@return table|nil      the message: size (its bytes), envelope { from =, to = }, message_id
---@return table|nil      UsageError, AddressError, SourceError
local function new(options)
   local outgoing, err = request.message(options, nil, "smtp.message ")
   if not outgoing then return nil, err end
   local ok
   ok, err = sign.message(outgoing, math.huge)
   if ok then ok, err = raw.make_exact(outgoing, math.huge) end
   if not ok then return nil, err end
   return setmetatable({ outgoing = outgoing, size = outgoing.size,
      message_id = outgoing.message_id,
      envelope = { from = outgoing.from, to = outgoing.to } }, message_mt)
end

--- A reader of the message's bytes. Line ends are CRLF. Each call starts again from the beginning.
---@return function   returns the next piece of at most 64 KiB, nil at the end, or nil and a
--   SourceError
function Message:source()
   if getmetatable(self) ~= message_mt then return nil, errors.needs_colon("message", "source") end
   local read = source.cut(source.of_message(self.outgoing).open(), 65536)
   return function()
      local piece, trouble = read()
      if piece ~= false then return piece end
      return nil, errors.new("source", { reason = trouble.reason, cause = trouble.cause,
         hint = trouble.hint, stage = "body", what = source.sentence(trouble) })
   end
end

--- The whole message as a string. Raises a SourceError where a source fails.
function message_mt.__tostring(self)
   local parts = {}
   local read = self:source()
   while true do
      local piece, err = read()
      if err then error(err, 0) end
      if not piece then return table.concat(parts) end
      parts[#parts + 1] = piece
   end
end

return { new = errors.guarded(new) }
