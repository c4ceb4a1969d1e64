--- What: the options of a message, checked and read.
-- @module smtp.compose.mail

local address = require "smtp.options.address"
local check = require "smtp.options.check"
local compose = require "smtp.compose.composer"
local dkim = require "smtp.dkim"
local errors = require "smtp.errors"
local extensions = require "smtp.options.extensions"
local raw = require "smtp.compose.raw"
local signing = require "smtp.compose.sign"

local mail = {}

local usage = errors.usage

--- The options that are objects, whose metatables count.
mail.objects = { dkim = true }

local composing = { "cc", "bcc", "reply_to", "sender", "subject", "text", "html", "attachments",
   "calendar", "headers", "date", "message_id", "in_reply_to", "references", "priority",
   "list_unsubscribe" }

local function raw_message(t, words)
   for i = 1, #composing do
      if t[composing[i]] ~= nil then
         local hint = "raw is the whole message already"
         if composing[i] == "cc" or composing[i] == "bcc" then hint = "List everybody in `to`" end
         return nil, usage(composing[i], composing[i] .. " stands beside raw", hint)
      end
   end
   return raw.read(t, words.binarymime)
end

local function composed(t, lists)
   local extra = { "eightbit", "size" }
   for i = 1, #extra do
      if t[extra[i]] ~= nil then
         return nil, usage(extra[i], extra[i] .. " is for raw messages only", "Remove it")
      end
   end
   if #lists.from > 1 and not lists.sender then
      return nil, usage("sender", "several addresses in from need a sender", "Name one of them")
   end
   local what = { from = lists.from, sender = lists.sender, reply_to = lists.reply_to,
      to = lists.to, cc = lists.cc }
   for i = 1, #composing do
      local name = composing[i]
      if what[name] == nil then what[name] = t[name] end
   end
   local made, err = compose.message(what)
   if not made then return nil, err end
   return signing.assemble(made)
end

local function read_lists(t)
   local lists = {}
   local err
   for _, name in ipairs { "from", "to", "cc", "bcc", "reply_to" } do
      lists[name], err = address.list(t[name], name)
      if not lists[name] then return nil, err end
   end
   if t.sender ~= nil then
      lists.sender, err = address.parse(t.sender, "sender")
      if not lists.sender then return nil, err end
   end
   return lists
end

-- A list of addresses; some may ask for something of their own.
local function read_envelope_to(given)
   if type(given) ~= "table" or rawget(given, "address") ~= nil then given = { given } end
   local list, err = address.list(given, "envelope.to", extensions.recipient_fields)
   if not list then return nil, err end
   for i = 1, #list do
      local ok
      ok, err = extensions.ask_recipient(given[i], list[i])
      if not ok then return nil, err end
   end
   return list
end

local function read_envelope(t, lists)
   local envelope = t.envelope or {}
   if type(envelope) ~= "table" then
      return nil, usage("envelope", "envelope must be a table", "Write { from = …, to = … }")
   end
   local ok, err = check.names(envelope, { "from", "to" }, "envelope")
   if not ok then return nil, err end
   local from = lists.sender or lists.from[1]
   if envelope.from == "" then
      from = { address = "" }
   elseif envelope.from ~= nil then
      from, err = address.parse(envelope.from, "envelope.from")
      if not from then return nil, err end
   elseif not from then
      return nil, usage("from", "from is missing", "Name the sender: from = \"ann@example.org\"")
   end
   local groups = { lists.to, lists.cc, lists.bcc }
   if envelope.to ~= nil then
      groups[1], err = read_envelope_to(envelope.to)
      if not groups[1] then return nil, err end
      groups[2], groups[3] = nil, nil
   end
   return from, groups
end

-- Each of them once -> addresses, what the first of that address asks for
local function gather(groups)
   local to, seen, asked = {}, {}, { notify_of = {}, orcpt_of = {} }
   for i = 1, #groups do
      for j = 1, #groups[i] do
         local entry = groups[i][j]
         local one = entry.address
         if not seen[one] then
            to[#to + 1], seen[one] = one, true
            asked.notify_of[one], asked.orcpt_of[one] = entry.notify, entry.orcpt
         end
      end
   end
   return to, asked
end

-- The address because of which SMTPUTF8 must be said: one of the envelope, or of the header.
local function needs_utf8(t, lists, from, groups)
   local found = address.needs_utf8 { { from } } or address.needs_utf8(groups)
   if found or t.raw ~= nil then return found end
   return address.needs_utf8 { lists.from, { lists.sender }, lists.reply_to, lists.to, lists.cc }
end

--- Which extensions a message needs, keyword to why.
---@param facts table   of the message: binary, binary_needed, eightbit, utf8
function mail.needs(facts)
   local needs = {}
   if facts.binary then
      needs.binarymime = facts.binary_needed and "raw holds what no text may hold"
         or "extensions.binarymime asks for it"
      needs.chunking = "BINARYMIME goes by it alone"
   end
   if facts.eightbit and not facts.binary_needed then
      needs["8bitmime"] = "the message holds 8-bit bytes"
   end
   if facts.utf8 then
      needs.smtputf8 = ("an address outside ASCII needs it (%s)"):format(facts.utf8)
   end
   return needs
end

-- Which extensions the message needs: facts.needs says why, facts.extensions how urgently, and
-- facts.asked what is to be said of them.
local function read_extensions(t, words, facts)
   local asked, needs = facts.asked, mail.needs(facts)
   local ok, err = extensions.ask(t, asked, needs)
   if not ok then return nil, err end
   if next(asked.notify_of) ~= nil or next(asked.orcpt_of) ~= nil then
      needs.dsn = needs.dsn or "envelope.to asks for it"
   end
   ok, err = extensions.agree(needs, words)
   if not ok then return nil, err end
   if facts.binary_needed then words.binarymime = "require" end
   if facts.binary and words.chunking ~= "require" then words.chunking = words.binarymime end
   -- 8BITMIME is the core's to require: BINARYMIME does as well.
   for keyword in next, needs do
      if keyword ~= "8bitmime" then words[keyword] = words[keyword] or "require" end
   end
   facts.extensions, facts.needs = words, needs
   return facts
end

--- A message as all that is to be said of it.
---@param t table           its options, their names checked; the caller's own copy
---@param server? smtp.Server   of the connection
---@return table|nil mail
---@return table|nil err
function mail.read(t, server)
   local ok, err = check.is_word(t, "recipients", { "any", "all" })
   if not ok then return nil, err end
   local lists
   lists, err = read_lists(t)
   if not lists then return nil, err end
   local from, groups = read_envelope(t, lists)
   if not from then return nil, groups end
   local to, asked = gather(groups)
   if #to == 0 then
      return nil, usage("to", "there is nobody to send to", "Give to, cc or bcc")
   end
   if t.raw == nil and #lists.from == 0 then
      return nil, usage("from", "from is missing", "Name the author: from = \"ann@example.org\"")
   end
   local words
   words, err = extensions.for_mail(t.extensions, server)
   if not words then return nil, err end
   local facts
   if t.raw ~= nil then
      facts, err = raw_message(t, words)
   else
      facts, err = composed(t, lists)
   end
   if not facts then return nil, err end
   if t.dkim ~= nil then
      facts.signers, err = dkim.check(t.dkim)
      if not facts.signers then return nil, err end
   end
   facts.from, facts.to = from.address, to
   facts.utf8 = needs_utf8(t, lists, from, groups)
   facts.all = t.recipients == "all"
   facts.asked = asked
   return read_extensions(t, words, facts)
end

return mail
