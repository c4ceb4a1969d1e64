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
---@param made table   { headers =, body =, message_id = } of compose.message
---@return table mail  { source =, size =, source_len =, eightbit =, message_id =, headers =,
--   body = }
function signing.assemble(made)
   local head = mime.lines(made.headers) .. "\r\n"
   local whole = source.joined { source.of_string(head), made.body }
   return { source = whole, text = whole.text, size = whole.size, source_len = whole.size,
      message_id = made.message_id, exact = whole.size ~= nil and whole.again, eightbit = false,
      headers = made.headers, body = made.body }
end

-- A raw message in two, with the line ends it will have.
local function take_apart(mail, deadline)
   local whole = source.lines(mail.source)
   if not whole.again then
      local kept, trouble = source.spool(source.checked(whole), deadline)
      if not kept then return nil, trouble end
      whole = kept
   end
   local head, body, parted = source.split(whole)
   if not head then return nil, body end
   local headers, err = dkim.headers(head)
   return headers and { headers = headers, body = body, parted = parted }, err
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
local function readable(mail, deadline)
   local made, why = mail, nil
   if not mail.headers then made, why = take_apart(mail, deadline) end
   if not made then return nil, nil, why end
   if made.body.again then return made, made.body end
   local body, trouble = source.spool(made.body, deadline)
   return body and made, body, trouble
end

--- A raw message as it goes out, for those who take it from us: its size is known, and its source
-- can be read again and again.
---@return true|nil
---@return table|nil   SourceError, TimeoutError
function signing.settle(mail, deadline)
   local whole = mail.source
   if not mail.binary_needed then whole = source.checked(source.lines(whole)) end
   if not mail.exact then
      local trouble
      whole, trouble = source.spool(whole, deadline)
      if not whole then return signing.failed(trouble) end
      mail.size, mail.exact = whole.size, true
   end
   mail.source = whole
   return true
end

--- Sign, where `mail.signers` are given. Reads the body, which may yield.
---@param mail table     of smtp.options; becomes the signed one
---@param deadline number   core.now() at which the reading must be over
---@return true|nil
---@return table|nil     SourceError, TimeoutError
function signing.sign(mail, deadline)
   if not mail.signers then return true end
   local made, body, trouble = readable(mail, deadline)
   if not made then return signing.failed(trouble) end
   local state, why = hash(mail.signers, body, deadline)
   if not state then return signing.failed(why) end
   local signature, err = state:finish(made.headers)
   if not signature then return nil, err end
   if not body.steady then
      body = watched(body, mail.signers, made.headers, state:fingerprint(made.headers))
   end
   local head = signature .. mime.lines(made.headers) .. "\r\n"
   mail.source = source.joined { source.of_string(head), body }
   mail.text = mail.source.text
   mail.source_len = mail.source.size
   if mail.source_len then
      mail.size, mail.exact = mail.source_len, true
   elseif mail.size then
      mail.size = mail.size + #signature + (made.parted == false and 2 or 0)
   end
   return true
end

return signing
