--- A server in the same process, as a transport: it reads the client's stream as RFC 5321, 2920 and
--- 3030 have it, and remembers what it took.
--
--    local server = spec_server.new { capabilities = { "PIPELINING" },
--       reply = function(self, what) … end }
--
-- `reply` is asked before each answer to "mail", "rcpt", "data", "chunk" and "final"; it returns
-- another one, or nothing; where it calls self:vanish(), no answer is ever heard. `cut`: so many
-- octets arrive, and then the connection is gone; with `mute` what was said before is lost as well.
-- `portion(len)`: so many octets a write takes. While `held(self)` is true, no answer arrives, and
-- while `stuck(self)` is true, no write returns: other conversations have their turn.
-- `crossings`: so many messages had something after their end when it was read; `hurt`: that did
-- harm; `closed`: the client has closed.
--
-- What real servers do wrong: `runs_chunks`: a chunk that is refused is not consumed, and its octets are commands
-- (go-smtp); what follows the end of a message at once is refused (Haraka), lost (Courier, chasquid) or kills it behind
-- the message: `behind` = "refused", "lost", "deadly"; "doomed": it dies at the RSET for a sender that it has refused
-- there (Dovecot's submission); `nonmail_max`: so many RSET, then it goes
-- (Exim); `message_max`: so many messages, then it goes at MAIL.

local core = require "smtp.core"
local scheduler = require "smtp.runtime.scheduler"
local user_call = require "smtp.options.user_call"

local server = {}

local PATIENCE = 30 -- seconds that a server is held at most

local Server = {}
Server.__index = Server

function server.new(given)
   local self = { duplex = true, said = "220 hi\r\n", heard = "", mode = "command", taken = {}, to = {}, body = "",
      arrived = 0, told = 0, lines = {}, crossings = 0, hurt = false, capabilities = { "PIPELINING", "CHUNKING" } }
   for name, value in pairs(given or {}) do self[name] = value end
   return setmetatable(self, Server)
end

local function pause()
   if user_call.can_yield() and not package.loaded.ngx then return coroutine.yield() end
   scheduler.sleep(0.001)
end

--- Let others go on while this function returns true.
function server.wait_while(is_held, ...)
   local stop = core.now() + PATIENCE
   while is_held and is_held(...) do
      if core.now() > stop then error("a server was held for too long") end
      pause()
   end
end

function Server.connect()
   return true
end

function Server.settimeouts()
end

function Server.sslhandshake()
   return nil, "tls", "there is none"
end

function Server:close()
   self.gone, self.closed = true, true
   return true
end

--- The connection is gone, and what was said with it.
function Server:vanish()
   self.gone, self.said = true, ""
end

function Server:say(line)
   if self.gone then return end
   self.said = self.said .. line .. "\r\n"
end

local usual = { mail = "250 ok", rcpt = "250 ok", data = "354 go", chunk = "250 ok",
   final = "250 ok" }

-- -> the first digit
function Server:answer(what)
   local line = self.reply and self:reply(what) or usual[what]
   local early = what == "rcpt" and not self.from or what ~= "mail" and what ~= "rcpt" and not self.to[1]
   if early then line = "503 what for?" end
   self:say(line)
   return line:sub(1, 1)
end

local deeds = {}

function deeds.lost(self) self.heard = "" end

function deeds.deadly(self) self:vanish() end

function deeds.doomed(self) self.is_crossed = true end

function deeds.refused(self)
   self.heard = self.heard:gsub("[^\n]*\n", function()
      self.said = self.said .. "503 5.5.1 not now\r\n"
      return ""
   end)
end

function Server:finish()
   local body, taken = self.body, self:answer("final") == "2"
   for _ = 2, self.is_lmtp and #self.to or 1 do taken = self:answer("final") == "2" or taken end
   self.body = ""
   if taken then
      self.taken[#self.taken + 1] = { from = self.from, to = self.to, body = body }
      self.to, self.reset_free = {}, true
   end
   self.is_crossed, self.followed = false, self.heard ~= ""
   if not self.followed then return end
   self.crossings = self.crossings + 1
   if not self.behind then return end
   self.hurt = self.behind ~= "doomed"
   deeds[self.behind](self)
end

function Server:leave(line)
   self:say(line)
   self.gone = true
end

local commands = {}

function commands.EHLO(self)
   self:say("250-mx")
   for i = 1, #self.capabilities do self:say("250-" .. self.capabilities[i]) end
   self:say("250 HELP")
end

function commands.LHLO(self)
   self.is_lmtp = true
   commands.EHLO(self)
end

function commands.MAIL(self, line)
   if self.message_max and #self.taken >= self.message_max then
      self.hurt = self.followed
      return self:leave("421 4.7.0 too many messages on this connection")
   end
   self.from, self.to, self.body, self.refused = nil, {}, "", false
   if self:answer("mail") == "2" then self.from = line:match("<(.-)>") end
   self.is_doomed = self.is_crossed and not self.from
end

function commands.RCPT(self, line)
   if self:answer("rcpt") == "2" then self.to[#self.to + 1] = line:match("<(.-)>") end
end

function commands.DATA(self)
   if self:answer("data") == "3" then self.mode = "text" end
end

function commands.BDAT(self, line)
   if self.runs_chunks and not self.to[1] then return self:say("502 5.5.1 Missing RCPT TO command.") end
   self.mode, self.left, self.last = "octets", tonumber(line:match("%d+")), line:find("LAST$")
end

function commands.RSET(self)
   if self.is_doomed then
      self.hurt = true
      return self:vanish()
   end
   if not self.reset_free then self.nonmail = (self.nonmail or 0) + 1 end
   self.reset_free = false
   if self.nonmail_max and (self.nonmail or 0) > self.nonmail_max then
      return self:leave("554 Too many nonmail commands")
   end
   self.to, self.body, self.refused = {}, "", false
   self:say("250 ok")
end

function commands.AUTH(self)
   self:say(self.reply and self:reply("auth") or "235 2.7.0 ok")
end

function commands.HELO(self)
   self:say("250 mx")
end

function commands.STARTTLS(self)
   self:say("220 go")
end

function commands.VRFY(self)
   self:say("252 maybe")
end

function commands.NOOP(self)
   self:say(self.noop or "250 ok")
end

function commands.QUIT(self)
   self:say("221 bye")
   self.closing = true
end

-- -> was there enough of it?
function Server:take_octets()
   if #self.heard < self.left then return false end
   self.body = self.body .. self.heard:sub(1, self.left)
   self.heard, self.mode = self.heard:sub(self.left + 1), "command"
   if self.refused then
      self:say("503 RSET first") -- RFC 3030 2
   elseif self.last then
      self:finish()
   else
      self.refused = self:answer("chunk") ~= "2"
      if self.refused and self.runs_chunks then self.to, self.refused = {}, false end
   end
   return true
end

function Server:take_line()
   local stop = self.heard:find("\r\n", 1, true)
   if not stop then return false end
   local line = self.heard:sub(1, stop - 1)
   self.heard = self.heard:sub(stop + 2)
   if self.mode == "text" and line == "." then
      self.mode = "command"
      self:finish()
   elseif self.mode == "text" then
      self.body = self.body .. line:gsub("^%.", "") .. "\r\n"
   else
      self.lines[#self.lines + 1] = line
      local command = commands[line:match("^%u+")]
      if command then command(self, line) else error("the client said: " .. line) end
   end
   return true
end

function Server:work()
   while not self.gone and not self.closing do
      local go_on
      if self.mode == "octets" then go_on = self:take_octets() else go_on = self:take_line() end
      if not go_on then return end
   end
end

function Server:send(data)
   if self.gone then return nil, "closed", "gone", 0 end
   local count = #data
   if self.portion then count = math.min(count, self.portion(count)) end
   local cut = self.cut and self.arrived + count >= self.cut
   if cut then count = self.cut - self.arrived end
   self.arrived = self.arrived + count
   self.heard = self.heard .. data:sub(1, count)
   self:work()
   server.wait_while(self.stuck, self)
   if cut then
      if self.mute then self:vanish() end
      self.gone = true
      return nil, "closed", "cut", count
   elseif count < #data then
      return nil, "again", nil, count
   end
   return count
end

function Server:receiveany(max)
   server.wait_while(self.held, self)
   local left = self.stall and self.stall - self.told or max
   if left <= 0 or self.said == "" then
      if left > 0 and (self.gone or self.closing) then return nil, "closed", "end of file" end
      return nil, "timeout", "nothing came"
   end
   local data = self.said:sub(1, math.min(left, max))
   self.said, self.told = self.said:sub(#data + 1), self.told + #data
   return data
end

--- A server that nothing connects to.
function server.unreachable()
   local one = server.new()
   function one.connect() return nil, "connect:refused", "refused" end
   return one
end

--- A server that takes one recipient at a time, and says goodbye after the message.
function server.takes_one()
   local count = 0
   return server.new { reply = function(_, what)
      if what == "rcpt" then
         count = count + 1
         return count > 1 and "452 4.5.3 too many" or nil
      end
      return what == "final" and "250 ok\r\n421 bye" or nil
   end }
end

--- A server that takes one recipient at a time, for as many transactions as it takes; after transaction `broken`
--- it defers the message, and says goodbye.
function server.one_at_a_time(broken)
   local count, ends = 0, 0
   return server.new { reply = function(_, what)
      if what == "mail" then count = 0 end
      if what == "rcpt" then
         count = count + 1
         return count > 1 and "452 4.5.3 too many" or nil
      elseif what == "final" then
         ends = ends + 1
         return ends == broken and "451 later\r\n421 bye" or nil
      end
   end }
end

return server
