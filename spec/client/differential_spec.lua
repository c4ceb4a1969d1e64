-- What leaves the library and what it reports, for a corpus of messages: the bytes on the wire, and
-- the receipt or the error. Each case goes through a transport (the loop in Lua), through a real
-- socket (the loop in C), and through one in an event loop; all must give what
-- spec/client/differential/ holds.
--
-- After a deliberate change of behaviour, DIFFERENTIAL=write writes the files anew: review them.

local cases = require "spec.client.differential.cases"
local new_server = require "spec.client.differential.server"
local peer = require "spec.tools.peer"
local poll_loop = require "spec.tools.poll_loop"
local safe = require "smtp.safe"
require("spec.tools.dkim_keys").make()

local PORT = 2525 -- shown instead of a real port
local volatile = { seconds = true, transcript = true, cause = true }

local function escape(text)
   return (text:gsub("\r\n", "\n"):gsub("[%z\1-\9\11-\31\127-\255]", function(c)
      return ("\\x%02X"):format(c:byte())
   end))
end

-- Fields by name; those of the outermost table on lines of their own.
local function show(value, is_inner)
   if type(value) == "string" then return (("%q"):format(escape(value)):gsub("\\\n", "\\n")) end
   if type(value) ~= "table" then return tostring(value) end
   local keys, shown = {}, {}
   for key in next, value do
      if not volatile[key] and value[key] ~= "127.0.0.1" then keys[#keys + 1] = key end
   end
   table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
   for i, key in ipairs(keys) do
      shown[i] = ("%s = %s"):format(tostring(key), show(value[key], true))
   end
   return is_inner and "{ " .. table.concat(shown, ", ") .. " }" or table.concat(shown, "\n")
end

local function run(case, options)
   options.domain = "client.example"
   for name, value in next, case.options or {} do options[name] = value end
   if case.messages then return safe.send_many(options, case.messages(), case.settings) end
   for name, value in next, case.message() do options[name] = value end
   return safe.send(options)
end

local function checksum(text)
   local sum = 0
   for i = 1, #text do sum = (sum * 31 + text:byte(i)) % 2147483647 end
   return sum
end

local function outcome(case, wire, port, result, err)
   if case.digest then wire = ("%d bytes, checksum %d\n"):format(#wire, checksum(wire)) end
   if case.normalize then
      wire = wire:gsub(" b=.-\r\n(%S)", " b=...\r\n%1", 1):gsub(" t=%d+", " t=...")
   end
   local text = ("%s\n---- %s\n%s\n"):format(escape(wire), err and "error" or "result",
      show(result or err))
   if err then text = text .. tostring(err) .. "\n" end
   return (text:gsub("%f[%d]" .. port .. "%f[%D]", tostring(PORT)))
end

-- Each case has a port of its own: what one server offered is remembered by its name and port.
local function through_transport(case, index)
   local servers, port = {}, PORT + index
   local function transport()
      servers[#servers + 1] = new_server(case)
      return servers[#servers]
   end
   local result, err = run(case, { host = "127.0.0.1", port = port, tls = "skip",
      transport = transport, auth_plaintext = true })
   local wires, connected = {}, #servers > 0
   for i = 1, #servers do wires[i] = table.concat(servers[i].wire) end
   local text = outcome(case, table.concat(wires, "==== the next connection\r\n"), port,
      result, err)
   return text, connected
end

local child = [[
local case = require("spec.client.differential.cases")[%d]
local server, sock = require("spec.client.differential.server")(case), accept()
repeat
   if server.said ~= "" then
      sock:send(server.said)
      server.said = ""
   end
   local data = not server.closing and not server.gone and sock:receiveany(65536)
   if data then server:send(data) end
until not data
sock:close()
io.write(table.concat(server.wire))
]]

local function through_socket(case, index, loop)
   local other = peer.start(child:format(index))
   local result, err = run(case, { host = "127.0.0.1", port = other.port, tls = "skip",
      auth_plaintext = true, loop = loop })
   return outcome(case, other.finish(), other.port, result, err)
end

local function in_loop(case, index)
   local result = poll_loop.call(function(loop) return through_socket(case, index, loop) end)
   return result[1]
end

local function path_of(case)
   return ("spec/client/differential/%s.txt"):format((case.name:gsub("[^%w]+", "-")))
end

local function kept(case, text)
   local path = path_of(case)
   if os.getenv("DIFFERENTIAL") == "write" then
      local file = assert(io.open(path, "wb"))
      file:write(text)
      file:close()
   end
   local file = assert(io.open(path, "rb"))
   local all = file:read("*a")
   file:close()
   return all
end

describe("the corpus", function()
   for index, case in ipairs(cases) do
      it("gives the same as before: " .. case.name, function()
         local text, connected = through_transport(case, index)
         assert.are.equal(kept(case, text), text)
         if connected then
            assert.are.equal(text, through_socket(case, index))
            if not package.loaded.ngx then assert.are.equal(text, in_loop(case, index)) end
         end
      end)
   end
end)
