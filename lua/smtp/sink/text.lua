--- A message as the sink takes it in. Beyond the limit nothing of it is kept, but all is read,
-- so that the client's next command is found.
-- @module smtp.sink.text

local Text = { __name = "smtp.SinkText" }
Text.__index = Text

--- An empty message.
---@param size_max number     octets that are kept
---@param line_end? string    "\r\n" or "\n": how the DATA command ended; not for BDAT
local function new(size_max, line_end)
   return setmetatable({ pieces = {}, len = 0, size_max = size_max, line_end = line_end }, Text)
end

function Text:append(piece)
   self.len = self.len + #piece
   if self.len > self.size_max then
      self.pieces = {}
   elseif piece ~= "" then
      self.pieces[#self.pieces + 1] = piece
   end
end

function Text:whole()
   return table.concat(self.pieces)
end

-- How a message ends, and where its dots are doubled. A client that ends commands with a bare LF
-- (typed by hand) may end the message in the same way. Any other may not: two servers could read
-- two different messages.
local endings = { ["\r\n"] = { last = "\r\n.\r\n", plain = true, doubled = "\r\n%." },
   ["\n"] = { last = "\n%.\r?\n", doubled = "\n%." } }

local TAIL = 4 -- octets that may be the beginning of the end

--- Take lines up to a lone dot, from the line end before the first on.
---@param input string
---@param at integer
---@return integer following   the first octet that is not taken
---@return boolean needs_more  the end has not come yet
function Text:take_lines(input, at)
   local ending = endings[self.line_end]
   local stop, last = input:find(ending.last, at, ending.plain)
   local upto = stop and stop + #self.line_end - 1 or math.max(at - 1, #input - TAIL)
   if not stop then -- neither a doubled dot nor the first line end is cut in two
      upto = upto - #input:sub(math.max(at, upto - 1), upto):match("[\r\n]*$")
      if not self.begun and upto - at + 1 < #self.line_end then return at, true end
   end
   local piece = input:sub(at, upto):gsub(ending.doubled, self.line_end)
   self:append(self.begun and piece or piece:sub(#self.line_end + 1))
   self.begun = self.begun or piece ~= ""
   if not stop then return upto + 1, true end
   return last + 1, false
end

return { new = new }
