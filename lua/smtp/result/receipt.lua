--- Receipts: what became of a message that at least one recipient has, and over which server.
-- @module smtp.result.receipt

local ascii = require "smtp.ground.ascii"
local core = require "smtp.core"
local verdict = require "smtp.result.verdict"

local receipt = {}

--- The needs of a message that needs no extension; never changed.
receipt.no_needs = {}

--- The needs of a message that needs 8BITMIME alone; never changed.
receipt.eightbit_needs = { ["8bitmime"] = "the message contains 8-bit bytes" }

--- The state of authentication: `auth` of a receipt and of a connection.
---@param conv smtp.Conversation   its offer is noted
---@param facts table   session:facts()
---@param mechanisms? table<string, string>   what became of each, where none was used
---@return smtp.AuthState
function receipt.auth(conv, facts, mechanisms)
   local offered = facts.offered
   return { state = facts.auth, mechanisms = mechanisms,
      mechanism = facts.auth == "authenticated" and facts.mechanism or nil,
      reason = facts.auth_reason, offered = offered and core.make(core.template(offered)),
      downgrade = conv.downgrade }
end

--- The state of TLS: `tls` of a receipt.
---@param conv smtp.Conversation
---@param state string   `tls` of session:facts()
---@return table
function receipt.tls(conv, state)
   local tls = conv.tls
   if not tls then return { state = state } end
   return { state = state, version = tls.version, cipher = tls.cipher, verified = tls.verified,
      resumed = tls.resumed }
end

--- What all receipts of a connection share: auth, tls, capabilities, server. For receipt.used:
-- `words`, `none`, the answer for a message that needs no extension, and `eightbit`, the answer for
-- one that needs 8BITMIME alone, once it is known.
---@param conv smtp.Conversation   its offer is noted
---@param facts table   session:facts()
---@param auth smtp.AuthState
---@param capabilities table   keyword to parameters
---@return table
function receipt.parts(conv, facts, auth, capabilities)
   return { auth = auth, tls = receipt.tls(conv, facts.tls), capabilities = capabilities,
      words = conv.words, none = {}, pipelining = false,
      server = { host = conv.server.host, port = conv.server.port, address = conv.address,
         name = facts.server:match("^[^ \t-\r]+") } }
end

--- A template of the parts of one connection, for receipt.same_parts.
---@param parts table   from receipt.parts
---@return table
function receipt.template(parts)
   local words = parts.words
   parts.words = false
   local template = core.template(parts)
   parts.words = words
   return template
end

--- The parts of another connection, which found the same but for TLS. A caller may change what a
-- receipt contains, so that they are tables of their own.
---@param template table   from receipt.template
---@param words table      what the session may use of each extension
---@param tls? table       from receipt.tls; nil: the same
---@return table
function receipt.same_parts(template, words, tls)
   local parts = core.make(template)
   parts.words, parts.tls = words, tls or parts.tls
   return parts
end

--- How far this library goes ahead of the server's answers: by what the server offers, and by what
-- is known of it.
---@param parts table   from receipt.parts
---@param grade string  session:grade()
---@return "off"|"safe"|"eager"
function receipt.pipelining(parts, grade)
   if not parts.capabilities.PIPELINING or parts.words.pipelining == "skip" then return "off" end
   return grade == "safe" and "safe" or "eager"
end

--- Which of the extensions that a message needs were used?
---@param needs table   by keyword
---@param parts table   from receipt.parts
---@return table<string, "used"|"unavailable">
function receipt.used(needs, parts)
   if next(needs) == nil then return parts.none end
   local state = {}
   for keyword in next, needs do
      local offered = parts.capabilities[ascii.upper(keyword)] and parts.words[keyword] ~= "skip"
      state[keyword] = offered and "used" or "unavailable"
   end
   if state.binarymime == "used" and state.chunking == "used" then
      state["8bitmime"] = nil
   elseif state.binarymime then
      state.binarymime = "unavailable"
   end
   return state
end

--- The bytes of a message on the wire, nil where they are an estimate: a raw file or function whose
-- line ends are not known.
---@param message smtp.OutgoingMessage|table   as request.plain makes them
---@return number|nil
function receipt.size(message)
   local is_exact = message.size_is_exact or message.header_fields or message.plain
   return is_exact and message.size or nil
end

--- The receipt of a message. The receipts of one connection share what they say of the server.
---@param parts table        from receipt.parts
---@param used table         from receipt.used
---@param message_id? string
---@param size? number       octets of the message on the wire
---@param seconds number
---@param recipients table   from transaction:receipt, as are the following values
---@param accepted string[]
---@param refused table
---@param reply table
---@return smtp.Receipt
function receipt.new(parts, used, message_id, size, seconds, recipients, accepted, refused, reply)
   if refused[1] then verdict.name_recipients(refused, parts.server, parts.auth) end
   return { recipients = recipients, accepted = accepted, refused = refused, reply = reply,
      message_id = message_id, size = size, seconds = seconds, auth = parts.auth, tls = parts.tls,
      server = parts.server, capabilities = parts.capabilities, pipelining = parts.pipelining,
      extensions = used }
end

--- What pipeline:take needs beside receipt.parts: the answer for a message with 8-bit bytes.
---@param parts table
function receipt.prepare(parts)
   parts.eightbit = parts.eightbit or receipt.used(receipt.eightbit_needs, parts)
end

--- Complete the receipts of messages of send_many: with what is known of those that are entries,
-- and of recipients that were refused.
---@param parts table    from receipt.parts
---@param values table   what pipeline:take returned: an index or an entry, and a receipt, of each;
--   each entry is replaced by its index
---@param count number
function receipt.complete(parts, values, count)
   for i = 1, 2 * count, 2 do
      local entry, one = values[i], values[i + 1]
      if type(entry) == "table" then
         values[i] = entry.index
         one.message_id, one.size = entry.message_id, receipt.size(entry)
         one.extensions = receipt.used(entry.needs, parts)
      end
      if one.refused[1] then verdict.name_recipients(one.refused, parts.server, parts.auth) end
   end
end

return receipt
