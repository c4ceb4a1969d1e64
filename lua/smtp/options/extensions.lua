--- The option `extensions`: which extensions of SMTP a connection or a message uses.
-- @module smtp.options.extensions

local check = require "smtp.options.check"
local core = require "smtp.core"
local errors = require "smtp.errors"
local user_call = require "smtp.options.user_call"

local extensions = {}

local usage = errors.usage

-- EHLO's keywords. STARTTLS and AUTH have options of their own.
local keywords = core.extensions

local own_option = { starttls = "tls", auth = "auth" }

local is_word = { require = true, prefer = true, skip = true }

local function check_word(keyword, word)
   local option = "extensions." .. keyword
   if not is_word[word] then
      return nil, usage(option, ("%s = %s is not one of its words"):format(option,
         user_call.text(word)), "Write \"require\", \"prefer\" or \"skip\"", word)
   end
   if keyword == "requiretls" and word == "prefer" then
      return nil, usage(option, option .. " = \"prefer\" would send the message without it",
         "REQUIRETLS is a promise: leave the word out, and set requiretls = true", word)
   end
   return true
end

--- Check the option `extensions`, which maps EHLO's keywords in lower case to one of three words.
---@param given any
---@return table|nil   a copy; an empty table if the option is nil
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

--- The words for one message: those of its own option, and those of its connection.
---@param given any             the option of the message
---@param server? smtp.Server   of the connection
---@return table|nil            keyword in lower case to "require", "prefer" or "skip"
---@return table|nil err
function extensions.for_message(given, server)
   local checked, err = extensions.check(given)
   if not checked then return nil, err end
   for keyword, word in next, checked do
      if word == "skip" then
         return nil, usage("extensions." .. keyword,
            "what a connection skips is settled when it is opened", "Give it to smtp.connect", word)
      end
   end
   for keyword, word in next, server and server.extensions or {} do
      checked[keyword] = checked[keyword] or word
   end
   return checked
end

--- Check `extensions` of a connection, and make it agree with `pipelining`: "off" there is "skip"
-- here. Afterwards `extensions` is always a table.
---@param t table   the options of a connection, a copy
---@return true|nil
---@return table|nil
function extensions.check_connection(t)
   local err
   t.extensions, err = extensions.check(t.extensions)
   if not t.extensions then return nil, err end
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
