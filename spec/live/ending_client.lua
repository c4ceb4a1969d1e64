-- Sends three messages whose ends are held back: lua ending_client.lua PORT PIPELINING PROTOCOL TLS RECIPIENTS NOTES
-- [DEATH]. It notes in the file NOTES each message that may end, each result, and its own end. DEATH: where it kills
-- itself, such as "before2" or "after2": the note that message 2 may end.

local many = require "smtp.client.many"

local unpack = table.unpack or unpack -- luacheck: ignore
local port, pipelining, protocol, tls, count, path, death = unpack(arg, 1, 7)
local recipients, notes = {}, assert(io.open(path, "a"))
for i = 1, tonumber(count) do recipients[i] = ("r%d@x.example"):format(i) end

local function note(...)
   notes:write(table.concat({ ... }, " "), "\n")
   notes:flush()
end

local function die_at(moment)
   if death == moment then os.execute "kill -9 $PPID" end
end

local function mail(i, more)
   more.from, more.to = "ann@me.example", recipients
   more.raw = more.raw or not more.text and ("message %d\r\n.dot\r\n"):format(i) or nil
   return more
end

local at, pieces = 0, { "message 2\r\n", "in pieces" }
local function source()
   at = at + 1
   return pieces[at]
end

many.send({ host = "localhost", port = tonumber(port), domain = "me.example", tls = tls, pipelining = pipelining,
   protocol = protocol, tls_ca_file = "build/spec/certs/ca.pem", timeout = 20 },
   { mail(1, {}), mail(2, { raw = source }), mail(3, { subject = "message 3", text = "hello" }) },
   { connections = 1, on_result = function(index, _, err) note("result", index, err and err.sent or "yes") end },
   function(ends)
      for _, one in ipairs(ends) do
         die_at("before" .. one.index)
         note("allowed", one.index, table.concat(one.recipients, " "))
         die_at("after" .. one.index)
      end
      return true
   end)
note "done"
