--- The outgoing message: its envelope, its bytes, and what it needs from the server; read from the
-- options of a message.
-- @module smtp.compose.outgoing

local composed = require "smtp.compose.composed"
local envelopes = require "smtp.compose.envelope"
local extensions = require "smtp.options.extensions"
local parameters = require "smtp.options.parameters"
local raw = require "smtp.compose.raw"
local receipts = require "smtp.result.receipt"
local refuse = require("smtp.errors").refuse
local system = require "smtp.ground.resources"

local dkim_options = system.late "smtp.compose.dkim_options"

local outgoing = {}

---@class smtp.OutgoingMessage
---@field from string                  the envelope's sender, canonical; "" is the null reverse-path
---@field to string[]                  the envelope's recipients, canonical, each once
---@field needs_all_recipients boolean a refused recipient fails the message for the others as well
---@field text string|nil              the bytes, where one string contains all of them
---@field source smtp.Source|nil       gives the bytes where `text` is nil
---@field size number|nil              bytes with the line ends of the wire, or an estimate
---@field size_is_exact boolean        `size` is not an estimate
---@field eightbit boolean             some byte is over 127
---@field may_be_binary boolean        the bytes may be sent as BINARYMIME
---@field must_be_binary boolean       the bytes can be sent as BINARYMIME only
---@field utf8_address string|nil      an address because of which SMTPUTF8 is needed
---@field parameters table             of MAIL and RCPT, as core.transaction reads them
---@field extensions table             keyword in lower case to "require", "prefer" or "skip"
---@field needs table                  keyword in lower case to the reason why it is needed
---@field signers table|nil            keys for DKIM, from dkim_options.check; nil: do not sign
---@field message_id string|nil        of a composed message
---@field header_fields table|nil      of a composed message: { { name, raw }, … }
---@field body string|smtp.Source|nil  of a composed message that is not one string, if it is signed
---@field body_at number|nil           of a composed message: the first byte of its body

-- ---- content ----

local composing = { "cc", "bcc", "reply_to", "sender", "subject", "text", "html", "attachments",
   "calendar", "headers", "date", "message_id", "in_reply_to", "references", "priority",
   "list_unsubscribe" }

local function raw_content(t, words)
   for i = 1, #composing do
      local name = composing[i]
      if t[name] ~= nil then
         refuse(name, ("%s and raw are both given"):format(name), (name == "cc" or name == "bcc")
            and "List all recipients in to" or "Write it into raw, which is the whole message, "
            .. "or use text and html instead of raw")
      end
   end
   return raw.read(t, words.binarymime)
end

-- ---- what the message needs from the server ----

-- An address of the envelope, or of the header, because of which SMTPUTF8 is needed.
local function utf8_address(lists, envelope, content)
   local found = envelope.utf8 or content.utf8_address
   if found or not content.header_fields then return found end -- raw has none that are known
   return envelopes.header_utf8(lists)
end

--- Which extensions the bytes and addresses of a message need.
---@param message table   may_be_binary, must_be_binary, eightbit, utf8_address
---@return table needs    keyword to the reason
function outgoing.needs(message)
   local needs = {}
   if message.may_be_binary then
      needs.binarymime = message.must_be_binary and "raw contains bytes that text may not contain"
         or "extensions.binarymime asks for it"
      needs.chunking = "BINARYMIME is sent by it alone"
   end
   if message.eightbit and not message.must_be_binary then
      needs["8bitmime"] = receipts.eightbit_needs["8bitmime"]
   end
   if message.utf8_address then
      needs.smtputf8 = ("an address outside ASCII needs it (%s)"):format(message.utf8_address)
   end
   return needs
end

-- The options that ask for extensions, and what the bytes and addresses need.
local function read_extensions(t, words, message)
   local needs = outgoing.needs(message)
   parameters.read(t, message.parameters, needs, words)
   if message.must_be_binary then words.binarymime = "require" end
   if message.may_be_binary and words.chunking ~= "require" then
      words.chunking = words.binarymime
   end
   -- The core requires 8BITMIME where it is needed: a server with BINARYMIME needs no 8BITMIME.
   for keyword in next, needs do
      if keyword ~= "8bitmime" then words[keyword] = words[keyword] or "require" end
   end
   message.extensions, message.needs = words, needs
end

--- The one constructor: read the options of a message. Raises an error of this library.
---@param t table                 the options, their names checked; a copy of the caller's
---@param server? smtp.Server     of the connection
---@return smtp.OutgoingMessage
function outgoing.read(t, server)
   local lists = envelopes.lists(t)
   local envelope = envelopes.read(t, lists)
   local words = {} -- keyword in lower case to "require", "prefer" or "skip"
   if t.extensions ~= nil or server and next(server.extensions) ~= nil then
      words = extensions.for_message(t.extensions, server)
   end
   local content = t.raw ~= nil and raw_content(t, words) or composed.read(t, lists)
   local message = { from = envelope.from, to = envelope.to,
      needs_all_recipients = t.recipients == "all",
      source = content.source, text = content.text, size = content.size,
      size_is_exact = content.size_is_exact or false, eightbit = content.eightbit,
      may_be_binary = content.may_be_binary or false,
      must_be_binary = content.must_be_binary or false,
      utf8_address = utf8_address(lists, envelope, content), parameters = envelope.parameters,
      signers = t.dkim ~= nil and dkim_options.check(t.dkim) or nil,
      message_id = content.message_id, header_fields = content.header_fields,
      body = content.body, body_at = content.body_at }
   read_extensions(t, words, message)
   return message
end

return outgoing
