--- A message made ready to be sent: its headers and its body as one source, signed where that is
-- wanted.
-- @module smtp.compose.sign

local core = require "smtp.core"
local dkim = require "smtp.dkim"
local errors = require "smtp.errors"
local host = require "smtp.runtime.runtime"
local mime = require "smtp.compose.mime"
local source = require "smtp.compose.source"

local signing = {}

--- Where headers and body of a composed message come from.
---@param parts table   { header_fields =, body =, message_id = } of compose.message
---@return table         the same, with source, text, size, size_is_exact and eightbit of
--   smtp.OutgoingMessage
function signing.assemble(parts)
   local head = mime.lines(parts.header_fields) .. "\r\n"
   local whole = source.joined { source.of_string(head), parts.body }
   return { source = whole, text = whole.text, size = whole.size,
      size_is_exact = whole.size ~= nil and whole.again == true, eightbit = false,
      message_id = parts.message_id, header_fields = parts.header_fields, body = parts.body }
end

-- A raw message in two, with the line ends it will have.
local function take_apart(message, deadline)
   local whole = source.lines(message.source)
   if not whole.again then
      local kept, trouble = source.spool(source.checked(whole), deadline)
      if not kept then return nil, trouble end
      whole = kept
   end
   local head, body, parted = source.split(whole)
   if not head then return nil, body end
   local headers, err = dkim.headers(head)
   return headers and { header_fields = headers, body = body, parted = parted }, err
end

--- Trouble of a source as an error, or the error that DKIM has made of it already.
function signing.failed(trouble)
   if errors.is(trouble) then return nil, trouble end
   local kind = (trouble.reason == "tmpfile" or trouble.reason == "resources") and "system"
      or trouble.reason == "timeout" and "timeout" or "source"
   return nil, errors.new(kind, {
      reason = trouble.reason, cause = trouble.cause, stage = "body",
      what = "the message is not sent: " .. source.sentence(trouble) })
end

-- Reads all of it through DKIM. -> the state of the signatures | nil, trouble
local function hash(signers, body, deadline)
   local state, err = dkim.begin(signers)
   if not state then return nil, err end
   local read = source.timed(body.open(), deadline)
   while true do
      local began = core.now()
      local piece, trouble = read()
      if piece == false then return nil, trouble end
      if piece == nil then return state end
      state:body(piece)
      host.breathe(began)
   end
end

-- What was signed is what must be sent: a file that changed meanwhile is not.
local function watched(body, signers, headers, fingerprint)
   return { size = body.size, again = true, open = function()
      local state, read = dkim.begin(signers), body.open()
      return function()
         local piece, trouble = read()
         if piece then state:body(piece) end
         if piece == nil and state:fingerprint(headers) ~= fingerprint then
            return false, { reason = "changed",
               what = "the message has changed since it was signed" }
         end
         return piece, trouble
      end
   end }
end

-- Headers and a body that can be read again. -> made, body | nil, nil, trouble
local function readable(message, deadline)
   local made, why = message, nil
   if not message.header_fields then made, why = take_apart(message, deadline) end
   if not made then return nil, nil, why end
   if made.body.again then return made, made.body end
   local body, trouble = source.spool(made.body, deadline)
   return body and made, body, trouble
end

--- A raw message as it goes out, for those who take it from us: its size is known, and its source
-- can be read again and again.
---@return true|nil
---@return table|nil   SourceError, TimeoutError
function signing.settle(message, deadline)
   local whole = message.source
   if not message.must_be_binary then whole = source.checked(source.lines(whole)) end
   if not message.size_is_exact then
      local trouble
      whole, trouble = source.spool(whole, deadline)
      if not whole then return signing.failed(trouble) end
      message.size, message.size_is_exact = whole.size, true
   end
   message.source = whole
   return true
end

--- Sign, where `message.signers` are given. Reads the body, which may yield.
---@param message smtp.OutgoingMessage   becomes the signed one
---@param deadline number   core.now() at which the reading must be over
---@return true|nil
---@return table|nil     SourceError, TimeoutError
function signing.sign(message, deadline)
   if not message.signers then return true end
   local made, body, trouble = readable(message, deadline)
   if not made then return signing.failed(trouble) end
   local state, why = hash(message.signers, body, deadline)
   if not state then return signing.failed(why) end
   local signature, err = state:finish(made.header_fields)
   if not signature then return nil, err end
   if not body.steady then
      body = watched(body, message.signers, made.header_fields, state:fingerprint(made.header_fields))
   end
   local head = signature .. mime.lines(made.header_fields) .. "\r\n"
   message.source = source.joined { source.of_string(head), body }
   message.text = message.source.text
   if message.source.size then
      message.size, message.size_is_exact = message.source.size, true
   elseif message.size then
      message.size = message.size + #signature + (made.parted == false and 2 or 0)
   end
   return true
end

return signing
