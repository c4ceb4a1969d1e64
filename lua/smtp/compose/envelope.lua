--- The addresses of a message: those in its options, and its envelope. Other conversations have
-- their turn while long lists are read.
-- @module smtp.compose.envelope

local address = require "smtp.options.address"
local check = require "smtp.options.check"
local core = require "smtp.core"
local parameters = require "smtp.options.parameters"
local refuse = require("smtp.errors").refuse
local runtime = require "smtp.runtime.runtime"

local envelope = {}

local NONE = {} -- an empty list, which is never changed

-- Options, and where their addresses begin in the line of their header.
local list_options = { { "from", #"From: " }, { "to", #"To: " }, { "cc", #"Cc: " }, { "bcc" },
   { "reply_to", #"Reply-To: " } }

--- Read the addresses in the options of a message. Raises an AddressError or a UsageError.
---@param t table
---@return table   from, to, cc, bcc, reply_to: smtp.AddressList, perhaps empty; sender: a list of
--   one, or nil
function envelope.lists(t)
   local lists = {}
   for i = 1, #list_options do
      local name, column = list_options[i][1], list_options[i][2]
      lists[name] = t[name] ~= nil and address.list(t[name], name, column, runtime.breathe) or NONE
   end
   if t.sender ~= nil then lists.sender = address.list({ t.sender }, "sender", #"Sender: ") end
   return lists
end

-- A list of addresses; each may have parameters of its own.
local function read_to(value)
   if type(value) ~= "table" or rawget(value, "address") ~= nil then value = { value } end
   local names = parameters.recipient_fields
   local list = address.list(value, "envelope.to", nil, runtime.breathe, names)
   list.parameters = {}
   for i = 1, #list do
      if type(value[i]) == "table" then
         list.parameters[i] = {}
         parameters.read_recipient(value[i], list.parameters[i])
      end
   end
   return list
end

local envelope_names = { "from", "to" }

local function check_option(value)
   if type(value) ~= "table" then
      check.refuse_value("envelope", "a table", value, "Write envelope = { from = …, to = … }")
   end
   check.names(value, envelope_names, "envelope", nil, "envelope")
end

-- -> the envelope's sender: a list of one
local function read_from(value, lists)
   if value == "" then return { "" } end
   if value ~= nil then return address.list({ value }, "envelope.from") end
   if lists.sender or lists.from[1] then return lists.sender or lists.from end
   refuse("from", "from is missing", "Name the sender: from = \"ann@example.org\"")
end

-- The parameters of recipients: those of the first entry with an address count.
local function parameters_of(list)
   local values = { notify_of = {}, orcpt_of = {} }
   for i = list.parameters and #list or 0, 1, -1 do
      local one, own = list[i], list.parameters[i] or {}
      values.notify_of[one], values.orcpt_of[one] = own.notify, own.orcpt
   end
   return values
end

-- The addresses of these lists, each once.
local function unique(lists)
   local to, seen = {}, core.set(#lists[1] + #lists[2] + #lists[3])
   for i = 1, #lists do
      local list, at, began = lists[i], 1, nil
      while at <= #list do
         at = core.append_new(list, at, to, seen)
         if at <= #list then began = runtime.breathe(began or core.now()) end
      end
   end
   return to
end

-- The first address of these lists that needs SMTPUTF8.
local function first_utf8(lists)
   for i = 1, #lists do
      if lists[i].utf8 then return lists[i].utf8 end
   end
end

local function refuse_empty(t, option)
   local hint = t.raw ~= nil and "Give to, the recipients of raw" or "Give to, cc or bcc"
   if option.to ~= nil then
      hint = "envelope.to is empty, and counts in place of to, cc and bcc: leave it out, or write "
         .. "the recipients into it"
   end
   refuse(option.to ~= nil and "envelope.to" or "to", "the message has no recipient", hint)
end

--- Read the envelope of a message. Raises an AddressError or a UsageError.
---@param t table         the options of the message
---@param lists table     from envelope.lists
---@return table          from, to; parameters: of recipients, notify_of and orcpt_of by address;
--   utf8: an address because of which SMTPUTF8 is needed, or nil
function envelope.read(t, lists)
   local option = t.envelope or {}
   if t.envelope ~= nil then check_option(option) end
   local from = read_from(option.from, lists)
   local first, cc, bcc = lists.to, lists.cc, lists.bcc
   if option.to ~= nil then first, cc, bcc = read_to(option.to), NONE, NONE end
   local to = unique { first, cc, bcc }
   if #to == 0 then refuse_empty(t, option) end
   return { from = from[1], to = to, parameters = parameters_of(first),
      utf8 = from.utf8 or first_utf8 { first, cc, bcc } }
end

--- An address in the header because of which SMTPUTF8 is needed, or nil.
---@param lists table   from envelope.lists
function envelope.header_utf8(lists)
   return first_utf8 { lists.from, lists.sender or NONE, lists.reply_to, lists.to, lists.cc }
end

return envelope
