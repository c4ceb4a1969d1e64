--- One conversation of the sink, without I/O: it takes what the client says, and gives the replies.
-- @module smtp.sink.session

local ascii = require "smtp.ground.ascii"
local core = require "smtp.core"
local sink_auth = require "smtp.sink.auth"
local sink_envelope = require "smtp.sink.envelope"
local sink_message = require "smtp.sink.message"
local sink_options = require "smtp.sink.options"

local LINE_MAX = core.limits.command -- octets of a command (RFC 4954 4)

local Session = { __name = "smtp.SinkSession" }
Session.__index = Session

-- Lines of EHLO -> keywords in upper case to their parameters
local function parameters_of(lines)
   local found = {}
   for i = 1, #lines do
      local keyword, parameters = lines[i]:match("^([^ \t-\r]*) *(.*)$")
      found[ascii.upper(keyword)] = parameters
   end
   return found
end

--- Begin a conversation.
local function new(sink)
   sink.sessions = sink.sessions + 1
   return setmetatable({ sink = sink, number = sink.sessions, input = "", output = {}, offered = {},
      size_max = sink_envelope.limit(parameters_of(sink.options.capabilities), "SIZE", "%d+"),
      lmtp = sink.options.protocol == "lmtp", tls = sink.options.tls == "implicit" }, Session)
end

function Session:trace(direction, line)
   local trace = self.sink.options.trace
   if trace then trace(direction, line, self.number) end
end

