-- outbox:start: a worker of nginx delivers, is replaced, or ends.
local outboxes = require "spec.tools.outboxes"
local server = require "spec.nginx.server"
local site = require "spec.nginx.site"

local ngx = package.loaded.ngx

-- A store of the caller's: any but a path. It is one that needs no server.
local HTTP = [[
init_worker_by_lua_block {
   local store = assert(require("smtp.outbox.sqlite").open "%s")
   box = require("smtp").outbox { store = store, name = "box", lease = 2,
      server = { host = "127.0.0.1", port = %d, tls = "skip", domain = "me.example" },
      on_result = function(entry) ngx.log(ngx.WARN, "result of ", entry.id, ": ", entry.state) end }
   box:start { connections = 1 }
}
]]

local LOCATION = [[
location / {
   content_by_lua_block {
      ngx.print(box:put({ from = "a@b.example", to = "c@d.example", text = "x" }, { id = ngx.var.arg_id }))
   }
}
]]

local mx, own

local function start(config, workers)
   mx = server.start(config)
   own = site.start(mx.port < 40000 and mx.port + 7000 or mx.port - 7000, LOCATION,
      { http = HTTP:format(outboxes.path(), mx.port), workers = workers })
end

local function put(id)
   assert.truthy(own:ask("/?id=" .. id):receive("*a"):find(id .. "$"))
end

local function wait_for_result(id)
   for _ = 1, 1000 do
      if own:log():find("result of " .. id .. ": sent", 1, true) then return end
      ngx.sleep(0.02)
   end
   error("no result of " .. id .. ": " .. own:log(), 0)
end

describe("outbox:start", function()
   after_each(function()
      if not own then return end
      own:stop()
      mx:stop()
      own = nil
      outboxes.clean()
   end)

   it("delivers in a worker, and goes on in the next one if that is killed", function()
      start({}, 2)
      put "m1"
      wait_for_result "m1"
      for _, pid in ipairs(own:workers()) do os.execute("kill -KILL " .. pid) end
      ngx.sleep(0.1)
      put "m2"
      wait_for_result "m2"
      assert.equal(2, mx:count "message")
   end)

   for _, name in ipairs { "HUP", "QUIT" } do
      it("finishes what is in progress when its worker has to end: " .. name, function()
         start { slow = { RCPT = 0.5 } }
         put "m1"
         mx:wait("C RCPT", 1)
         put "m2" -- it is claimed as well, or waits
         own:signal(name)
         wait_for_result "m1"
         if name == "HUP" then
            wait_for_result "m2"
         else
            assert.is_true(own:wait())
         end
         assert.equal(name == "HUP" and 2 or 1, mx:count "message")
      end)
   end

   it("is refused where it does not work, with what to do instead", function()
      local given = { store = outboxes.path(), server = { host = "relay.example" } }
      local box = assert(require("smtp.safe").outbox(given))
      local ok, err = box:start()
      assert.is_nil(ok)
      assert.same({ "usage", "start" }, { err.kind, err.option })
      assert.matches("lua%-smtp outbox run %-%-store " .. given.store:gsub("%p", "%%%0"), err.hint)
      ok, err = box:run()
      assert.is_nil(ok)
      assert.same({ "usage", "run" }, { err.kind, err.option })
      assert.matches("lua%-smtp outbox run.*once = true", err.hint)
      given.store = assert(require("smtp.outbox.sqlite").open(given.store))
      box = assert(require("smtp.safe").outbox(given))
      ok, err = box:start()
      assert.is_nil(ok)
      assert.matches("the phase content", err.what)
      assert.matches("init_worker_by_lua", err.hint)
      assert.matches("outbox:start", select(2, box:run()).hint)
   end)
end)
