-- The gate for Lua 5.5, where the control variable of a loop is constant: .ci/loops.lua.
local command = require "spec.tools.command"
local peer = require "spec.tools.peer"

local function found(text)
   local said = command.run_with(peer.interpreter .. " .ci/loops.lua", text)
   return (said:gsub("[^\n]-:(%d+): ([^\n]*)\n", "%1 %2\n"))
end

describe("an assignment to a loop variable", function()
   for text, name in pairs {
      ["for i = 1, 2 do i = 3 end"] = "i", ["for k, v in pairs(t) do local x\nk = x end"] = "k",
      ["for x in f do a.b[1], x = 1, 2 end"] = "x", ["for x in f do x, a.b[g(1)].c = 1, 2 end"] = "x",
      ["for x in f do if a then b() else x = 1 end end"] = "x",
      ["for x in f do g(function() x = 1 end) end"] = "x", ["for x in f do t = { function() x = 1 end } end"] = "x",
      ["for x in f do while c do x = 1 end end"] = "x", ["for x in f do function x() end end"] = "x",
      ["for x in f do do local x = 1 end x = 2 end"] = "x", ["for x in f do f() x = 2 end"] = "x",
      ["for x in f do repeat local y = 1 until y x = 2 end"] = "x", ["for x in f do local y = 1 x = 2 end"] = "x",
      ["for x in f do local function g(x) x = 1 end x = 2 end"] = "x",
      ["for x in f do for y in function() return x end do x = 2 end end"] = "x",
      ["for x in f do --[==[ x ]==] x --c\n= 'a' end"] = "x", ["for x in f do ('a'):b() x = 2 end"] = "x",
   } do
      it("is found in: " .. text, function()
         assert.truthy(found(text):find("^%d+ assigns to the loop variable " .. name .. "\n$"), found(text))
      end)
   end

   for _, text in ipairs {
      "for k, v in pairs(t) do v = 1 end",
      "for i = 1, 2 do local i = i i = 3 end", "for i = 1, 2 do end i = 3", "for x in f do t.x = 1 t[x] = 2 end",
      "for x in f do g { x = 1, y = { x = 2 } } end", "for x in f do local t = { x = 1 } end",
      "for x in f do g(function(x) x = 1 end) end", "for x in f do local a, x = 1, 2 x = 3 end",
      "for x in f do if x == 1 then local x x = 2 end end", "-- for x in f do x = 1 end",
      "local s = 'for x in f do x = 1 end' local l = [[for x in f do x = 1 end]]",
      "for x = 1, 2 do for y = x, 3 do a = y end end x = 1", "for x in f do function t.x() end function t:x() end end",
      "for x in f do if a then local x = 1 x = 2 end end", "#!/usr/bin/lua x\nfor x in f do end x = 1",
   } do
      it("is not seen in: " .. text, function() assert.equal("", found(text)) end)
   end

   it("is looked for beside the name that Lua 5.5 may reserve", function()
      assert.equal("2 uses the name global\n", found("local a = 1\nlocal global = a"))
      assert.equal("", found("local globals = 'global' -- global"))
   end)
end)