function Session:say(text)
   for line in (text .. "\n"):gmatch("(.-)\n") do self:trace("S", line) end
   self.output[#self.output + 1] = text:gsub("\n", "\r\n") .. "\r\n"
end

-- The fault on demand, which replaces the reply. `what`: the command; for a verdict in LMTP, the
-- recipient. -> nil if there is none. Raises a UsageError where a function returned what is not a
-- fault.
function Session:find_fault(stage, what)
   local fault = (self.sink.options.faults or {})[stage]
   if type(fault) == "function" then
      fault = fault(what, self) or false
      sink_options.check_fault("faults." .. stage, fault)
   end
   return self:note_delay(fault or nil)
end

--- Keep the seconds of a fault "slow 5" for take_pause. -> nil; any other fault as it is
function Session:note_delay(fault)
   local pause = fault and fault:match("^slow (.+)$")
   if not pause then return fault end
   self.pause = (self.pause or 0) + ascii.number(pause)
end

--- Do what a fault is: a reply, "drop" or "silence".
function Session:commit(fault)
   if fault == "drop" then
      self.closed = true
   elseif fault == "silence" then
      self.silent = true
   else
      self:say(fault)
      if fault:find("^421") then self.closed = true end
   end
end

-- -> true if there was a fault
function Session:fault(stage, what)
   local fault = self:find_fault(stage, what)
   if fault then self:commit(fault) end
   return fault ~= nil
end

--- Seconds to wait before the replies are sent, and anything else is taken: a fault asked for it.
---@return number|nil
function Session:take_pause()
   local pause = self.pause
   self.pause = nil
   return pause
end

function Session:greet()
   if self:fault("connect") then return end
   self:say(("220 %s %s sink"):format(self.sink.options.domain, self.lmtp and "LMTP" or "ESMTP"))
end

-- By verb: (self, line) -> the reply, nil if all is said already.
local commands = { DATA = sink_message.DATA, BDAT = sink_message.BDAT }

-- ---- hello, TLS, AUTH ----

-- -> the line of EHLO about AUTH | nil
function Session:offer()
   local auth = self.sink.options.auth
   if not auth or not (self.tls or not self.sink.options.tls or auth.before_tls) then return nil end
   local names = sink_auth.names(auth, self.binding ~= nil)
   if #names == 0 and #auth.mechanisms > 0 then return nil end
   return "AUTH " .. table.concat(names, " ")
end

-- The lines of EHLO. Where an option decides about a keyword, the list of capabilities does not.
local function capabilities(self)
   local options, list = self.sink.options, {}
   local decided = { STARTTLS = options.tls == "starttls", AUTH = options.auth or false }
   for i = 1, #options.capabilities do
      local offer = options.capabilities[i]
      if not decided[ascii.upper(offer:match("^[A-Za-z0-9-]+"))] then list[#list + 1] = offer end
   end
   if decided.STARTTLS and not self.tls then list[#list + 1] = "STARTTLS" end
   list[#list + 1] = self:offer()
   return list
end

for _, verb in ipairs { "LHLO", "EHLO", "HELO" } do
   commands[verb] = function(self, line)
      if (verb == "LHLO") ~= self.lmtp then -- RFC 2033 4.1
         return "500 5.5.1 this is " .. (self.lmtp and "LMTP" or "SMTP")
      end
      if self:fault(verb == "HELO" and "helo" or "ehlo", line) then return nil end
      local list = verb == "HELO" and {} or capabilities(self)
      self.mail, self.greeted, self.offered = nil, true, parameters_of(list)
      table.insert(list, 1, self.sink.options.domain)
      for i = 1, #list do list[i] = "250" .. (i < #list and "-" or " ") .. list[i] end
      return table.concat(list, "\n")
   end
end

function commands:STARTTLS()
   if self.sink.options.tls ~= "starttls" or self.tls then return "503 5.5.1 not now" end
   self.handshake = true
   return "220 2.0.0 go ahead"
end

-- -> the reply to what the client answers, in base64; nil: AUTH had no initial response
local function answer(self, text)
   local exchange = self.exchange
   local reply = exchange:step(text)
   if exchange.over then
      self.exchange, self.user, self.authzid = nil, exchange.user, exchange.authzid
   end
   return reply
end

function commands:AUTH(line)
   if not self:offer() then return "502 5.5.1 not offered" end
   if self.user then return "503 5.5.1 once is enough" end
   if self.mail then return "503 5.5.1 not within a transaction" end -- RFC 4954 4
   local name, initial = line:match("^[^ \t-\r]+ +([^ \t-\r]+) ?(.*)$")
   local options = self.sink.options
   self.exchange = name and sink_auth.exchange(options.auth, name, { domain = options.domain,
      binding_type = self.binding_type, binding = self.binding })
   if not self.exchange then return "504 5.5.4 unknown mechanism" end
   if initial == "" then return answer(self, nil) end
   return answer(self, initial == "=" and "" or initial)
end

-- ---- the envelope ----

function commands:MAIL(line)
   local options = self.sink.options
   if not self.greeted then return "503 5.5.1 EHLO first" end
   if self.mail then return "503 5.5.1 one at a time" end
   if self.sink:has_enough() then
      self.closed = true
      return "421 4.3.2 the sink has all the messages it waited for"
   end
   if options.require_auth and not self.user then return "530 5.7.0 authentication required" end
   local from, parameters = sink_envelope.read("MAIL", line, self.offered, false, options.strict)
   if not from then return parameters end
   if tonumber(parameters.SIZE or 0) > sink_envelope.limit(self.offered, "SIZE", "%d+") then
      return "552 5.3.4 that is too large"
   end
   self.mail = { from = from, parameters = parameters, recipients = {} }
   return "250 2.1.0 ok"
end

local RECIPIENTS_MAX = 10000 -- of a message, whatever the sink offers

function commands:RCPT(line)
   local mail = self.mail
   if not mail then return "503 5.5.1 MAIL first" end
   if mail.chunks then return "503 5.5.1 the message has begun" end
   local to, parameters = sink_envelope.read("RCPT", line, self.offered,
      mail.parameters.SMTPUTF8 ~= nil, self.sink.options.strict)
   if not to then return parameters end
   if to == "" then return "501 5.1.3 no recipient" end
   local offered = sink_envelope.limit(self.offered, "LIMITS", "RCPTMAX=(%d+)")
   local max = math.min(offered, RECIPIENTS_MAX)
   if #mail.recipients >= max then return "452 4.5.3 too many recipients" end
   mail.recipients[#mail.recipients + 1] = { address = to, parameters = parameters }
   return "250 2.1.5 ok"
end

function commands:RSET()
   self.mail = nil
   return "250 2.0.0 ok"
end

function commands.HELP()
   return "214 2.0.0 EHLO, STARTTLS, AUTH, MAIL, RCPT, DATA, BDAT, RSET, NOOP, VRFY, QUIT"
end

function commands.NOOP() return "250 2.0.0 ok" end
function commands.VRFY() return "252 2.1.5 send and see" end

function commands:QUIT(line)
   self.closed = true
   return not self:fault("quit", line) and "221 2.0.0 bye" or nil
end

-- ---- what comes in ----

-- The faults that replace the reply to a command; the other commands look for theirs.
local stages = { STARTTLS = "starttls", AUTH = "auth", MAIL = "mail", RCPT = "rcpt", RSET = "rset",
   DATA = "data" }

-- -> the reply, nil if all is said already
local function obey(self, line)
   if self.exchange then
      self:trace("C", line == "*" and "*" or "[secret]")
      if line ~= "*" then return answer(self, line) end
      self.exchange = nil
      return "501 5.7.0 cancelled"
   end
   local verb = ascii.upper(line:match("^[^ \t-\r]*"))
   self:trace("C", verb == "AUTH"
      and (line:gsub("^([^ \t-\r]+ +[^ \t-\r]+) .*", "%1 [secret]")) or line)
   if line:find("[%z\r\n]") then return "500 5.5.2 only CRLF ends a line" end
   if not commands[verb] then return "502 5.5.1 unknown command" end
   if stages[verb] and self:fault(stages[verb], line) then return nil end
   return commands[verb](self, line)
end

-- -> the last octet of the next line without its end, the first one after it | nil
local function find_line(self, input, at)
   if self.sink.options.strict then
      local stop = input:find("\r\n", at, true)
      return stop, stop and stop + 2
   end
   local stop = input:find("\n", at, true)
   if not stop then return nil end
   return stop > at and input:byte(stop - 1) == 13 and stop - 1 or stop, stop + 1
end

local function take_command(self, input, at)
   local stop, following = find_line(self, input, at)
   if (stop or #input) - at >= LINE_MAX then
      self.closed = true
      self:say("500 5.5.2 that line is too long")
      return at, true
   end
   if not stop then return at, true end
   self.line_end = input:sub(stop, following - 1)
   local reply = obey(self, input:sub(at, stop - 1))
   if reply then self:say(reply) end
   return self.dotted and stop or following
end

-- What the next bytes of the client are.
local function taker(self)
   if self.closed or self.silent or self.handshake or self.pause then return nil end
   return self.chunk and sink_message.take_octets or self.dotted and sink_message.take_lines
      or take_command
end

--- Bytes from the client. -> bytes for it; then `handshake` and `closed` say what comes next.
function Session:receive(bytes)
   local input, at, needs_more, take = self.input .. bytes, 1, false, taker(self)
   while take and at <= #input and not needs_more do
      at, needs_more = take(self, input, at)
      take = taker(self)
   end
   self.input = (self.closed or self.silent) and "" or input:sub(at)
   local said = table.concat(self.output)
   self.output = {}
   return said
end

--- TLS is on: what was said before it counts no more. `info` is nil where TLS is only pretended,
-- and the channel binding if the connection does not have one.
function Session:tls_started(info, binding_type, binding)
   self.tls, self.handshake, self.greeted, self.input = true, nil, nil, ""
   self.user, self.authzid, self.mail, self.offered = nil, nil, nil, {}
   self.binding_type, self.binding = binding_type, binding
   if info then self.tls_version, self.tls_cipher = info.version, info.cipher end
end

return { new = new }
