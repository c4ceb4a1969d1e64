--- Misconfigurations, staged: a server of a few words, and what the error about it must say.
--
-- A server is a table: `greeting`, and a reply for each command that is not answered as usual:
--
--    { EHLO = { "AUTH PLAIN" }, TLS = { "AUTH PLAIN" }, RCPT = "550-no\n550 never", END = "554 5.7.1 spam" }
--
-- EHLO and TLS are what it offers before and after TLS, or a reply; END is the reply to the message. A reply may be
-- a list (one for each such command, the last one for all others), a function of the command and the server,
-- "CLOSE" or "SILENCE"; "CLOSE" may follow a reply: "421 bye\nCLOSE".
--
-- A row is { name, server = …, options = …, error = { kind, reason, concerns, retry }, says = …, hides = … }. `says`
-- and `hides` list what the line must contain, and what it must not, in any case of letters; "a|b" is one of these.
-- `remedy` has the options that the line names, and with them the message is sent; `server` may be a function of the
-- options. A row with `call` stages something else: it returns what smtp.safe returns.

local ascii = require "smtp.ground.ascii"
local busted = require "busted"
local core = require "smtp.core"
local safe = require "smtp.safe"

local staged = {}

-- ---- the server ----

local Server = {}
Server.__index = Server

local OFFER = { "PIPELINING", "SIZE 35882577", "8BITMIME", "ENHANCEDSTATUSCODES" }

function Server.connect() return true end

function Server.settimeouts() end

function Server:close()
   self.closed = true
   return true
end

function Server:tlsinfo()
   return self.verified ~= nil and { version = "TLSv1.3", cipher = "X", verified = self.verified, resumed = false }
end

function Server:sslhandshake(_, _, verify)
   local how = self.handshake
   if how then return nil, how, "as the row says" end
   self.verified, self.secure, self.is_tls = verify, verify or nil, true
   if not self.said_greeting then self:greet() end
   return true
end

-- "550-a\n550 b", "CLOSE", "SILENCE"
function Server:say(reply)
   for line in reply:gmatch("[^\n]+") do
      if line == "CLOSE" then
         self.ended = true
      elseif line == "SILENCE" then
         self.silent = true
      else
         self.said = self.said .. line .. "\r\n"
      end
   end
end

function Server:greet()
   self.said_greeting = true
   self:say(self.greeting or "220 mail.example.com ESMTP")
end

