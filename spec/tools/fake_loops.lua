-- A library of an event loop as far as smtp.loop.NAME calls it, on the loop of tools/poll_loop.
local poll_loop = require "spec.tools.poll_loop"
local peer = require "spec.tools.peer"
local safe = require "smtp.safe"

local fake_loops = {}

local server = [[
   local sock = accept()
   local function say(text) sock:send(text .. "\r\n") end
   require "smtp.core".sleep(0.05)
   say "220 hi"
   for _, text in ipairs { "250 mx", "250 ok", "250 ok", "354 go" } do line(sock) say(text) end
   repeat until line(sock) == ".\r\n"
   say "250 queued"
   line(sock)
   say "221 bye"
]]

-- Sends one message by loop = name, in which the library is `make(loop)`. -> receipt or nil, err; turns of another
-- coroutine meanwhile; what the adapter has left in the end
function fake_loops.send(name, make)
   local before, adapter = package.loaded[name], "smtp.loop." .. name
   local other = peer.start(server)
   local result, _, turns = poll_loop.call(function(loop)
      package.loaded[name], package.loaded[adapter] = make(loop), nil
      return safe.send { loop = name, host = "127.0.0.1", port = other.port, tls = "skip", from = "a@b.example",
         to = "c@d.example", raw = "x\r\n" }
   end)
   other.finish()
   package.loaded[name], package.loaded[adapter] = before, nil
   return result[1], result[2], turns
end

-- What the call reports outside of such a loop.
function fake_loops.outside(name, library)
   local before, adapter = package.loaded[name], "smtp.loop." .. name
   package.loaded[name], package.loaded[adapter] = library, nil
   local _, err = safe.send { loop = name, host = "127.0.0.1", tls = "skip", from = "a@b.example", to = "c@d.example",
      raw = "x\r\n" }
   package.loaded[name], package.loaded[adapter] = before, nil
   return err
end

return fake_loops
