--- DKIM signatures for outgoing messages: reads the body, and puts the signatures above the header.
-- @module smtp.compose.sign

local dkim = require "smtp.compose.dkim"
local filters = require "smtp.compose.filters"
local source = require "smtp.compose.source"
local spool = require "smtp.compose.spool"

local sign = {}

-- Read the whole body through DKIM. -> signing | nil, trouble
local function hash(signers, body, deadline)
   local state, err = dkim.begin(signers)
   if not state then return nil, err end
   local trouble = source.drain(filters.timed(body.open(), deadline), function(piece)
      state:body(piece)
   end)
   return not trouble and state or nil, trouble
end

-- The header fields and the body of a raw message, with the line ends that it will have.
-- -> { header_fields =, body =, has_body = } | nil, trouble
local function take_apart(message, deadline)
   local whole = filters.lines(source.of_message(message))
   if not whole.again then
      local kept, trouble = spool.keep(filters.checked(whole), deadline)
      if not kept then return nil, trouble end
      whole = kept
   end
   local head, body, has_body = filters.split(whole)
   if not head then return nil, body end
   local fields, err = dkim.headers(head)
   return fields and { header_fields = fields, body = body, has_body = has_body }, err
end

-- The body, which ends in trouble where it is not the one that was signed: a file may change.
local function watched(body, signers, fields, fingerprint)
   return source.through(body, body.size, function(read)
      local state = dkim.begin(signers)
      return function()
         local piece, trouble = read()
         if piece then state:body(piece) end
         if piece == nil and state:fingerprint(fields) ~= fingerprint then
            return source.failed("the message has changed since it was signed", nil, "changed")
         end
         return piece, trouble
      end
   end)
end

-- The parts of a message, with a body that can be read again.
-- -> { header_fields =, body =, has_body = } | nil, trouble
local function readable(message, deadline)
   local parts, trouble = message, nil
   if not message.header_fields then parts, trouble = take_apart(message, deadline) end
   if not parts then return nil, trouble end
   local body = parts.body
   if type(body) == "string" then
      body = source.of_string(body)
   elseif not body.again then
      body, trouble = spool.keep(body, deadline)
   end
   return body and { header_fields = parts.header_fields, body = body,
      has_body = parts.has_body }, trouble
end

--- Sign a message that has signers. Reads its body, which may yield.
---@param message smtp.OutgoingMessage   becomes the signed one
---@param deadline number                core.now() at which the reading must be over
---@return true|nil
---@return table|nil err                 SourceError, TimeoutError, SystemError, UsageError
function sign.message(message, deadline)
   if not message.signers then return true end
   local parts, trouble = readable(message, deadline)
   if not parts then return source.failure(trouble) end
   local body, fields = parts.body, parts.header_fields
   local state, why = hash(message.signers, body, deadline)
   if not state then return source.failure(why) end
   local signatures, err = state:finish(fields)
   if not signatures then return nil, err end
   if not body.steady then
      body = watched(body, message.signers, fields, state:fingerprint(fields))
   end
   local pieces = { signatures }
   for i = 1, #fields do pieces[i + 1] = fields[i][2] end
   pieces[#pieces + 1] = "\r\n"
   local whole = filters.join { table.concat(pieces), body }
   if type(whole) == "string" then
      message.text, message.source, message.size, message.size_is_exact = whole, nil, #whole, true
      return true
   end
   message.text, message.source = nil, whole
   if whole.size then
      message.size, message.size_is_exact = whole.size, true
   elseif message.size then
      message.size = message.size + #signatures + (parts.has_body == false and 2 or 0)
   end
   return true
end

return sign
