--- The flag --quit-after: talk to the server up to a point of the dialogue, and send no message.
-- @module smtp.cli.quit_after

local ascii = require "smtp.ground.ascii"
local errors = require "smtp.errors"
local names = require "smtp.options.names"
local output = require "smtp.cli.output"
local rehearsal = require "smtp.client.rehearsal"
local system = require "smtp.ground.resources"
local wording = require "smtp.cli.wording"

local unknown = system.late "smtp.options.unknown"

local quit_after = {}

--- The words, in the order of the dialogue.
quit_after.words = { "BANNER", "FIRST-EHLO", "STARTTLS", "EHLO", "AUTH", "MAIL", "RCPT" }

-- Other programs have these words for the same points.
local synonyms = { CONNECT = "BANNER", ["FIRST-HELO"] = "FIRST-EHLO", TLS = "STARTTLS",
   HELO = "EHLO", LHLO = "EHLO", FROM = "MAIL", TO = "RCPT" }

local points = { BANNER = "greeting", ["FIRST-EHLO"] = "first_ehlo", STARTTLS = "starttls",
   EHLO = "ehlo", AUTH = "auth", MAIL = "mail", RCPT = "rcpt" }

--- The word of a point, in its one form. Raises a UsageError.
---@param text string
---@return string
function quit_after.word(text)
   local word = ascii.upper(text)
   word = synonyms[word] or word
   if points[word] then return word end
   local all = {}
   for i, name in ipairs(quit_after.words) do all[i] = name end
   for name in next, synonyms do all[#all + 1] = name end
   local near = unknown.nearest(word, all)
   errors.refuse("quit-after", ("--quit-after %s is not a point of the dialogue"):format(text),
      near and ("Did you mean %s?"):format(near)
      or "It is one of " .. table.concat(quit_after.words, ", "))
end

--- The flags that count for a point. Before MAIL the message does not matter, and later its body
-- does not: it is not read from standard input.
---@param word string     from quit_after.word
---@param options table   as flags.read gives them, their secrets read
---@return table
function quit_after.flags(word, options)
   local kept, has_message = {}, word == "MAIL" or word == "RCPT"
   for name, value in next, options do
      local is_kept = has_message or name == "extension" or names.connection.by_name[name]
      if is_kept then kept[name] = value end
   end
   local has_body = false
   for _, name in ipairs { "text", "text_file", "html", "html_file", "calendar", "raw" } do
      has_body = has_body or kept[name] ~= nil
   end
   if has_message and not has_body then kept.text = "" end
   return kept
end

-- ---- for people ----

local function show_server(server)
   if not server.host then return end
   local form = server.host:find(":", 1, true) and "[%s]:%d" or "%s:%d"
   local address = server.address and server.address ~= server.host
   output.say("connected to " .. form:format(server.host, server.port)
      .. (address and " (" .. server.address .. ")" or ""))
end

local function show_offer(capabilities, word)
   local list = {}
   for keyword, parameters in next, capabilities do
      list[#list + 1] = parameters == "" and keyword or keyword .. " " .. parameters
   end
   table.sort(list, ascii.before)
   local is_before = word == "STARTTLS" or word == "FIRST-EHLO"
   if list[1] then
      output.say((is_before and "EHLO before TLS: " or "EHLO: ") .. table.concat(list, ", "))
   end
end

local function show_recipient(one)
   local words = { tostring(one.code or ""), one.enhanced or "", one.text or "" }
   local reply = table.concat(words, " "):gsub("^ +", ""):gsub("  +", " "):gsub(" +$", "")
   output.say(("%s: %s%s"):format(one.address, one.state,
      reply ~= "" and " (" .. reply .. ")" or ""))
end

local function show(result, word)
   local tls, auth = result.tls, result.auth
   show_server(result.server)
   if tls.state == "on" then
      output.say(("%s, %s, certificate %s"):format(tls.version or "TLS", tls.cipher
         or "cipher unknown", tls.verified and "verified" or "not verified"))
   end
   show_offer(result.capabilities, word)
   if auth.state == "authenticated" then
      output.say("authenticated by " .. (auth.mechanism or "?"))
   end
   if word == "MAIL" then output.say "sender: accepted" end
   for _, one in ipairs(word == "RCPT" and result.recipients or {}) do show_recipient(one) end
   output.say(("quit after %s: no message was sent"):format(word))
end

-- ---- as JSON ----

local function json_of(result, word)
   local shown = { quit_after = word, server = result.server, tls = result.tls, auth = result.auth,
      capabilities = result.capabilities, seconds = result.seconds }
   if word == "RCPT" then
      shown.recipients, shown.accepted, shown.refused = result.recipients, result.accepted,
         result.refused
   end
   return output.json(shown)
end

--- Talk to the server up to the point, and print what it said.
---@param word string     from quit_after.word
---@param options table   of smtp.send
---@param json? boolean
---@return number|nil     exit status
---@return table|nil err  the point was not reached
function quit_after.run(word, options, json)
   local result, err = rehearsal.run(options, points[word])
   if not result then return nil, err end
   wording.apply(result)
   if json then output.say(json_of(result, word)) else show(result, word) end
   return 0
end

return quit_after