local function offered(list)
   local lines = { "250-mail.example.com" }
   for i = 1, #list do lines[#lines + 1] = "250-" .. list[i] end
   lines[#lines + 1] = "250 HELP"
   return table.concat(lines, "\n")
end

-- What EHLO is answered with where the row says nothing.
function Server:usual_offer()
   local list = { (table.unpack or unpack)(OFFER) } -- luacheck: ignore
   list[#list + 1] = self.is_tls and "AUTH PLAIN LOGIN XOAUTH2" or "STARTTLS"
   return list
end

local usual = { MAIL = "250 2.1.0 ok", RCPT = "250 2.1.5 ok", DATA = "354 go on", END = "250 2.0.0 queued",
   HELO = "250 mail.example.com", STARTTLS = "220 2.0.0 go on", AUTH = "235 2.7.0 ok", RSET = "250 ok",
   NOOP = "250 ok", QUIT = "221 2.0.0 bye\nCLOSE" }

function Server:reply_to(verb, line)
   local own = self[verb]
   if verb == "EHLO" or verb == "LHLO" then
      own = self[verb] or self:usual_offer()
      if self.is_tls then own = self.TLS or self:usual_offer() end
      if type(own) == "table" then return offered(own) end
   end
   if type(own) == "function" then own = own(line, self) end
   if type(own) == "table" then
      self.counts[verb] = (self.counts[verb] or 0) + 1
      own = own[math.min(self.counts[verb], #own)]
   end
   return own or usual[verb] or "500 5.5.1 unknown"
end

function Server:hear(line)
   if self.is_text then
      if line ~= "." then return end
      self.is_text = false
      return self:say(self:reply_to("END", line))
   end
   local verb = self.expects or ascii.upper(line:match("^%a*"))
   local reply = self:reply_to(verb, line)
   self:say(reply)
   self.is_text = verb == "DATA" and reply:find("^354") ~= nil
   self.expects = verb == "AUTH" and reply:find("^334") and "AUTH" or nil
end

function Server:send(data)
   if self.ended then return nil, "closed", "broken pipe", 0 end
   self.heard = self.heard .. data
   self.is_flight = select(2, data:gsub("\n", "")) > 1 -- several commands at once
   for line in self.heard:gmatch("([^\n]*)\r\n") do
      if not self.ended and not self.silent then self:hear(line) end
   end
   self.heard = self.heard:match("[^\n]*$")
   return #data
end

function Server:receiveany(max)
   if not self.said_greeting then self:greet() end
   if self.said == "" then
      if self.ended then return nil, "closed", "end of file" end
      return nil, "timeout", "nothing came"
   end
   local data = self.said:sub(1, max)
   self.said = self.said:sub(max + 1)
   return data
end

--- A server, as the transport of the options.
---@param replies table
function staged.server(replies)
   local self = { duplex = true, said = "", heard = "", counts = {} }
   for name, value in pairs(replies or {}) do self[name] = value end
   return setmetatable(self, Server)
end

-- ---- the message ----

local hosts = 0
local high, low = core.random(2):byte(1, 2)
local file_number = high * 256 + low -- each spec file loads this module anew

--- A name that no server had before: what a server offered is remembered.
function staged.new_host()
   hosts = hosts + 1
   return ("mail%d-%d.example.com"):format(file_number, hosts)
end

--- A message from ann, who logs in, to bob; `false` leaves an option out.
function staged.options(more)
   local all = { port = 587, domain = "me.example", username = "ann@example.com", password = "sesame-staged",
      from = "ann@example.com", to = "bob@example.net", raw = "Subject: x\r\n\r\nhello\r\n" }
   for name, value in pairs(more or {}) do all[name] = value end
   all.host = all.host or staged.new_host()
   for name, value in pairs(all) do
      if value == false and name ~= "tls_verify" then all[name] = nil end
   end
   return all
end

local function with_remedy(row)
   local all = {}
   for name, value in pairs(row.options or {}) do all[name] = value end
   for name, value in pairs(row.remedy) do all[name] = value end
   return all
end

--- Sends a message to the server of this row.
---@param row table
---@param options? table   in place of the row's
---@return table|nil receipt
---@return table|nil err
function staged.send(row, options)
   local t = staged.options(options or row.options)
   local replies = row.server
   if type(replies) == "function" then replies = replies(t) end
   -- The library may try once more by itself.
   t.transport = function()
      return staged.server(replies)
   end
   if t.tls ~= "skip" then t.tls_host = t.tls_host or t.host end
   return safe.send(t)
end

-- ---- what the line must say ----

local function has_one(line, fragment)
   for words in ascii.lower(fragment):gmatch("[^|]+") do
      if line:find(words, 1, true) then return true end
   end
   return false
end

local function list_of(value)
   return type(value) == "table" and value or { value }
end

local function without(line, words)
   if not words or words == "" then return line end
   local at, stop = line:find(words, 1, true)
   while at do
      line = line:sub(1, at - 1) .. line:sub(stop + 1)
      at, stop = line:find(words, 1, true)
   end
   return line
end

local function in_one_line(text)
   return text and (text:gsub("%s+", " "))
end

-- The line without the server's words, names and recipients.
local function own_words(err)
   local line = without(without(in_one_line(tostring(err)), in_one_line(err.text)), err.host)
   for _, one in ipairs(err.recipients or {}) do
      line = without(without(line, in_one_line(one.text)), one.address)
   end
   return line
end

-- What no line may have, whatever went wrong.
local function check_line(err, line)
   local own = own_words(err)
   for _, part in ipairs { "[\r\n]", "%f[%a]nil%f[%A]", "README says what it takes", "table: 0x" } do
      if line:find(part) then error(("%q is in: %s"):format(part, line), 0) end
   end
   if #own > 300 then error(("%d characters: %s"):format(#own, own), 0) end
   if err.port == 587 and (err.hint or ""):find "587[, )]" then
      error("it advises port 587 on 587: " .. line, 0)
   end
end

--- The error is what the row says, and so is its line.
---@param row table
---@param err any
function staged.check(row, err)
   local line = tostring(err)
   if not err.is_child and not safe.is_error(err) then error("no error object: " .. line, 0) end
   local wanted = row.error
   local is = { err.kind, tostring(err.reason), tostring(err.concerns), err.retry }
   for i = 1, 4 do
      if not ("|" .. tostring(wanted[i]) .. "|"):find("|" .. is[i] .. "|", 1, true) then
         error(("%s in place of %s: %s"):format(table.concat(is, " "), tostring(wanted[i]), line), 0)
      end
   end
   check_line(err, line)
   local lower = ascii.lower(line)
   for _, fragment in ipairs(list_of(row.says or {})) do
      if not has_one(lower, fragment) then error(("%q is not in: %s"):format(fragment, line), 0) end
   end
   for _, fragment in ipairs(list_of(row.hides or {})) do
      if has_one(lower, fragment) then error(("%q is in: %s"):format(fragment, line), 0) end
   end
end

--- Stages one row.
function staged.play(row)
   local receipt, err
   if row.call then
      receipt, err = row.call()
   else
      receipt, err = staged.send(row)
   end
   if receipt then error("the message was sent", 0) end
   staged.check(row, err)
   if row.also then row.also(err) end
   if not row.remedy then return end
   receipt, err = staged.send(row, with_remedy(row))
   if not receipt then error("the remedy does not help: " .. tostring(err), 0) end
end

--- A spec for each row.
---@param title string
---@param rows table[]
function staged.rows(title, rows)
   busted.describe(title, function()
      for _, row in ipairs(rows) do
         busted.it(row[1], function() staged.play(row) end)
      end
   end)
end

return staged
