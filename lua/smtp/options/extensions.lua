--- The option `extensions`: which extensions of SMTP a connection or a message uses.
-- @module smtp.options.extensions

local check = require "smtp.options.check"
local core = require "smtp.core"
local refuse = require("smtp.errors").refuse

local extensions = {}

-- EHLO's keywords. STARTTLS and AUTH have options of their own.
local keywords = core.extensions

local own_option = { starttls = "tls", auth = "auth" }

local three_words = { "require", "prefer", "skip" }

local function check_word(keyword, word)
   local option = "extensions." .. keyword
   check.is_word(option, word, three_words)
   if keyword == "requiretls" and word == "prefer" then
      refuse(option, option .. " = \"prefer\" would send the message without it",
         "REQUIRETLS is a promise: leave the word out, and set requiretls = true", word)
   end
end

-- Check the option `extensions`, which maps EHLO's keywords in lower case to one of three words.
-- -> a copy; an empty table if the option is nil
local function read(given)
   if given == nil then return {} end
   if type(given) ~= "table" then
      check.refuse_value("extensions", "a table", given,
         "Write { chunking = \"skip\", dsn = \"prefer\" }")
   end
   for keyword, option in next, own_option do
      if given[keyword] ~= nil then
         refuse("extensions." .. keyword,
            keyword .. " is an option of its own, not one of extensions",
            ("Use the option %s"):format(option))
      end
   end
   check.names(given, keywords, "extensions")
   for keyword, word in next, given do check_word(keyword, word) end
   return check.copy(given)
end

--- The words for one message: those of its own option, and those of its connection.
---@param given any             the option of the message
---@param server? smtp.Server   of the connection
---@return table                keyword in lower case to "require", "prefer" or "skip"
function extensions.for_message(given, server)
   local words = read(given)
   for keyword, word in next, words do
      if word == "skip" then
         refuse("extensions." .. keyword, "a message cannot skip an extension of its connection",
            "Give the word to smtp.connect", word)
      end
   end
   for keyword, word in next, server and server.extensions or {} do
      words[keyword] = words[keyword] or word
   end
   return words
end

--- Check `extensions` of a connection, and make it agree with `pipelining`: "off" there is "skip"
-- here. Afterwards `extensions` is always a table.
---@param t table   the options of a connection, a copy
function extensions.check(t)
   t.extensions = read(t.extensions)
   local word, off = t.extensions.pipelining, t.pipelining == "off"
   if word ~= nil and t.pipelining ~= nil and off ~= (word == "skip") then
      refuse("pipelining", ("pipelining = %q contradicts extensions.pipelining = %q"):format(
         t.pipelining, word), "Keep one of them")
   end
   if off then t.extensions.pipelining = "skip" end
   if word == "skip" then t.pipelining = "off" end
end

return extensions
