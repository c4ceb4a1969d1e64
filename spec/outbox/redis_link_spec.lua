-- Clients of Redis: what they report, and when they are connected.
local environment = require "smtp.runtime.environment"
local link = require "smtp.outbox.redis_link"
local redis_model = require "spec.tools.redis_model"

local ECHO = "return ARGV[1]"

local function new_link(connect, options)
   local given = { connect = connect, replicas = 0, replicas_timeout = 1, on_warning = function() end }
   for name, value in pairs(options or {}) do given[name] = value end
   return link.new(given)
end

-- The error of a client whose eval does this.
local function failure_of(eval)
   local own = new_link(function() return { eval = eval } end)
   local reply, err = link.run(own, ECHO, {}, { "x" })
   assert.is_nil(reply)
   return err
end

describe("A link to Redis", function()
   local model
   before_each(function() model = redis_model.new() end)

   it("runs scripts", function()
      local own = new_link(model.connect)
      for i = 1, 3 do assert.equal("x" .. i, link.run(own, ECHO, { "key" }, { "x" .. i })) end
   end)

   it("needs no other method than eval", function()
      local own = new_link(function()
         local client = model.connect()
         return { eval = function(_, ...) return client:eval(...) end }
      end)
      for _ = 1, 2 do assert.equal("x", link.run(own, ECHO, {}, { "x" })) end
   end)

   it("uses a connection for one call at a time", function()
      local own
      own = new_link(model.connect)
      local inner = 0
      model.fault = function(_, name)
         if name == "evalsha" and inner < 3 then
            inner = inner + 1
            assert.equal("inner", link.run(own, ECHO, {}, { "inner" }))
         end
      end
      for _ = 1, 2 do assert.equal("outer", link.run(own, ECHO, {}, { "outer" })) end
      assert.equal(3, inner)
   end)

   it("keeps connections, or gives them back to nginx", function()
      local own = new_link(model.connect)
      for _ = 1, 5 do link.run(own, ECHO, {}, { "x" }) end
      assert.equal(environment.is_nginx() and 5 or 0, model.kept)
      assert.equal(environment.is_nginx() and 5 or 1, model.connections)
      link.close(own)
      if not environment.is_nginx() then assert.equal(0, model.connections) end
      local reply, err = link.run(own, ECHO, {}, { "x" })
      assert.is_nil(reply)
      assert.matches("it is closed", err.what)
   end)

   it("closes a connection that broke, and all that were kept with it", function()
      local own = new_link(model.connect)
      link.run(own, ECHO, {}, { "x" })
      model.fault = function(calls) return calls == 4 and "after" or nil end
      for _ = 1, 2 do assert.equal("x", link.run(own, ECHO, {}, { "x" })) end
      if not environment.is_nginx() then assert.equal(1, model.connections) end
   end)

   it("connects once more after a failure, not for ever", function()
      local count = 0
      local own = new_link(function()
         count = count + 1
         return model.connect()
      end)
      model.fault = function() return "before", "timeout" end
      local reply, err = link.run(own, ECHO, {}, { "x" })
      assert.is_nil(reply)
      assert.same({ "system", "store_connection", "later" }, { err.kind, err.reason, err.retry })
      assert.equal("smtp: the store failed: the connection to Redis broke: timeout. Check that Redis runs and that "
         .. "`connect` connects to it.", tostring(err))
      assert.equal(2, count)
   end)

   it("connects to the new primary when the old one has become a replica", function()
      local old, new = redis_model.new(), redis_model.new()
      old.fault = function(_, name)
         if name ~= "config" then return "reply", "READONLY You can't write against a read only replica." end
      end
      local list = { old, new }
      local own = new_link(function() return table.remove(list, 1).connect() end)
      assert.equal("x", link.run(own, ECHO, {}, { "x" }))
   end)

   it("reports why connect failed", function()
      for _, connect in ipairs { function() return nil, "refused" end, function() error("refused", 0) end,
         function() return false, "refused" end } do
         local _, err = link.run(new_link(connect), ECHO, {}, {})
         assert.same({ "system", "store_connection", "later" }, { err.kind, err.reason, err.retry })
         assert.matches("broke: connect: refused%.", tostring(err))
      end
      local _, err = link.run(new_link(function() end), ECHO, {}, {})
      assert.matches("connect: it returned nothing", err.what)
   end)

   it("refuses what connect returned if it is not a client", function()
      for _, value in ipairs { true, {}, "redis://localhost", { eval = 5 } } do
         local _, err = link.run(new_link(function() return value end), ECHO, {}, {})
         assert.same({ "usage", "connect" }, { err.kind, err.option })
         assert.matches("a method eval", err.what)
      end
      local own = new_link(function() return { eval = print } end, { replicas = 1 })
      assert.matches("a method wait", select(2, link.run(own, ECHO, {}, {})).what)
   end)

   it("says which errors may be over later", function()
      for text, expected in pairs {
         ["LOADING Redis is loading the dataset in memory"] = "later store_busy",
         ["BUSY Redis is busy running a script."] = "later store_busy",
         ["OOM command not allowed when used memory > 'maxmemory'. script: f00, on"] = "later store_busy",
         ["ERR Error running script: @user_script:3: -OOM command not allowed"] = "later store_busy",
         ["MISCONF Redis is configured to save RDB snapshots"] = "later store_busy",
         ["TRYAGAIN Multiple keys request during rehashing of slot"] = "later store_busy",
         ["MOVED 3999 127.0.0.1:6381"] = "later store_busy",
         ["NOREPLICAS Not enough good replicas to write."] = "later store_busy",
         ["NOAUTH Authentication required."] = "never store",
         ["NOPERM this user has no permissions"] = "never store",
         ["ERR unknown command 'EVAL'"] = "never store",
         ["WRONGTYPE Operation against a key"] = "never store",
         ["closed"] = "later store_connection",
      } do
         for _, eval in ipairs { function() return false, text end, function() return nil, text end,
            function() error("redis error: " .. text, 0) end } do
            local err = failure_of(eval)
            assert.equal(expected, err.retry .. " " .. err.reason)
            assert.truthy(err.what:find(text:match "[-](OOM.*)" or text:gsub("%.$", ""), 1, true))
            assert.truthy(err.reason == "store_busy" or err.hint)
         end
      end
   end)

   it("takes errors of any type, and cuts long ones", function()
      assert.matches("no reply", failure_of(function() end).what)
      assert.matches("table", failure_of(function() error({}) end).what)
      assert.truthy(#failure_of(function() return nil, ("x"):rep(1000) end).what < 300)
   end)

   it("passes its warnings on once", function()
      local said = {}
      model.settings = { appendonly = "no", save = "" }
      local own = new_link(model.connect, { on_warning = function(text) said[#said + 1] = text end })
      for _ = 1, 3 do link.run(own, ECHO, {}, { "x" }) end
      assert.equal(1, #said)
   end)
end)
