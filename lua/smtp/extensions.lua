--- The extensions of SMTP: which ones are to be used, and what a message asks of them.
-- Nothing of it is seen on the wire before its grammar is checked here.
-- @module smtp.extensions

local check = require "smtp.check"
local errors = require "smtp.errors"
local guard = require "smtp.guard"

local extensions = {}

local usage = errors.usage

-- EHLO's keywords. STARTTLS and AUTH have options of their own.
local keywords = { "pipelining", "8bitmime", "size", "smtputf8", "chunking", "binarymime", "dsn",
   "requiretls", "deliverby", "futurerelease", "mt-priority", "limits" }

local own_option = { starttls = "tls", auth = "auth" }

local is_word = { require = true, prefer = true, skip = true }

local function check_word(keyword, word)
   local option = "extensions." .. keyword
   if not is_word[word] then
      return nil, usage(option, ("%s = %s is not one of its words"):format(option,
         guard.text(word)), "Write \"require\", \"prefer\" or \"skip\"", word)
   end
   if keyword == "requiretls" and word == "prefer" then
      return nil, usage(option, option .. " = \"prefer\" would send the message without it",
         "REQUIRETLS is a promise: leave the word out, and set requiretls = true", word)
   end
   return true
end

--- The option `extensions`, which maps EHLO's keywords in lower case to one of the three words.
---@param given any
---@return table|nil   a copy; empty where nothing was given
---@return table|nil   UsageError
function extensions.check(given)
   if given == nil then return {} end
   if type(given) ~= "table" then
      return nil, usage("extensions", "extensions must be a table",
         "Write { chunking = \"skip\", dsn = \"prefer\" }")
   end
   for keyword, option in next, own_option do
      if given[keyword] ~= nil then
         return nil, usage("extensions." .. keyword, ("%s is not among extensions"):format(keyword),
            ("Use the option %s"):format(option))
      end
   end
   local ok, err = check.names(given, keywords, "extensions")
   if not ok then return nil, err end
   local checked = {}
   for keyword, word in next, given do
      ok, err = check_word(keyword, word)
      if not ok then return nil, err end
      checked[keyword] = word
   end
   return checked
end

--- The words that hold for one message: those of its own, and those of its connection.
---@param given any        the message's own
---@param plan? table      of the connection
---@return table|nil words
---@return table|nil err
function extensions.for_mail(given, plan)
   local checked, err = extensions.check(given)
   if not checked then return nil, err end
   for keyword, word in next, checked do
      if word == "skip" then
         return nil, usage("extensions." .. keyword,
            "what a connection skips is settled when it is opened", "Give it to smtp.connect", word)
      end
   end
   for keyword, word in next, plan and plan.extensions or {} do
      checked[keyword] = checked[keyword] or word
   end
   return checked
end

--- What a message cannot do without must not be skipped.
---@param needs table   keyword to the reason
---@param words table
---@return true|nil
---@return table|nil
function extensions.agree(needs, words)
   for keyword, why in next, needs do
      if words[keyword] == "skip" then
         local option = "extensions." .. keyword
         return nil, usage(option, ("%s = \"skip\", and %s"):format(option, why),
            "Remove one of them", "skip")
      end
   end
   return true
end

--- `pipelining = "off"` and `extensions.pipelining = "skip"` are the same.
---@param t table   both of them, checked; they agree afterwards
---@return true|nil
---@return table|nil
function extensions.settle_pipelining(t)
   local word, off = t.extensions.pipelining, t.pipelining == "off"
   if word ~= nil and t.pipelining ~= nil and off ~= (word == "skip") then
      return nil, usage("pipelining", ("pipelining = %q contradicts extensions.pipelining = %q")
         :format(t.pipelining, word), "Keep one of them")
   end
   if off then t.extensions.pipelining = "skip" end
   if word == "skip" then t.pipelining = "off" end
   return true
end

return extensions
