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

-- A raw message with the line ends that it will have, taken apart.
-- -> { header_fields =, body =, has_body = }, or with text = all of it where it is one string,
-- body_at = the first byte of the body | nil, trouble
local function take_apart(message, deadline)
   local whole = filters.lines(source.of_message(message))
   if not whole.again then
      local kept, trouble = spool.keep(filters.checked(whole), deadline)
      if not kept then return nil, trouble end
      whole = kept
   end
   local text = whole.text
   if text then
      local head, at, has_body = filters.split_text(text)
      local fields, err = dkim.headers(head)
      if not has_body then text, at = text .. "\r\n", at + 2 end
      return fields and { header_fields = fields, text = text, body_at = at }, err
   end
   local head, body, has_body = filters.split(whole)
   local fields, err = nil, body
   if head then fields, err = dkim.headers(head) end
   if fields then return { header_fields = fields, body = body, has_body = has_body } end
   source.close(whole)
   return nil, err
end

local function set_text(message, text)
   message.text, message.source, message.size, message.size_is_exact = text, nil, #text, true
   return true
end

-- A message that is one string, its body from byte `first` on.
local function sign_text(message, fields, text, first)
   local state, err = dkim.begin(message.signers)
   if not state then return nil, err end
   dkim.whole_body(state, text, first)
   local signatures
   signatures, err = dkim.finish(state, fields)
   return signatures and set_text(message, signatures .. text), err
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

-- A body that can be read again. -> source | nil, trouble
local function readable(body, deadline)
   if type(body) == "string" then return source.of_string(body) end
   if body.again then return body end
   return spool.keep(body, deadline)
end

-- A message that is read twice: for its signatures, and when it is sent.
local function sign_source(message, parts, deadline)
   local fields = parts.header_fields
   local body, trouble = readable(parts.body, deadline)
   if not body then return source.failure(trouble) end
   parts.body = body
   local state, why = hash(message.signers, body, deadline)
   if not state then return source.failure(why) end
   local signatures, err = dkim.finish(state, fields)
   if not signatures then return nil, err end
   if not body.steady then
      body = watched(body, message.signers, fields, state:fingerprint(fields))
   end
   local pieces = { signatures }
   for i = 1, #fields do pieces[i + 1] = fields[i][2] end
   pieces[#pieces + 1] = "\r\n"
   local whole = filters.join { table.concat(pieces), body }
   if type(whole) == "string" then return set_text(message, whole) end
   message.text, message.source = nil, whole
   if whole.size then
      message.size, message.size_is_exact = whole.size, true
   elseif message.size then
      message.size = message.size + #signatures + (parts.has_body == false and 2 or 0)
   end
   return true
end

-- -> true | nil, err
local function sign_parts(message, parts, deadline)
   if parts.text then
      return sign_text(message, parts.header_fields, parts.text, parts.body_at)
   end
   return sign_source(message, parts, deadline)
end

--- Sign a message that has signers. Reads its body, which may yield.
---@param message smtp.OutgoingMessage   becomes the signed one
---@param deadline number                core.now() at which the reading must be over
---@return true|nil
---@return table|nil err                 SourceError, TimeoutError, SystemError, UsageError
function sign.message(message, deadline)
   if not message.signers then return true end
   local parts, trouble = message, nil
   if not message.header_fields then parts, trouble = take_apart(message, deadline) end
   if not parts then return source.failure(trouble) end
   local ok, err = sign_parts(message, parts, deadline)
   if not ok then source.close(parts.body) end
   return ok, err
end

return sign
