--- Plays a transcript: a transport whose other end is text.
--
--    S: 220 there.example ready     the server says a line (\r \n \0 \t \\ \xHH are escapes)
--    S~ 25                          … without a line end
--    C: EHLO me.example             the client must say this line
--    C~ 40                          the client says any line, and the transcript goes on
--    MESSAGE                        the client says lines up to a lone dot; result.body holds them
--    OCTETS 1000                    the client says so many octets; result.body holds them
--    TLS                            the client must start a handshake, which succeeds
--    TLS certificate:expired        … or fails with this word
--    CLOSE                          the server closes
--    SILENCE                        the server says nothing more
--    PAUSE                          what follows comes when the client speaks again
--
-- S: lines in a row arrive together, before the client can speak; C: lines in a row must be said
-- before the next answer is read: they are the pipelining test. Each transcript is played whole,
-- byte by byte in both directions, and cut in halves; all must give the same. The indentation of a
-- line means nothing.
--
-- What many transcripts have in common has a name:
--
--    local script = talk.snippets {
--       mail = "C: MAIL FROM:<ann@me.example>",
--       chunk = [[
--          C: BDAT $1 $2
--          OCTETS $1
--       ]],
--    }
--    talk.send({}, script([[
--       <hello PIPELINING, CHUNKING>
--       <mail>
--       S: $code 5.1.8 no such sender
--       <bye>
--    ]], { code = 550 }))
--
-- A line <name> stands for the snippet of that name, and <name a, b> for the same with a as $1 and b
-- as $2, empty where it is not given. $name (${name} before a letter) is a value that the call gives;
-- <name> is also a value, where that holds lines. Every script knows these:
--
--    <hello SIZE 100, DSN>    the greeting, EHLO, and a reply that offers these keywords
--    <ehlo SIZE 100, DSN>     the same without the greeting
--    <lhlo SIZE 100, DSN>     the greeting, and the same with LHLO
--    <accepted>               the message of talk.options is sent and accepted, and the session ends
--    <bye>                    QUIT, and its reply
--    <auth X, hello>          AUTH X, with "hello" in base64; \\0 and \\xHH are escapes here as well
--    <challenge who?>         a challenge of AUTH: this in base64
--    <answer ann>             the client's answer to one: this in base64

local core = require "smtp.core"
local safe = require "smtp.safe"

local talk = {}

local function unescape(text)
   return (text:gsub("\\(.)(%x?%x?)", function(c, hex)
      if c == "x" then return string.char(tonumber(hex, 16)) end
      local known = { r = "\r", n = "\n", ["0"] = "\0", t = "\t", ["\\"] = "\\" }
      return assert(known[c], "escape") .. hex
   end))
end

