-- Lua has no memory in the middle of the work. The server of these specs raises what Lua raises then.
local core = require "smtp.core"
local ending = require "smtp.client.ending"
local errors = require "smtp.errors"
local many = require "smtp.client.many"
local request = require "smtp.client.request"
local runtime = require "smtp.runtime.runtime"
local safe = require "smtp.safe"
local scheduler = require "smtp.runtime.scheduler"
local sessions = require "spec.tools.sessions"
local smtp = require "smtp"
local spec_server = require "spec.tools.server"
local talk = require "spec.tools.talk"
local user_call = require "smtp.options.user_call"

local LACK = "not enough memory"
local can_catch = user_call.yields_across_pcall or not user_call.can_yield()

-- A server with which memory ends in the place of so manieth answer to this; it is not a caller's transport, whose
-- errors are the caller's.
local function lacking(what, count, more)
   local server
   server = spec_server.new { reply = function(_, asked)
      if asked ~= what then return more and more(server, asked) end
      count = count - 1
      if count == 0 then error(LACK, 0) end
      return more and more(server, asked)
   end }
   return server
end

local transport = runtime.transport

local function options(servers, more)
   local n = 0
   runtime.transport = function()
      n = n + 1
      return servers[n]
   end
   local given = talk.options_to({}, talk.message(more or {}))
   given.transport = nil
   return given
end

local function fields(receipt, err)
   return receipt, err and err.kind, err and err.reason, err and err.sent, err and err.retry
end

local before = { nil, "system", "memory", "no", "later" }
local after = { nil, "system", "memory", "maybe", "doubt" }

