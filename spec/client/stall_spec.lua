-- A server that hangs after any byte of what it says, over real sockets, in clear and inside the records of TLS: the
-- call ends at its deadline, and what is reported of each recipient is what the server has.
-- A sample of the bytes by default, each with STALLS=1 (STALLS=20: every twentieth).
local certs = require "spec.tools.certs"
local core = require "smtp.core"
local peer = require "spec.tools.peer"
local poll_loop = require "spec.tools.poll_loop"
local safe = require "smtp.safe"
local tally = require "spec.tools.tally"
local truth = require "spec.failing.truth"

local is_nginx = package.loaded.ngx ~= nil
local share = tonumber(os.getenv "STALLS")
local FAR, AT_ONCE = 1000000, 80
local TIMEOUT, SLACK = 0.4, 3 -- seconds; QUIT gets up to two
local TO = { "bob@there.example", "carol@there.example" }

local ca = certs.make() "ca"
local servers

-- -> the ports, a function that reads the next line, a function that ends the relay
local function relay(port, first, last, step)
   local pipe = io.popen(("echo $$; exec %s spec/tools/stalling.lua %d %d %d %d"):format(peer.interpreter, port, first,
      last, step))
   local pid, ports = pipe:read "*l", {}
   for number in pipe:read "*l":gmatch "%d+" do ports[#ports + 1] = tonumber(number) end
   return ports, function()
      local count, digits = pipe:read "*l":match "(%d+)\t(%x*)"
      return tonumber(count), (digits:gsub("%x%x", function(two) return string.char(tonumber(two, 16)) end))
   end, function()
      os.execute("kill " .. pid)
      pipe:close()
   end
end

local function send(way, port, id, timeout, loop)
   local t = { host = "localhost", port = port, tls = "skip", domain = "me.example", timeout = timeout, loop = loop,
      tls_ca_file = not is_nginx and ca or nil, -- nginx.conf names it there
      from = "ann@me.example", to = TO, raw = ("Subject: %s\r\n\r\n.x\r\n"):format(id) }
   for name, value in pairs(way.options) do t[name] = value end
   local began = core.now()
   local receipt, err = safe.send(t)
   return { id = id, receipt = receipt, err = err, seconds = core.now() - began }
end

-- Where the verdicts end, one for each recipient with LMTP: they are the last replies but that to QUIT.
local function ends_of(text, is_lmtp)
   local ends, at = {}, #text - #text:match "221[^\n]*\n$"
   local last = text:sub(1, at):match "\n(250[^\n]*\n)$"
   for i = 1, #TO do ends[TO[i]] = at - (is_lmtp and i < #TO and #last or 0) end
   return ends
end

-- How many bytes the server says in the whole of it; where its verdicts end, in clear.
local function measure(way)
   local ports, told, stop = relay(servers.ports[way.port], FAR, FAR, 1)
   local one = send(way, ports[1], "m0-1", 30)
   assert(one.receipt, tostring(one.err))
   local said, text = told()
   stop()
   servers:settle()
   local is_clear = way.options.tls == nil
   return said, is_clear and ends_of(text, way.options.protocol == "lmtp") or nil
end

-- The relay ends after so many bytes, from `first` to `last`. -> the results
local function try(way, first, last, step)
   local ports, told, stop = relay(servers.ports[way.port], first, last, step)
   local results, jobs, loop = {}, {}, not is_nginx and poll_loop.new() or nil
   for i = 1, #ports do
      jobs[i] = function()
         results[i] = send(way, ports[i], ("m%d-1"):format(first + i), TIMEOUT, loop)
         results[i].at = first + (i - 1) * step
      end
   end
   if loop then
      loop.run(jobs)
      local one = send(way, ports[#ports], "m0-1", TIMEOUT) -- and without an event loop
      one.at = first + (#ports - 1) * step
      results[#results + 1] = one
   else
      local thread = package.loaded.ngx.thread
      for i = 1, #jobs do jobs[i] = assert(thread.spawn(jobs[i])) end
      for i = 1, #jobs do assert(thread.wait(jobs[i])) end
   end
   for _ = 1, #results do told() end -- all that the client said has gone on to the server
   stop()
   return results
end

local function check(one, arrived, ends)
   local receipt, err = one.receipt, one.err
   assert(receipt or err.kind == "timeout", tostring(err))
   assert(one.seconds < TIMEOUT + SLACK and (receipt or one.seconds > TIMEOUT - 0.05), one.seconds)
   local states = {}
   for _, recipient in ipairs((receipt or err).recipients or {}) do states[recipient.address] = recipient.state end
   for _, address in ipairs(TO) do
      local count, state = arrived[one.id .. " " .. address] or 0, states[address] or "unsent"
      assert(count <= 1 and (state == "unsent") == (count == 0),
         ("%s: %s, arrived %d times"):format(one.id, state, count))
      assert(state == "accepted" or not receipt, state)
      -- Only what the client has heard is true. On a slow machine it may have heard less than the relay lets through.
      assert(not ends or state ~= "accepted" or one.at >= ends[address], one.id)
   end
   if receipt then return end
   local has_it = arrived[one.id .. " " .. TO[1]] ~= nil
   assert.same({ has_it, has_it and "doubt" or "later" }, { err.sent ~= "no", err.retry })
end

local function with_login(options)
   options.username, options.password = "ann", "sesame-failing"
   return options
end

describe("A server that hangs after a byte", function()
   setup(function() servers = truth.start() end)
   teardown(function() servers:stop() end)

   for _, way in ipairs {
      { name = "of a reply", port = "plain", every = 7, options = with_login { auth_plaintext = true } },
      { name = "of a reply, the message in chunks", port = "chunks", every = 7, options = {} },
      { name = "of a reply of LMTP", port = "lmtp", every = 7, options = { protocol = "lmtp" } },
      { name = "of STARTTLS and after it", port = "starttls", every = 67, options = with_login { tls = "require" } },
      { name = "of TLS", port = "implicit", every = 67, options = with_login { tls = "implicit" } },
   } do
      it(way.name .. " does not hold up the call", function()
         local said, ends = measure(way)
         local step = share or way.every
         for first = 0, said - 1, step * AT_ONCE do
            local results = try(way, first, math.min(first + step * AT_ONCE, said) - 1, step)
            tally.add(#results)
            local arrived = servers:settle()
            for _, one in ipairs(results) do check(one, arrived, ends) end
         end
      end)
   end
end)
