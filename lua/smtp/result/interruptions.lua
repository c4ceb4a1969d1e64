--- What the line of an error says where a server did not answer in time or ended the connection:
-- which answer was awaited, for how long, and which option decided that.
-- @module smtp.result.interruptions

local core = require "smtp.core"
local remedies = require "smtp.result.remedies"
local sentences = require "smtp.result.sentences"

local interruptions = {}

local CLOSED_HERE = "this program closed the connection before the call had its answer"

local verbs = { starttls = "STARTTLS", auth = "AUTH", mail = "MAIL", rcpt = "RCPT", data = "DATA",
   rset = "RSET", noop = "NOOP", vrfy = "VRFY", quit = "QUIT", body = "DATA", final = "DATA" }

--- The command of a stage: "MAIL".
---@return string|nil
function interruptions.verb(server, stage)
   if stage == "ehlo" then return server.protocol == "lmtp" and "LHLO" or "EHLO" end
   return verbs[stage]
end

local is_connecting = { resolve = true, connect = true }

-- The option that decided, and its seconds: the answer to the end of a message may take all the
-- time there is.
local function limit(conv, stage, message)
   local server = conv.server
   local option = is_connecting[stage] and "connect_timeout" or "reply_timeout"
   local seconds, all = server[option],
      core.seconds_for(message and message.size, server.timeout, server.timeout_given)
   if stage == "final" or all <= seconds or core.now() >= conv.deadline - 0.05 then
      option, seconds = "timeout", all
   end
   return option, seconds
end

local function texts_of(trouble)
   if trouble.kind == "timeout" then return sentences.timeout end
   return trouble.kind == "disconnected" and sentences[trouble.reason]
end

-- The stage in sentences: "ready" for a connection that was idle.
local function stage_of(trouble, texts, server)
   if server.proxy and is_connecting[trouble.stage] then
      return trouble.reason == "proxy_unreachable" and "to_proxy" or "through_proxy"
   end
   if trouble.idle and texts.ready then return "ready" end
   if trouble.stage == "tls" and server.tls ~= "implicit" and texts.after_starttls then
      return "after_starttls"
   end
   return trouble.stage
end

local function name_proxy(text, server)
   if not text or not server.proxy then return text end
   return (text:gsub("{proxy}", function() return server.proxy.place end)) -- it may contain a %
end

-- What happened, where neither the session nor a table of stages has a sentence.
local function unreported(trouble, server)
   local of_proxy = sentences.proxy[trouble.is_closed and "closed" or trouble.reason]
   local texts = trouble.stage == "tls" and sentences.tls or sentences.connect
   return name_proxy(of_proxy, server) or texts[trouble.kind]
end

local function add_limit(conv, trouble, message)
   local option, seconds = limit(conv, trouble.stage, message)
   local text = ("%g s (%s)"):format(math.floor(seconds * 10 + 0.5) / 10, option):gsub(",", ".")
   trouble.option, trouble.sentence = option, trouble.sentence:gsub("{limit}", text)
end

--- Give a trouble that no session reports its sentence, a timeout or a disconnection its own,
-- and a timeout its `option`, which decided.
---@param conv smtp.Conversation
---@param trouble table    kind, reason, stage, idle
---@param message? table      the message that the trouble is about
function interruptions.describe(conv, trouble, message)
   if conv.closed_here and trouble.reason == "closed" then
      trouble.sentence, trouble.is_note = CLOSED_HERE, true
      trouble.hint = remedies.closed_here
      return
   end
   local texts = texts_of(trouble)
   if not texts then
      trouble.sentence = trouble.sentence or unreported(trouble, conv.server)
      return
   end
   local stage = stage_of(trouble, texts, conv.server)
   local verb = interruptions.verb(conv.server, stage)
   local text = texts[stage] or verb and texts.other
   if not text then return end
   trouble.sentence = name_proxy(text:gsub("{verb}", verb or ""), conv.server)
   if trouble.kind == "timeout" then add_limit(conv, trouble, message) end
end

--- Where a reply came that breaks the protocol: " (in reply to EHLO)", "" where that says nothing.
---@return string
function interruptions.place(server, stage)
   if stage == "greeting" then return " (as its greeting)" end
   local verb = interruptions.verb(server, stage)
   return verb and (" (in reply to %s)"):format(verb) or ""
end

return interruptions
