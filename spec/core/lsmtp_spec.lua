-- What smtp.core knows of the host.
local core = require "smtp.core"

describe("core.random", function()
   it("gives as many bytes as asked for, others each time", function()
      for _, count in ipairs { 1, 16, 256 } do assert.equal(count, #core.random(count)) end
      assert.not_equal(core.random(16), core.random(16))
      for _, bad in ipairs { 0, 257 } do assert.has_error(function() core.random(bad) end) end
   end)
end)

describe("core.now", function()
   it("never goes back", function()
      local last = core.now()
      for _ = 1, 1000 do
         local now = core.now()
         assert.is_true(now >= last)
         last = now
      end
   end)
end)

describe("core.seconds_for", function()
   it("gives a message of known size the time it needs, unless the time is fixed", function()
      assert.equal(300, core.seconds_for(nil, 300))
      assert.equal(310, core.seconds_for(10 * 131072, 300))
      assert.equal(300, core.seconds_for(10 * 131072, 300, true))
   end)
end)

describe("core.sleep", function()
   it("takes the time that it is given", function()
      local started = core.now()
      core.sleep(0.02)
      assert.is_true(core.now() - started >= 0.02)
      for _, bad in ipairs { -1, 86401, 0 / 0 } do assert.has_error(function() core.sleep(bad) end) end
   end)
end)

describe("core.literal", function()
   for address, literal in pairs { ["192.0.2.1"] = "[192.0.2.1]", ["2001:db8::1"] = "[IPv6:2001:db8::1]",
      ["fe80::1%eth0"] = "[IPv6:fe80::1]", ["::ffff:192.0.2.1"] = "[IPv6:::ffff:192.0.2.1]" } do
      it("makes " .. literal .. " of " .. address, function() assert.equal(literal, core.literal(address)) end)
   end

   it("makes nothing of what is not an address", function()
      for _, bad in ipairs { "", "localhost", "192.0.2", "1:2:3", "/run/smtp.sock", "fe80::1%", "fe80::1%a b",
         ("1"):rep(600), ("1:"):rep(300) } do
         assert.is_nil((core.literal(bad)))
      end
   end)
end)

describe("core.hostname", function()
   it("is what the system says", function()
      local file = io.open "/proc/sys/kernel/hostname" -- of Linux
      local name = file and file:read("*l") or core.hostname()
      if file then file:close() end
      assert.equal(name, core.hostname())
   end)
end)

describe("core.file", function()
   it("tells files from folders and devices", function()
      assert.equal("file", (core.file "README.md"))
      assert.equal("directory", (core.file "spec"))
      assert.equal("other", (core.file "/dev/null"))
      assert.is_nil((core.file "/nowhere/at/all"))
   end)

   it("has a stamp that changes with the file", function()
      local name = os.tmpname()
      local file = assert(io.open(name, "w"))
      local _, before = core.file(name)
      assert.equal(before, select(2, core.file(name)))
      file:write("x")
      file:close()
      assert.not_equal(before, select(2, core.file(name)))
      os.remove(name)
   end)
end)

describe("a thread", function()
   local isyieldable = rawget(coroutine, "isyieldable") -- nginx leaves it out of its own table
   local can_tell = isyieldable or rawget(_G, "jit")    -- Lua 5.1 and 5.2 cannot

   it("can yield in a coroutine, unless a function of C is below", function()
      local outside, inside
      coroutine.wrap(function()
         outside = core.can_yield()
         string.gsub("x", "x", function() inside = core.can_yield() end)
      end)()
      assert.same({ true, not can_tell }, { outside, inside })
      if isyieldable then assert.equal(isyieldable(), core.can_yield()) end
   end)
end)
