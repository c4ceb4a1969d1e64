--- Messages of send_many as transcripts: "hello a" to a@there.example, and so on.

local assert = require "luassert"
local safe = require "smtp.safe"
local talk = require "spec.tools.talk"

local many = {}

--- <trial> is said before the first MAIL, and <consumed> by a server that consumes chunks.
--- <envelope a>, <sized a> where SIZE is offered, <bdat a> its message as one chunk, and <renewed a>, the next
--- envelope behind the end of a message.
many.script = talk.snippets {
   caps = [[
      S: 220 hi
      C: EHLO me.example
      S: 250-mx
      S: 250-PIPELINING
   ]],
   chunking = [[
      <caps>
      S: 250 CHUNKING
   ]],
   trial = [[
      <chunking>
      C: BDAT 6
      C: QUIT
      C: RSET
   ]],
   consumed = [[
      S: 503 5.5.1 need RCPT
      S: 250 reset
   ]],
   plain = [[
      <caps>
      S: 250 SIZE
   ]],
   envelope = [[
      C: MAIL FROM:<ann@me.example>
      C: RCPT TO:<$1@there.example>
   ]],
   sized = [[
      C: MAIL FROM:<ann@me.example> SIZE=9
      C: RCPT TO:<$1@there.example>
   ]],
   bdat = function(name) return ("C: BDAT %d LAST\nC: hello %s"):format(8 + #name, name) end,
   renewed = [[
      C: RSET
      <envelope $1>
   ]],
}

--- The messages of these names.
function many.messages(...)
   local list = {}
   for i, name in ipairs { ... } do
      list[i] = { from = "ann@me.example", to = name .. "@there.example", raw = "hello " .. name }
   end
   return list
end

--- smtp.safe.send_many in every way to play it; each transcript is another server's.
---@return table summary
---@return string states   of all messages, in a row
function many.send(list, settings, ...)
   local transcripts, found = { ... }, nil
   local port = talk.new_port()
   for _, mode in ipairs { "whole", "bytes", "halves" } do
      local peers = {}
      local options = talk.options({ from = false, to = false, raw = false, port = port,
         pipelining = settings.pipelining })
      options.transport = function()
         local transcript = transcripts[#peers + 1]
         if not transcript then
            talk.finished(peers[#peers])
            error("one connection too many")
         end
         peers[#peers + 1] = talk.peer(transcript, mode)
         return peers[#peers]
      end
      local summary = assert(safe.send_many(options, list, { connections = 1, window = settings.window,
         per_connection = settings.per_connection, on_result = settings.on_result }))
      for i = 1, #peers do talk.finished(peers[i]) end
      assert.equal(#transcripts, #peers)
      local states = {}
      for i, result in ipairs(summary.results) do
         states[i] = result.recipients and result.recipients[1].state or result.kind
      end
      found = found or { summary = summary, states = table.concat(states, " ") }
      assert.equal(found.states, table.concat(states, " "))
   end
   return found.summary, found.states
end

--- The options of connections to a sink; connection `broken` cannot be made, for `times` attempts.
---@return table options
---@return function   how many attempts there were
function many.options_of(sink, broken, times)
   local made = 0
   local options = talk.options { from = false, to = false, raw = false, port = talk.new_port() }
   options.transport = function()
      made = made + 1
      local transport = sink:transport()
      if broken and made >= broken and made < broken + times then
         transport.connect = function() return nil, "connect", "Connection refused" end
      end
      return transport
   end
   return options, function() return made end
end

--- The names of the messages that a sink has, in a row.
function many.arrived(sink)
   local list = {}
   for i, message in ipairs(sink.messages) do list[i] = message.to[1]:match("^[^@]*") end
   return table.concat(list, " ")
end

return many
