--- The messages of a conversation that are not at hand as one string: where each is read, piece by
-- piece, when its transaction is the one that is said.
-- @module smtp.client.body

local source = require("smtp.ground.resources").late "smtp.compose.source" -- messages bring it

local body = {}

local Body = { __name = "smtp.Body" }
Body.__index = Body

--- The messages of one conversation, none yet.
function body.new()
   return setmetatable({
      messages = setmetatable({}, { __mode = "k" }), -- by transaction
      spoken = nil,   -- the transaction whose message is read
      read = nil,     -- the function that gives its next piece
      piece = nil,    -- the piece of which the session has taken a part
      piece_at = nil, -- where the rest of it begins
   }, Body)
end

--- Note a message, to be read when the session asks for it.
function Body:add(transaction, message)
   self.messages[transaction] = message
end

-- The next piece, a string or a buffer, nil at the end of the message; false after a failure, and
-- what it was.
local function next_piece(self, spoken)
   if self.spoken ~= spoken then
      local message = self.messages[spoken]
      self.spoken, self.read, message.read = spoken, message.source.open(true), true
   end
   return self.read()
end

--- The session asks for the next piece of the message that it says.
---@return table|nil trouble   what the source of the message failed with: { reason, cause }
---@return string|nil text
---@return integer|nil len     how many bytes were read for it
function Body:give(session)
   local spoken, piece = session:spoken(), self.piece
   -- A message may be refused on its way: what is left of it is not the next one's.
   if piece and self.spoken == spoken then
      self.piece_at = session:body(piece, self.piece_at)
      if self.piece_at > #piece then self.piece = nil end
      return nil
   end
   local trouble
   piece, trouble = next_piece(self, spoken)
   self.piece, self.piece_at = piece or nil, 1
   if piece == nil then session:body_end() end
   if piece == false then return trouble, source.sentence(trouble) end
   return nil, nil, piece and #piece
end

--- A message is over: what was read of it needs no memory any more.
function Body:forget(session)
   self.spoken, self.read, self.piece = nil, nil, nil
   session:body_forget()
end

return body