local function parse(transcript)
   local items = {}
   for line in transcript:gmatch("[^\n]+") do
      local mark, text = line:match("^%s*(%S+) ?(.*)$")
      if mark == "S:" then
         items[#items + 1] = { "S", unescape(text) .. "\r\n" }
      elseif mark == "S~" then
         items[#items + 1] = { "S", unescape(text) }
      elseif mark == "C:" then
         items[#items + 1] = { "C", unescape(text) .. "\r\n" }
      elseif mark then
         items[#items + 1] = { mark, text }
      end
   end
   return items
end

local Peer = {}
Peer.__index = Peer

function Peer:fail(what)
   local lines = {}
   for i = 1, self.at - 1 do lines[#lines + 1] = "   " .. self.items[i][1] .. " "
      .. tostring(self.items[i][2]):gsub("[\r\n]+$", "") end
   local wanted = self.items[self.at]
   self.failure = self.failure or ("%s\n%s\n-> here the transcript has: %s %s"):format(what,
      table.concat(lines, "\n"), wanted and wanted[1] or "its end", wanted and wanted[2] or "")
   return nil, "closed", "transcript"
end

function Peer:peek()
   local item = self.items[self.at]
   return item and item[1], item and item[2]
end

function Peer:connect(name, port)
   self.connected = { name, port }
   return true
end

function Peer:settimeouts(connect)
   self.at_once = connect == 0
end

function Peer:close()
   self.closed = true
   self:end_body()
   return true
end

-- Lines that came, as result.body; it would take long to make that longer with each.
function Peer:end_body()
   if #self.lines > 0 then self.body = (self.body or "") .. table.concat(self.lines) end
   self.lines = {}
end

-- Takes one whole line of the client's. -> true, or nil where it is not what was expected.
function Peer:take(line)
   local kind, wanted = self:peek()
   if kind == "MESSAGE" then
      self.lines[#self.lines + 1] = line
      if line == ".\r\n" then
         self.at = self.at + 1
         self:end_body()
      end
      return true
   elseif kind == "C~" then
      self.at = self.at + 1
      return true
   elseif kind ~= "C" or line ~= wanted then
      return self:fail("the client said: " .. line)
   end
   self.at = self.at + 1
   return true
end

-- -> where those taken end
function Peer:take_octets(data, from)
   local item = self.items[self.at]
   item.left = item.left or tonumber(item[2])
   local max = self.mode == "bytes" and math.min(item.left, 1 + item.left % 4001) or item.left
   local stop = math.min(#data, from + max)
   self.body = (self.body or "") .. data:sub(from + 1, stop)
   item.left = item.left - (stop - from)
   if item.left == 0 then self.at = self.at + 1 end
   return stop
end

function Peer:send(data)
   self.sends = self.sends + 1
   local count = 0
   if self.failure then return nil, "closed", "transcript", 0 end
   while count < #data do
      local kind = self:peek()
      if kind == "PAUSE" then
         self.at = self.at + 1
         kind = self:peek()
      end
      -- Something is there to be read first.
      if self.partial == "" and (kind == "S" or self.rest ~= "") then return count end
      if kind == "CLOSE" then return nil, "closed", "broken pipe", count end
      if kind == nil or kind == "TLS" then
         self:fail("the client said: " .. data)
         return nil, "closed", "transcript", count
      end
      if kind == "SILENCE" then return #data end
      local stop = data:find("\n", count + 1, true) or #data
      if self.mode == "bytes" then stop = count + 1 end
      if kind == "OCTETS" then stop = self:take_octets(data, count) end
      if kind ~= "OCTETS" then self.partial = self.partial .. data:sub(count + 1, stop) end
      count = stop
      if self.partial:sub(-1) == "\n" then
         if not self:take(self.partial) then return nil, "closed", "transcript", count end
         self.partial = ""
      end
      if self.mode == "bytes" then return nil, "again", nil, count end
   end
   return count
end

function Peer:receiveany(max)
   if self.failure then return nil, "closed" end
   if self.rest == "" then
      while self:peek() == "S" do
         self.rest = self.rest .. self.items[self.at][2]
         self.at = self.at + 1
      end
   end
   if self.rest == "" then
      local kind = self:peek()
      if self.at_once and kind ~= "CLOSE" then return nil, "timeout" end
      if kind == "CLOSE" then return nil, "closed", "end of file" end
      if kind == "SILENCE" then return nil, "timeout", "nothing came" end
      self:fail("the client waits for a reply")
      return nil, "timeout"
   end
   local count = self.mode == "bytes" and 1 or self.mode == "halves" and math.ceil(#self.rest / 2)
      or #self.rest
   count = math.min(count, max)
   local data = self.rest:sub(1, count)
   self.rest = self.rest:sub(count + 1)
   return data
end

function Peer:sslhandshake(_, name, verify)
   local kind, word = self:peek()
   if self.rest ~= "" then return self:fail("a handshake with bytes unread") end
   if kind ~= "TLS" then return self:fail("the client starts a handshake") end
   self.at = self.at + 1
   self.handshake = { name = name, verify = verify }
   if word ~= "" then return nil, word, "as the transcript says" end
   self.secure = verify and not self.mute_about_tls or nil
   return true
end

function Peer:tlsinfo()
   return self.handshake and { version = "TLSv1.3", cipher = "X", verified = self.handshake.verify, resumed = false }
end

--- A transport that plays the transcript.
function talk.peer(transcript, mode)
   return setmetatable({ items = parse(transcript), at = 1, rest = "", partial = "", sends = 0, lines = {},
      mode = mode or "whole", duplex = true }, Peer)
end

--- The end of the transcript was reached, and nothing else was said.
function talk.finished(peer)
   local kind = peer:peek()
   if peer.failure then error(peer.failure, 0) end
   if kind and kind ~= "CLOSE" and kind ~= "SILENCE" then
      peer:fail("the client is done, and the transcript is not")
      error(peer.failure, 0)
   end
   if not peer.closed then error("the connection is still open", 0) end
end

local ignored = { seconds = true, transcript = true, message_id = true, cause = true }

local function same(a, b, path)
   if type(a) ~= type(b) then error(path .. " differs between the ways to play it", 0) end
   if type(a) ~= "table" then
      if a ~= b then
         error(("%s differs between the ways to play it: %s, %s"):format(path, tostring(a),
            tostring(b)), 0)
      end
      return
   end
   for key in pairs(a) do
      if not ignored[key] then same(a[key], b[key], path .. "." .. tostring(key)) end
   end
   for key in pairs(b) do
      if a[key] == nil then error(path .. "." .. tostring(key) .. " is there in one way only", 0) end
   end
end

local defaults = {
   host = "mx.example", domain = "me.example", tls = "skip", from = "ann@me.example",
   to = "bob@there.example", raw = "Subject: x\r\n\r\nhello\r\n",
}

--- The dialogue of that message where it is accepted, to the end of the session.
talk.accepted = [[
   C: MAIL FROM:<ann@me.example>
   S: 250 ok
   C: RCPT TO:<bob@there.example>
   S: 250 ok
   C: DATA
   S: 354 go on
   MESSAGE
   S: 250 ok
   C: QUIT
   S: 221 bye
]]

local unpack = table.unpack or unpack -- luacheck: ignore

local function offer(...)
   local lines = { "mx", ... }
   for i = 1, #lines do lines[i] = ("S: 250%s%s"):format(i < #lines and "-" or " ", lines[i]) end
   return table.concat(lines, "\n")
end

local function ehlo(...)
   return "C: EHLO me.example\n" .. offer(...)
end

local function in_base64(...)
   return core.base64(unescape(table.concat({ ... }, ",")))
end

local common = {
   auth = function(name, ...) return "C: AUTH " .. name .. " " .. in_base64(...) end,
   challenge = function(...) return "S: 334 " .. in_base64(...) end,
   answer = function(...) return "C: " .. in_base64(...) end,
   ehlo = ehlo,
   hello = function(...) return "S: 220 hi\n" .. ehlo(...) end,
   lhlo = function(...) return "S: 220 hi\nC: LHLO me.example\n" .. offer(...) end,
   accepted = talk.accepted,
   bye = "C: QUIT\nS: 221 bye",
}

local function fill(text, values)
   return (text:gsub("%$({?)([%w_]+)(}?)", function(open, name, close)
      local value = values[tonumber(name) or name] or tonumber(name) and ""
      if not value then error("the script has no value for $" .. name, 0) end
      return value .. (open == "" and close or "")
   end))
end

local expand

-- The lines that <name arguments> stands for.
local function lines_of(snippets, name, arguments, values)
   local inner = snippets[name] or common[name]
   if not inner then return assert(values[name], "the script has no snippet " .. name) end
   local list = setmetatable({}, { __index = values })
   for argument in fill(arguments:gsub(", +", ","), values):gmatch("[^,]+") do rawset(list, #list + 1, argument) end
   if type(inner) == "function" then return inner(unpack(list)) end
   return expand(snippets, inner, list)
end

function expand(snippets, block, values)
   local lines = {}
   for line in block:gmatch("[^\n]+") do
      local name, arguments = line:match("^%s*<([%w_]+) ?(.*)>%s*$")
      if name then
         lines[#lines + 1] = lines_of(snippets, name, arguments, values):gsub("\n[ \n]*$", "")
      elseif line:find("%S") then
         lines[#lines + 1] = fill(line:gsub("^%s+", ""), values)
      end
   end
   return table.concat(lines, "\n") .. "\n"
end

--- A script: a function that makes transcripts of blocks with these named snippets and its values,
--- and a table of the snippets themselves.
---@param snippets table by name: a block, or a function of the arguments that returns lines
function talk.snippets(snippets)
   return setmetatable({}, {
      __call = function(_, block, values) return expand(snippets, block, values or {}) end,
      __index = function(_, name) return lines_of(snippets, name, "", {}) .. "\n" end,
   })
end

--- A script that knows what every script knows.
talk.script = talk.snippets {}

--- The greeting, EHLO, and a reply that offers these keywords.
function talk.hello(...)
   return common.hello(...) .. "\n"
end

--- As options.raw: a function that gives these pieces, made anew for each time that it is played.
function talk.pieces(list)
   return { new = function()
      local i = 0
      return function()
         i = i + 1
         return list[i]
      end
   end }
end

--- As options.raw: an open file with this text, made anew for each time that it is played.
function talk.file(text)
   return { new = function()
      local file = io.tmpfile()
      file:write(text)
      file:seek("set", 0)
      return file
   end }
end

--- The states of a receipt's or an error's recipients, in a row.
function talk.states(result)
   local list = {}
   for i, entry in ipairs(result.recipients) do list[i] = entry.state end
   return table.concat(list, " ")
end

--- The options of a transcript: the defaults, and what is given. `false` takes a default out.
function talk.options(given, peer)
   local all = {}
   for key, value in pairs(defaults) do all[key] = value end
   for key, value in pairs(given or {}) do all[key] = value end
   for key, value in pairs(all) do if value == false then all[key] = nil end end
   all.transport = peer
   if peer and not all.tls_host and all.tls ~= "skip" then all.tls_host = all.host end
   return all
end

local ports = 2000

--- A port that no transcript had before: a server is remembered by its name and port.
function talk.new_port()
   ports = ports + 1
   return ports
end

--- The options of a connection, at a port of its own, whose first connection is to servers[1], its
--- second to servers[2], and so on; those of a message are left out.
function talk.options_to(servers, more)
   local all, opened = talk.options { port = talk.new_port(), from = false, to = false, raw = false }, 0
   for name, value in pairs(more or {}) do all[name] = value end
   all.transport = function()
      opened = opened + 1
      return assert(servers[opened], "one connection too many")
   end
   return all
end

--- A message from ann to bob, with what is given.
function talk.message(given)
   local all = { from = "ann@me.example", to = "bob@there.example", raw = "hello\r\n" }
   for name, value in pairs(given or {}) do all[name] = value end
   return all
end

local function fresh(given)
   local copy = {}
   for key, value in pairs(given or {}) do copy[key] = value end
   if type(copy.raw) == "table" then copy.raw = copy.raw.new() end
   return copy
end

--- smtp.safe.send against a transcript, in every way to play it.
---@return table|nil receipt
---@return table|nil err
---@return table peer
function talk.send(given, transcript)
   local first, first_peer
   for _, mode in ipairs { "whole", "bytes", "halves" } do
      local peer = talk.peer(transcript, mode)
      local receipt, err = safe.send(talk.options(fresh(given), peer))
      talk.finished(peer)
      local result = { receipt = receipt, err = err, body = peer.body }
      if first then same(first, result, "result") end
      first, first_peer = first or result, first_peer or peer
   end
   return first.receipt, first.err, first_peer
end

return talk
