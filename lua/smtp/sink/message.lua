--- How the sink takes in a message: DATA and BDAT, what follows them, and the verdict. In all of
-- it, `self` is the session.
-- @module smtp.sink.message

local ascii = require "smtp.ground.ascii"
local sink_text = require "smtp.sink.text"

local CHUNK_DIGITS = 15 -- of a chunk's length: a number of Lua's holds as many to the unit

-- ---- the verdict ----

-- The verdict on a message of this length, in LMTP on one of its recipients.
local function judge(self, len, address)
   if self:fault("final", address) then return false end
   if len > self.size_max then
      self:say("552 5.3.4 that is too large")
      return false
   end
   self:say(("250 %s queued as %d"):format(address and ("2.1.5 <%s>"):format(address) or "2.0.0",
      self.sink.count + 1))
   return true
end

-- -> the recipients that get the message (RFC 2033 4.2)
local function judge_all(self, recipients, len)
   if not self.lmtp then return judge(self, len) and recipients or {} end
   local served = {}
   for i = 1, #recipients do
      if judge(self, len, recipients[i].address) then served[#served + 1] = recipients[i] end
      if self.closed or self.silent then break end
   end
   return served
end

local function finish(self, text)
   local sink, mail = self.sink, self.mail
   self.mail = nil
   self:trace("C", ("(%.0f bytes of the message)"):format(text.len))
   local recipients, to = judge_all(self, mail.recipients, text.len), {}
   if #recipients == 0 then return end
   local data = text:whole()
   for i = 1, #recipients do to[i] = recipients[i].address end
   local taken = { from = mail.from, to = to, data = data, parameters = mail.parameters,
      recipients = recipients, authenticated = self.user, authzid = self.authzid, tls = self.tls }
   local list = sink.messages
   list[#list + 1] = taken
   sink.count = sink.count + 1
   if #list > sink.options.keep then table.remove(list, 1) end
   if sink.options.on_message then sink.options.on_message(taken) end
end

local function is_expected(self)
   return self.mail and #self.mail.recipients > 0 and not self.mail.failed
end

-- ---- the commands ----

local message = {}

function message.DATA(self)
   local mail = self.mail
   if not is_expected(self) then return "503 5.5.1 MAIL and RCPT first" end
   if mail.chunks or ascii.upper(mail.parameters.BODY or "") == "BINARYMIME" then
      return "503 5.5.1 BDAT it must be" -- RFC 3030 2 and 3
   end
   self.dotted = sink_text.new(self.size_max, self.line_end)
   return "354 end with a dot on a line by itself"
end

-- -> the reply that refuses a chunk, "" if a fault did; nil if it is taken
local function refusal(self, chunk)
   if self:fault("data", chunk.line) then return "" end
   if not self.offered.CHUNKING then return "502 5.5.1 not offered" end
   if not chunk.to then return "503 5.5.1 MAIL and RCPT first" end
   local is_over = not chunk.last and chunk.to.len > self.size_max
   return is_over and "552 5.3.4 that is too large" or nil
end

-- After a refused chunk nothing counts until RSET (RFC 3030 2).
local function end_chunk(self)
   local chunk, mail = self.chunk, self.mail
   self.chunk = nil
   local reply = refusal(self, chunk)
   if reply then
      if mail then mail.failed = true end
      if reply ~= "" then self:say(reply) end
   elseif chunk.last then
      finish(self, chunk.to)
   else
      self:say("250 2.0.0 octets taken")
   end
end

-- The octets are read before the reply, whatever it is, because they are not commands (RFC 3030 2).
-- If their number is not known, nothing more is read.
function message.BDAT(self, line)
   local len, last = line:match("^[^ \t-\r]+ +(%d+) *([A-Za-z]*)$")
   if not len or #len > CHUNK_DIGITS or last ~= "" and ascii.upper(last) ~= "LAST" then
      self.closed = true
      return "501 5.5.4 BDAT length, and LAST at the end"
   end
   self.chunk = { line = line, left = tonumber(len), last = last ~= "" }
   if is_expected(self) and self.offered.CHUNKING then
      self.mail.chunks = self.mail.chunks or sink_text.new(self.size_max)
      self.chunk.to = self.mail.chunks
   end
   if self.chunk.left == 0 then end_chunk(self) end
end

-- ---- what comes in ----

-- Each takes what it can of input from `at` on. -> where it stopped, does it need more?

function message.take_octets(self, input, at)
   local chunk = self.chunk
   local stop = math.min(#input, at + chunk.left - 1)
   if chunk.to then chunk.to:append(input:sub(at, stop)) end
   chunk.left = chunk.left - (stop - at + 1)
   if chunk.left == 0 then end_chunk(self) end
   return stop + 1
end

function message.take_lines(self, input, at)
   local text = self.dotted
   local following, needs_more = text:take_lines(input, at)
   if needs_more then return following, true end
   self.dotted = nil
   finish(self, text)
   return following
end

return message
