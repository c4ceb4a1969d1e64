-- outbox:start: a worker of nginx delivers, is replaced, or ends.
local outboxes = require "spec.tools.outboxes"
local server = require "spec.nginx.server"
local site = require "spec.nginx.site"
local smtp = require "smtp.safe"

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

local COUNT = 25

local mx, own, path

local function start(config, workers)
   mx, path = server.start(config), outboxes.path()
   own = site.start(mx.port < 40000 and mx.port + 7000 or mx.port - 7000, LOCATION,
      { http = HTTP:format(path, mx.port), workers = workers })
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
      it("finishes what is on its way, and gives back the rest, when its worker has to end: " .. name, function()
         start { slow = { RCPT = 0.1 } }
         for i = 1, COUNT do put("m" .. i) end
         mx:wait("C RCPT", 1)
         own:signal(name)
         if name == "HUP" then
            for i = 1, COUNT do wait_for_result("m" .. i) end
            assert.equal(COUNT, mx:count "message")
         else
            assert.is_true(own:wait())
            local stats = assert(smtp.outbox { store = path, name = "box", server = { host = "localhost" } }):stats()
            assert.same({ 0, 0, 0, COUNT }, { stats.claimed, stats.ending, stats.doubt, stats.sent + stats.queued })
            assert.equal(stats.sent, mx:count "message")
            assert.is_true(stats.sent > 0 and stats.queued > 0)
         end
      end)
   end

   it("is refused where it does not work, with what to do instead", function()
      local given = { store = outboxes.path(), server = { host = "relay.example" } }
      local box = assert(smtp.outbox(given))
      local ok, err = box:start()
      assert.is_nil(ok)
      assert.same({ "usage", "start" }, { err.kind, err.option })
      assert.matches("lua%-smtp outbox run %-%-store " .. given.store:gsub("%p", "%%%0"), err.hint)
      ok, err = box:run()
      assert.is_nil(ok)
      assert.same({ "usage", "run" }, { err.kind, err.option })
      assert.matches("lua%-smtp outbox run.*once = true", err.hint)
      given.store = assert(require("smtp.outbox.sqlite").open(given.store))
      box = assert(smtp.outbox(given))
      ok, err = box:start()
      assert.is_nil(ok)
      assert.matches("the phase content", err.what)
      assert.matches("init_worker_by_lua", err.hint)
      assert.matches("outbox:start", select(2, box:run()).hint)
   end)
end)