describe("Where Lua has no memory", can_catch and function()
   after_each(function() runtime.transport = transport end)

   it("before the end of a message, it was not sent", function()
      for _, what in ipairs { "mail", "rcpt" } do
         assert.same(before, { fields(safe.send(options { lacking(what, 1) })) })
      end
   end)

   it("after it, it may have arrived", function()
      for _, pipelining in ipairs { "safe", "eager" } do
         assert.same(after, { fields(safe.send(options({ lacking("final", 1) }, { pipelining = pipelining }))) })
      end
   end)

   it("after it, it may have arrived, even if only an outer call has memory for the error", function()
      safe.send(options { spec_server.new() }) -- all modules are loaded
      local new, tries = errors.new, 0
      finally(function() errors.new = new end)
      local function send_without(lacks)
         tries = 0
         function errors.new(...)
            tries = tries + 1
            if tries <= lacks then error(LACK, 0) end
            return new(...)
         end
         return fields(safe.send(options { lacking("final", 1) }))
      end
      for _ = 1, 2 do assert.same(after, { send_without(1) }) end -- the first was made beforehand
      assert.same(after, { send_without(2) })
      assert.same({ false, LACK .. "; the message may have been delivered" }, { pcall(send_without, 2) })
      assert.same(after, { send_without(0) })
   end)

   it("after one of several transactions, it may have arrived", function()
      local server = spec_server.one_at_a_time()
      local reply, count = server.reply, 0
      function server:reply(what)
         if what == "mail" then count = count + 1 end
         if count == 2 then error(LACK, 0) end
         return reply and reply(self, what)
      end
      assert.same(after, { fields(safe.send(options({ server }, { to = { "a@x.example", "b@x.example" } }))) })
   end)

   it("after a receipt was made, it may have arrived", function()
      local given = options { spec_server.new() }
      given.observe = function() end
      local observers = require "smtp.result.observer"
      local tell = observers.tell_result
      finally(function() observers.tell_result = tell end)
      function observers.tell_result() error(LACK, 0) end
      assert.same(after, { fields(safe.send(given)) })
   end)

   it("smtp.send raises the error object that smtp.safe returns", function()
      local ok, err = pcall(smtp.send, options { lacking("rcpt", 1) })
      assert.is_false(ok)
      assert.same(before, { fields(nil, err) })
      assert.is_true(smtp.is_error(err, smtp.SystemError))
      assert.matches("^smtp: Lua has not enough memory. Free ", tostring(err))
   end)

   it("a connection of the caller's is closed, and says so", function()
      local message = { from = "ann@me.example", to = "bob@there.example", text = "Hi" }
      for what, expected in pairs { mail = before, final = after } do
         local server = lacking(what, 2)
         local given = options { server }
         given.from, given.to, given.raw, given.text = nil, nil, nil, nil
         local conn = assert(safe.connect(given))
         assert(conn:send(message))
         assert.same(expected, { fields(conn:send(message)) })
         assert.is_true(server.closed)
         local _, err = conn:noop()
         assert.equal("disconnected", err.kind)
      end
   end)

   it("send_many has an error, and in its summary what is known", function()
      local given = options { lacking("final", 2) }
      given.from, given.to, given.raw, given.text = nil, nil, nil, nil
      local list = {}
      for i = 1, 4 do list[i] = { from = "ann@me.example", to = "bob@there.example", text = "Hi " .. i } end
      local summary, err = safe.send_many(given, list, { connections = 1, window = 1 })
      assert.same(after, { fields(summary, err) })
      assert.same({ 1, 1 }, { err.summary.sent, err.summary.failed })
      assert.is_nil(err.summary.results[1].kind)
      assert.equal(err, err.summary.results[2])
      assert.is_nil(err.summary.results[3])
   end)

   it("send_many with two connections goes on with the other one", function()
      local given = options { lacking("mail", 1), spec_server.new() }
      given.from, given.to, given.raw, given.text = nil, nil, nil, nil
      local list = {}
      for i = 1, 4 do list[i] = { from = "ann@me.example", to = "bob@there.example", text = "Hi " .. i } end
      local summary, err = safe.send_many(given, list, { connections = 2, window = 1 })
      assert.same(after, { fields(summary, err) })
      assert.same({ 3, 1 }, { err.summary.sent, err.summary.failed })
   end)

   it("in a job of many, the others go on, and wait for nothing that it had begun", function()
      local server = request.connection({ host = "mx.example", tls = "skip", domain = "me.example" })
      local servers, n, asked = { spec_server.new(), spec_server.new() }, 0, 0
      runtime.transport = function()
         n = n + 1
         return servers[n]
      end
      local settings = { connections = 2, window = 1, per_connection = 100, ready = function(message)
         return request.message(message, server)
      end }
      local _, err = many.run(server, settings, function()
         asked = asked + 1
         if asked == 2 then error(LACK, 0) end
         if asked > 4 then return nil end
         return { from = "ann@me.example", to = "bob@there.example", text = "Hi" }
      end)
      assert.equal("memory", err.reason)
      assert.equal(3, #servers[1].taken + #servers[2].taken)
   end)

   it("in a job that asks whether messages may end, those that asked with it do not end", function()
      local held, is_first = {}, true
      local shared = { before_end = function() return true end, is_shared = true }
      local sleep = scheduler.sleep
      finally(function() scheduler.sleep = sleep end)
      function scheduler.sleep(...)
         if is_first then
            is_first = false
            sleep(0)
            error(LACK, 0)
         end
         return sleep(...)
      end
      local conversation = { server = { ending = shared }, session = { ending = function() return {} end } }
      local jobs = {}
      for i = 1, 3 do jobs[i] = function() held[i] = { ending.ask(conversation) } end end
      assert.is_nil(scheduler.run(jobs))
      assert.same({ nil, { false, "before_end was not called" }, { false, "before_end was not called" } }, held)
      assert.is_true(ending.ask(conversation))
   end)

   it("all other functions have one as well", function()
      runtime.transport = function() error(LACK, 0) end
      local given = { host = "mx.example", tls = "skip", domain = "me.example" }
      for _, name in ipairs { "connect", "probe" } do
         assert.same(before, { fields(safe[name](given)) })
      end
   end)
end or function() end)

describe("The error for that", function()
   it("is another one each time, and made beforehand for when there is no memory for it", function()
      local one = errors.lack "no"
      assert.is_false(one == errors.lack "no")
      local new = errors.new
      finally(function() errors.new = new end)
      function errors.new() error(LACK, 0) end
      local spare = errors.lack "maybe"
      assert.same(after, { fields(nil, spare) })
      assert.is_nil(errors.lack "maybe")
      local ok, why = pcall(errors.caught, LACK, "maybe")
      assert.is_false(ok)
      errors.new = new
      assert.same(after, { fields(errors.caught(why)) })
      function errors.new() error(LACK, 0) end
      assert.same(after, { fields(nil, errors.lack "maybe") })
   end)

   it("is for nothing else", function()
      for _, cause in ipairs { "mine", { "mine" }, 7 } do
         assert.same({ false, cause }, { pcall(errors.caught, cause) })
      end
   end)

   it("passes through the coroutines of Lua 5.1, as Lua's own", function()
      local fn = errors.guarded(function() error(LACK, 0) end)
      assert.same(before, { fields(fn()) })
      local ok, why = coroutine.resume(coroutine.create(fn))
      assert.equal(user_call.yields_across_pcall, ok)
      if not ok then assert.equal(LACK, why) end
   end)
end)

describe("A transaction", function()
   local function transaction_for(...)
      return core.transaction { from = "a@x", to = { ... }, size = 4, exact = true, source_len = 4 }
   end

   it("may be sent from its end on, until it is refused", function()
      local session, transaction = sessions.open(), transaction_for "b@x"
      session:add(transaction, "hi\r\n")
      sessions.said(session)
      session:heard "250 ok\r\n250 ok\r\n"
      sessions.said(session)
      assert.is_true(transaction:may_be_sent())
      session:heard "550 no\r\n"
      assert.is_false(transaction:may_be_sent())
   end)

   it("may be sent if the one that it goes on with was", function()
      local session, first = sessions.open(), transaction_for("b@x", "c@x")
      assert.is_false(first:may_be_sent())
      session:add(first, "hi\r\n")
      sessions.said(session)
      session:heard "250 ok\r\n250 ok\r\n452 4.5.3 later\r\n"
      sessions.said(session)
      session:heard "250 ok\r\n"
      assert.is_true(first:may_be_sent())
      assert.is_true(first:again({ 2 }):may_be_sent())
   end)
end)
