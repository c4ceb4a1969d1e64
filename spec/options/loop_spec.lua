local safe = require "smtp.safe"

local function refused(value, more)
   local t = { host = "127.0.0.1", tls = "skip", loop = value }
   for name, other in pairs(more or {}) do t[name] = other end
   local result, err = safe.connect(t)
   assert.is_nil(result)
   assert.equal("usage", err.kind)
   assert.equal("loop", err.option)
   return err
end

local function nothing() end

describe("the option loop", package.loaded.ngx and function()
   it("is refused in nginx, as a default too", function()
      local loop = { wait = nothing, sleep = nothing }
      for _, err in ipairs { refused(loop), select(2, pcall(require("smtp.loop").use, loop)) } do
         assert.equal("loop", err.option)
         assert.truthy(tostring(err):find("has no effect in nginx", 1, true))
      end
      require("smtp.loop").use(false)
      local _, err = safe.connect { host = "127.0.0.1", port = 1, tls = "skip", loop = false }
      assert.equal("connect", err.kind)
   end)
end or function()
   it("is one of three names, or functions", function()
      assert.truthy(refused("cqueue").hint:find('"cqueues"', 1, true))
      assert.truthy(tostring(refused(true)):find("true", 1, true))
      assert.truthy(tostring(refused { wait = nothing }):find("no function sleep", 1, true))
      assert.truthy(tostring(refused { sleep = nothing, wait = 1 }):find("no function wait", 1, true))
   end)

   it("names the library that cannot be loaded, and how to install it", function()
      local loaded = package.loaded.copas
      package.loaded.copas, package.loaded["smtp.loop.copas"] = nil, nil
      package.preload.copas = function() error "not here" end
      local err = refused "copas"
      package.preload.copas, package.loaded.copas = nil, loaded
      assert.matches('loop = "copas" needs the Lua module copas: ', err.what, 1, true)
      assert.equal(1, select(2, err.what:gsub("cannot be loaded", "")))
      assert.truthy(err.hint:find("lua-copas", 1, true))
   end)

   it("is not for a transport of the caller's", function()
      local transport = {}
      for _, name in ipairs { "connect", "send", "receiveany", "sslhandshake", "settimeouts", "close" } do
         transport[name] = nothing
      end
      refused({ wait = nothing, sleep = nothing }, { transport = transport })
   end)

   it("asks the loop whether the call may wait in it", function()
      local err = refused { wait = nothing, sleep = nothing, check = function() return "Call it elsewhere" end }
      assert.truthy(err.hint:find("Call it elsewhere; or write loop = false", 1, true))
   end)

   it("does not rely on that answer", function()
      local function with(check) return { wait = nothing, sleep = nothing, check = check } end
      assert.truthy(refused(with(1)).what:find("check of loop is not a function", 1, true))
      assert.truthy(refused(with(function() error("broken", 0) end)).what:find("raised an error: broken", 1, true))
      assert.truthy(refused(with(function() return true end)).what:find("returned a boolean", 1, true))
   end)
end)
