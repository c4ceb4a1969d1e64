--- How the sink takes in a message: DATA and BDAT, what follows them, and the verdict. In all of
-- it, `self` is the session.
-- @module smtp.sink.message

local ascii = require "smtp.ground.ascii"
local reader = require "smtp.sink.reader"
local sink_options = require "smtp.sink.options"
local sink_text = require "smtp.sink.text"

local CHUNK_DIGITS = 15 -- of a chunk's length: a number of Lua's holds as many to the unit

-- ---- what a message contains ----

-- `headers` and `parts` of a message are read when they are asked for, and kept beside it: a
-- message has the fields of its envelope and `data`, whether it was read or not.
local contents = setmetatable({}, { __mode = "k" })

local Message = { __name = "smtp.SinkMessage" }

function Message:__index(field)
   if field ~= "headers" and field ~= "parts" then return nil end
   contents[self] = contents[self] or reader.read(self.data)
   return contents[self][field]
end

-- ---- the verdict ----

-- What follows after the message, or in LMTP after it for one recipient.
-- -> { fault = a fault or a refusal, nil: it is accepted; recipient = }
local function judge(self, len, recipient)
   local fault = self:find_fault("final", recipient and recipient.address)
   if not fault and len > self.size_max then fault = "552 5.3.4 that is too large" end
   return { fault = fault, recipient = recipient }
end

local function ends(fault)
   return fault == "drop" or fault == "silence" or fault ~= nil and fault:find("^421") ~= nil
end

-- -> the verdicts, one for each recipient in LMTP; the recipients that get it (RFC 2033 4.2)
local function judge_all(self, recipients, len)
   if not self.lmtp then
      local verdict = judge(self, len)
      return { verdict }, verdict.fault and {} or recipients
   end
   local verdicts, served = {}, {}
   for i = 1, #recipients do
      verdicts[i] = judge(self, len, recipients[i])
      if not verdicts[i].fault then served[#served + 1] = recipients[i] end
      if ends(verdicts[i].fault) then break end
   end
   return verdicts, served
end

local function say_all(self, verdicts, refusal)
   for i = 1, #verdicts do
      local fault, recipient = verdicts[i].fault or refusal, verdicts[i].recipient
      if fault then
         self:commit(fault)
      else
         self:say(("250 %s queued as %d"):format(
            recipient and ("2.1.5 <%s>"):format(recipient.address) or "2.0.0", self.sink.count))
      end
      if self.closed or self.silent then return end
   end
end

-- -> the message as a sink keeps it
local function compose(self, mail, recipients, text)
   local to = {}
   for i = 1, #recipients do to[i] = recipients[i].address end
   return setmetatable({ from = mail.from, to = to, data = text:whole(), recipients = recipients,
      parameters = mail.parameters, authenticated = self.user, authzid = self.authzid,
      tls = self.tls, tls_version = self.tls_version, tls_cipher = self.tls_cipher }, Message)
end

-- Keep a message, unless the caller's function refuses it. -> the refusal | nil
local function keep(self, taken)
   local sink = self.sink
   local fault = sink.options.on_message and sink.options.on_message(taken) or false
   sink_options.check_fault("on_message", fault)
   local refusal = self:note_delay(fault or nil)
   if refusal then return refusal end
   sink.count = sink.count + 1
   table.insert(sink.messages, taken)
   if #sink.messages > sink.options.keep then table.remove(sink.messages, 1) end
end

local function finish(self, text)
   local mail, refusal = self.mail, nil
   self.mail = nil
   self:trace("C", ("(%.0f bytes of the message)"):format(text.len))
   local verdicts, recipients = judge_all(self, mail.recipients, text.len)
   if #recipients > 0 then refusal = keep(self, compose(self, mail, recipients, text)) end
   say_all(self, verdicts, refusal)
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
