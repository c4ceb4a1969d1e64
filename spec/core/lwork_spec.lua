-- Whose the working memory is: csrc/lua/lwork.c.
local core = require "smtp.core"
local sessions = require "spec.tools.sessions"

-- KiB of memory for each of these.
local function memory_each(count, make)
   local all = {}
   collectgarbage()
   collectgarbage()
   local before = collectgarbage("count")
   for i = 1, count do all[i] = make() end
   collectgarbage()
   collectgarbage()
   local each = (collectgarbage("count") - before) / count
   return each, all
end

local function busy()
   local session = core.session { domain = "me.example", tls = "skip", auth = "skip", host = "mx", port = 25 }
   session:heard("220 hi\r\n")
   sessions.said(session)
   session:heard("250-")
   return session
end

describe("working memory", function()
   it("is that of sessions in the middle of something", function()
      local rests = memory_each(40, sessions.open)
      assert.is_true(rests < 25, rests)
      local works = memory_each(40, busy)
      assert.is_true(works > 100, works)
   end)

   it("goes back when they rest, end, or are not needed any more", function()
      local _, all = memory_each(40, busy)
      local each = memory_each(1, function()
         for i, session in ipairs(all) do
            if i % 2 == 0 then
               session:heard("mx\r\n250 SIZE\r\n")
            else
               all[i] = false
            end
         end
      end)
      assert.is_true(each < -36 * 100, each)
      assert.equal("ready", all[2]:wants())
   end)

   it("goes back when a session is over, and a session that rests needs none for its end", function()
      local over = {
         ["after its QUIT"] = function(session)
            session:quit()
            sessions.said(session)
            session:heard("221 bye\r\n")
         end,
         ["closed by the server"] = function(session) session:heard("421 4.3.2 going down\r\n") end,
         ["closed here"] = function(session) session:heard("") end,
         ["closed in the middle of something"] = function(session)
            session:ask("noop")
            session:heard("")
         end,
         ["given up"] = function(session)
            session:ask("noop")
            session:broken("timeout", "timeout", "")
            session:heard("")
         end,
      }
      for name, finish in pairs(over) do
         local each, all = memory_each(40, function()
            local session = sessions.open()
            finish(session)
            return session
         end)
         assert.is_true(each < 25, name .. ": " .. each)
         for _, session in ipairs { all[1], all[40] } do
            assert.same({ "nothing", "mx" }, { session:wants(), session:facts().server })
            assert.is_truthy(session:transcript():find("EHLO", 1, true))
            session:heard("250 late\r\n")
            session:broken("timeout", "timeout", "")
            session:ask("noop")
            session:quit()
            session:heard("")
            assert.same({ "nothing", "" }, { session:wants(), session:output() })
         end
      end
   end)

   it("is that of the old session where a new one takes its place", function()
      local old = busy()
      local each = memory_each(1, function()
         for _ = 1, 40 do old = core.session({ domain = "me.example", tls = "skip", auth = "skip" }, nil, old) end
      end)
      assert.is_true(each < 50, each)
   end)

   it("is not taken twice where a finalizer uses the session meanwhile", function()
      if _VERSION == "Lua 5.1" then return end -- tables have none
      local known, pause = pcall(collectgarbage, "setpause", 10) -- Lua 5.5 does not know these
      local multiplier = known and collectgarbage("setstepmul", 1000)
      local inside, all, taken, session = false, {}, 0, nil
      local function watch()
         setmetatable({}, { __gc = function()
            if inside and session:wants() == "ready" then session:ask("noop") end
         end })
      end
      -- In Lua 5.4 the collector stops until session:quit, and then runs a whole cycle; in others it begins there at
      -- least once, mostly.
      local is_planned = _VERSION == "Lua 5.4"
      if is_planned then collectgarbage("incremental", 10, 1000, 30) end
      for _ = 1, is_planned and 30 or 400 do
         if is_planned then collectgarbage "stop" end
         session = sessions.open()
         all[#all + 1] = { session, busy() } -- so that there is no spare one
         watch()
         inside = true
         if is_planned then collectgarbage "restart" end
         session:quit()
         inside = false
         local said = sessions.said(session)
         assert.is_true(said == "QUIT\r\n" or said == "NOOP\r\n", said)
         if said == "NOOP\r\n" then taken = taken + 1 end
         if taken == 3 then break end -- each collection takes long where other specs have filled the memory
      end
      if is_planned then collectgarbage("incremental", 0, 0, 13) end -- the step of the start
      if known then collectgarbage("setpause", pause) end
      if known then collectgarbage("setstepmul", multiplier) end
   end)

   it("is had again by a session that the collector has ended", function()
      for _, session in ipairs { sessions.open(), busy() } do
         debug.getmetatable(session).__gc(session)
         assert.equal("nothing", session:wants())
         local mail = sessions.of_unknown_size()
         session:heard("250 mx\r\n")
         session:add(mail)
         session:quit()
         session:broken("disconnected", "aborted", "")
         assert.equal("", session:output())
         assert.equal("unsent", mail:recipients()[1].state)
         session:facts()
         session:transcript()
         debug.getmetatable(session).__gc(session)
      end
   end)

   it("stays with the sessions where the module is opened once more", function()
      local session, other = busy(), sessions.open()
      local each = memory_each(1, function()
         package.loaded["smtp.core"] = nil
         local again = require "smtp.core"
         package.loaded["smtp.core"] = core
         assert.is_not.equal(core, again)
      end)
      assert.is_true(each > -50, each) -- or the collector has taken it from the session
      session:heard("mx\r\n250 SIZE\r\n")
      assert.equal("ready", session:wants())
      other:quit()
      assert.equal("QUIT\r\n", sessions.said(other))
      other:heard("221 bye\r\n")
      assert.equal("nothing", other:wants())
   end)
end)
