-- A disk that becomes full while an outbox uses it: lua outbox_disk.lua FOLDER CASE, where the folder is a small tmpfs
-- that is empty. Each case ends with all messages sent once, or in doubt. outbox_disk_spec.lua runs it.

local outboxes = require "spec.tools.outboxes"
local smtp = require "smtp.safe"

local folder, name = arg[1], arg[2]
local message = outboxes.message

local function fill()
   local file = assert(io.open(folder .. "/filler", "ab"))
   file:setvbuf "no"
   repeat until not file:write(("x"):rep(512))
   file:close()
end

local function free()
   assert(os.remove(folder .. "/filler"))
end

-- `events`: rcpt, message: called once, by the server
local function new(events)
   local arrived, left = {}, { rcpt = events.rcpt, message = events.message }
   local function happen(event)
      local run = left[event]
      left[event] = nil
      if run then run() end
   end
   local case = outboxes.new({ store = folder .. "/mail.db" }, { faults = { rcpt = function() happen "rcpt" end },
      on_message = function(one)
         arrived[one.to[1]] = (arrived[one.to[1]] or 0) + 1
         happen "message"
      end })
   case.arrived = arrived
   return case
end

local function put(case, count)
   for i = 1, count do assert(case.box:put(message("u" .. i .. "@example.net"), { id = "m" .. i })) end
end

local function expect_full(result, err)
   assert(result == nil and err.kind == "system" and err.reason == "store_full" and err.retry == "later", tostring(err))
   assert(err.hint:find("space", 1, true), err.hint)
end

-- All messages are sent once, but for those in doubt, which have arrived.
local function finish(case, count, doubts)
   case.clock.time = case.clock.time + 1000 -- all leases have ended
   assert(case.box:run { until_empty = true })
   local stats = assert(case.box:stats())
   assert(stats.sent == count - doubts and stats.doubt == doubts, stats.sent .. " sent, " .. stats.doubt .. " in doubt")
   for i = 1, count do
      local times = case.arrived["u" .. i .. "@example.net"] or 0
      assert(times == 1, ("u%d arrived %d times"):format(i, times))
   end
end

local cases = {}

function cases.put()
   local case, count = new {}, 0
   local err
   repeat
      local id
      count = count + 1
      id, err = case.box:put(message("u" .. count .. "@example.net"), { id = "m" .. count })
   until not id
   expect_full(nil, err)
   local accepted = count - 1
   assert(#assert(case.box:list { limit = 10000 }) == accepted)
   assert(accepted > 5 and case.box:get("m" .. count) == nil)
   expect_full(case.box:put({ from = "ann@example.org", to = "eve@example.net", text = ("a line of text\n"):rep(9000) },
      { id = "long" }))
   assert(case.box:get "long" == nil)
   expect_full(case.box:run { once = true }) -- the claim, or the result of a message: that is in doubt
   local doubts = #case.sink.messages
   os.execute("mount -o remount,size=20m " .. folder)
   assert(case.box:put(message("u" .. count .. "@example.net"), { id = "m" .. count }))
   finish(case, count, doubts)
end

-- No end is sent without its mark.
function cases.mark()
   local case = new { rcpt = fill }
   put(case, 5)
   expect_full(case.box:run { once = true })
   assert(#case.sink.messages == 0)
   free()
   finish(case, 5, 0)
end

-- The result of the message waits for space.
function cases.result()
   local case = new { message = fill }
   put(case, 5)
   local sleep, sleeps = case.box.sleep, 0
   function case.box.sleep(seconds)
      sleeps = sleeps + 1
      if sleeps == 5 then free() end
      sleep(math.min(seconds, 1))
   end
   assert(case.box:run { once = true })
   assert(sleeps >= 5)
   finish(case, 5, 0)
end

-- There is none before the program ends.
function cases.doubt()
   local case = new { message = fill }
   put(case, 5)
   expect_full(case.box:run { once = true })
   local doubts = #case.sink.messages
   assert(doubts >= 1)
   free()
   case.box:close()
   case.box = outboxes.beside(case)
   finish(case, 5, doubts)
end

-- -> the reason and the hint of the error
local function refused()
   local box, err = smtp.outbox { store = folder .. "/mail.db", server = { host = "relay.example" } }
   local id
   if box then
      id, err = box:put(message "bob@example.net")
      box:close()
   end
   assert(not id and err.kind == "system" and err.retry == "later", tostring(err))
   return err.reason .. ": " .. err.hint
end

local READONLY = "store_readonly: Make the file, those beside it (-wal and -shm) and their folder writable"
local PATH = "store_path: Check the path: the folder has to exist, and this user has to be able to read and write "
   .. "it and the file"

local function expect(text, command)
   os.execute(command:format(folder, folder))
   local found = refused()
   assert(found == text, command .. " " .. found)
end

-- What must not be written: the program runs without the right of root to write everything.
function cases.readonly()
   os.execute("chmod 500 " .. folder)
   expect(PATH, "chmod 500 %s")
   os.execute("chmod 700 " .. folder)
   local case = new {}
   put(case, 2)
   case.box:close()
   expect(READONLY, "chmod 400 %s/mail.db")
   expect(READONLY, "chmod 600 %s/mail.db; chmod 500 %s")
   expect(PATH, "chmod 700 %s; chmod 0 %s/mail.db")
   expect(READONLY, "chmod 600 %s/mail.db*; mount -o remount,ro %s")
   os.execute("mount -o remount,rw " .. folder)
   case.box = outboxes.beside(case)
   finish(case, 2, 0)
end

cases[name]()
print "done"
