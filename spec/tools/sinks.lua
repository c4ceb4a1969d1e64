--- Plays transcripts to a sink: each line of the sink's by its beginning. They are played line by line, byte by
--- byte, and with all that the client says at once.

local assert = require "luassert"
local safe = require "smtp.safe"
local talk = require "spec.tools.talk"

local sinks = {}

--- An envelope, accepted.
sinks.script = talk.snippets {
   mail = [[
      C: MAIL FROM:<ann@me.example>
      S: 250 2.1.0
   ]],
   rcpt = [[
      C: RCPT TO:<bob@there.example>
      S: 250 2.1.5
   ]],
}

--- smtp.safe.send to a sink in this process.
function sinks.send(sink, more)
   local options = { transport = sink:transport(), tls = "skip", from = "ann@me.example",
      to = { "bob@there.example", "carol@there.example" }, raw = "Subject: x\r\n\r\n.dot\r\n",
      auth_plaintext = true }
   for key, value in pairs(more or {}) do options[key] = value end
   return safe.send(options)
end

--- Credentials.
sinks.login = { username = "ann", password = "sesame-sink" }

-- "C: " is a line of the client's; "C~ " goes without its end, and knows \r and \n.
-- -> a list of { what the client says, the beginnings of the answer's lines }
local function parse(transcript)
   local turns, answered = {}, true
   for line in transcript:gmatch("%S[^\n]*") do
      local mark, text = line:match("^([CS][:~]) ?(.*)$")
      if mark ~= "S:" and answered then turns[#turns + 1] = { "", {} } end
      local turn = turns[#turns]
      answered = mark == "S:"
      if answered then
         turn[2][#turn[2] + 1] = text
      elseif mark == "C:" then
         turn[1] = turn[1] .. text .. "\r\n"
      else
         turn[1] = turn[1] .. text:gsub("\\(.)", { r = "\r", n = "\n" })
      end
   end
   return turns
end

--- All that a client has to read.
function sinks.hear(client)
   local heard = ""
   repeat
      local data = client:receiveany(65536)
      heard = heard .. (data or "")
   until not data
   return heard
end

local function compare(turns, heard)
   local next_line = heard:gmatch("([^\r\n]+)\r\n")
   for _, turn in ipairs(turns) do
      for _, wanted in ipairs(turn[2]) do
         local got = next_line() or "nothing"
         assert(got:sub(1, #wanted) == wanted, ("%s-> %s\ninstead of %s"):format(turn[1], got, wanted))
      end
   end
   assert.is_nil(next_line())
end

local say = {}

function say.turns(client, turns)
   for _, turn in ipairs(turns) do
      client:send(turn[1])
      compare({ turn }, sinks.hear(client))
   end
end

function say.bytes(client, turns)
   for _, turn in ipairs(turns) do
      for i = 1, #turn[1] do client:send(turn[1]:sub(i, i)) end
   end
   compare(turns, sinks.hear(client))
end

function say.all(client, turns)
   local text = ""
   for _, turn in ipairs(turns) do text = text .. turn[1] end
   client:send(text)
   compare(turns, sinks.hear(client))
end

--- Plays a transcript to a sink with these options, in every way.
---@return table messages   that the sink has kept
---@return table client     its end of the connection
function sinks.play(options, transcript)
   local first, client
   for _, way in ipairs { "turns", "bytes", "all" } do
      local sink = assert(safe.sink(options))
      client = sink:transport()
      client:connect()
      assert.truthy(sinks.hear(client):find("^220 "))
      say[way](client, parse(transcript))
      first = first or sink.messages
      assert.same(first, sink.messages)
   end
   return first, client
end

--- EHLO, and a reply of these capabilities.
function sinks.hello(list, verb)
   local text = sinks.script([[
      C: $verb me.example
      S: 250${list}sink.example
   ]], { verb = verb or "EHLO", list = #list == 0 and " " or "-" })
   for i, line in ipairs(list) do text = text .. "S: 250" .. (i < #list and "-" or " ") .. line .. "\n" end
   return text
end

--- What a sink offers by itself, and all that it knows.
sinks.default = { "PIPELINING", "SIZE 52428800", "8BITMIME", "ENHANCEDSTATUSCODES", "SMTPUTF8", "CHUNKING", "DSN" }
sinks.everything = { "SIZE 1000", "8BITMIME", "BINARYMIME", "CHUNKING", "SMTPUTF8", "DSN", "REQUIRETLS", "DELIVERBY",
   "FUTURERELEASE 3600 2030-01-01T00:00:00Z", "MT-PRIORITY", "LIMITS MAILMAX=9 RCPTMAX=2" }

--- Plays a transcript, after EHLO, to a sink that offers these capabilities.
function sinks.with(list, transcript)
   return sinks.play({ capabilities = list }, sinks.hello(list) .. transcript)
end

return sinks
