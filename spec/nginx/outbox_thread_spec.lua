-- Messages that a thread of nginx puts into an outbox.
local outboxes = require "spec.tools.outboxes"
local raw = require "smtp.sqlite_store"
local site = require "spec.nginx.site"

local ngx = package.loaded.ngx

local HTTP = [[
init_by_lua_block {
   box = require("smtp.safe").outbox { store = "%s", name = "box", server = { host = "relay.example" } }
   local thread, in_threads = require "smtp.outbox.sqlite_thread", 0
   local put = thread.put
   function thread.put(...)
      local done, is_new, err = put(...)
      if done then in_threads = in_threads + 1 end
      return done, is_new, err
   end
   function answer(id, text)
      local done, err = box:put({ from = "a@b.example", to = "c@d.example", text = text or "hello" }, { id = id })
      return (done or tostring(err.reason) .. ": " .. err.what) .. " " .. in_threads
   end
}
]]

local LOCATION = [[
location = /content { lua_check_client_abort on; content_by_lua_block { ngx.print(answer(ngx.var.arg_id)) } }
location = /rewrite {
   rewrite_by_lua_block { ngx.ctx.text = answer(ngx.var.arg_id) } content_by_lua_block { ngx.print(ngx.ctx.text) }
}
location = /access {
   access_by_lua_block { ngx.ctx.text = answer(ngx.var.arg_id) } content_by_lua_block { ngx.print(ngx.ctx.text) }
}
location = /coroutine {
   content_by_lua_block { ngx.print(coroutine.wrap(function() return answer(ngx.var.arg_id) end)()) }
}
location = /long { content_by_lua_block { ngx.print(answer(ngx.var.arg_id, ("text\n"):rep(20000))) } }
location = /log { content_by_lua_block { ngx.print "ok" } log_by_lua_block { answer(ngx.var.arg_id) } }
location = /ping { content_by_lua_block { ngx.print "ok" } }
]]

local own, path

local function start(main)
   local listener = require("smtp.socket").listen("127.0.0.1", 0)
   local port = select(2, listener:getsockname())
   listener:close()
   path = outboxes.path()
   own = site.start(port, LOCATION, { http = HTTP:format(path), main = main })
end

local function answer_of(sock)
   local text = sock:receive("*a"):match "\r\n\r\n(.*)$"
   if text:find "<html>" then error(own:log(), 0) end
   return text
end

local function ask(place)
   return answer_of(own:ask(place))
end

local function count()
   local box = outboxes.beside { given = { store = path, name = "box", server = { host = "relay.example" } },
      clock = { time = os.time() } }
   local queued = box:stats().queued
   box:close()
   return queued
end

describe("an outbox whose nginx has threads", function()
   after_each(function()
      own:stop()
      outboxes.clean()
   end)

   it("puts messages in them, as many at once as come", function()
      start "thread_pool smtp threads=2;"
      assert.equal("a 1", ask "/content?id=a")
      assert.equal("a 2", ask "/content?id=a")
      local socks = {}
      for i = 1, 40 do socks[i] = own:ask("/content?id=m" .. i) end
      for i = 1, 40 do assert.matches("^m" .. i .. " ", (answer_of(socks[i]))) end
      assert.equal("b 43", ask "/content?id=b")
      assert.equal(42, count())
      assert.falsy(own:log():find("smtp:", 1, true))
   end)

   it("puts messages of other phases and of coroutines in them", function()
      start "thread_pool smtp threads=2;"
      for i, name in ipairs { "rewrite", "access", "coroutine" } do
         assert.equal(name .. " " .. i, ask("/" .. name .. "?id=" .. name))
      end
      assert.equal(3, count())
   end)

   it("puts long messages, and those of phases that cannot wait, in the worker", function()
      start "thread_pool smtp threads=2;"
      assert.equal("a 0", ask "/long?id=a")
      assert.equal("ok", ask "/log?id=b")
      assert.equal(2, count())
   end)

   it("serves other requests while the file is locked", function()
      start "thread_pool smtp threads=1;"
      ask "/content?id=a"
      local db = raw.open(path, 0)
      assert(db:run "BEGIN IMMEDIATE")
      local sock = own:ask "/content?id=b"
      for _ = 1, 20 do assert.equal("ok", ask "/ping") end
      db:run "ROLLBACK"
      db:close()
      assert.equal("b 2", answer_of(sock))
   end)

   for _, event in ipairs { "whose client goes", "whose worker has to end" } do
      it("puts a message " .. event .. " meanwhile", function()
         start "thread_pool smtp threads=1;"
         ask "/content?id=a"
         local db = raw.open(path, 0)
         assert(db:run "BEGIN IMMEDIATE")
         local sock = own:ask "/content?id=b"
         ngx.sleep(0.1)
         if event == "whose client goes" then sock:close() else own:signal "QUIT" end
         ngx.sleep(0.1)
         db:run "ROLLBACK"
         db:close()
         if event == "whose client goes" then
            assert.matches("^c ", ask "/content?id=c")
         else
            assert.equal("b 2", answer_of(sock))
            assert.is_true(own:wait())
         end
         assert.falsy(own:log():find("signal", 1, true))
         assert.equal(event == "whose client goes" and 3 or 2, count())
      end)
   end

   it("returns the errors of a thread", function()
      start "thread_pool smtp threads=1;"
      local file = io.open(path, "w")
      file:write(("no database"):rep(1000))
      file:close()
      assert.equal("store_damaged: the store " .. path .. ": file is not a database 1", ask "/content?id=a")
   end)

   it("that another name have puts messages in the worker", function()
      start "thread_pool other threads=1;"
      assert.equal("a 0", ask "/content?id=a")
      assert.equal(1, count())
   end)
end)
