-- The options as a whole: right values and hostile ones, in tables for each door of the library. What must hold:
--
-- - nothing is raised but error objects, and those by `smtp` alone;
-- - each error is of a documented class, and is one line; a UsageError names its option, and nothing was said by then;
-- - the server hears commands of the grammar alone, at most one transaction for a message, and no recipient that a
--   hostile text names after a line end; what it takes has the fields that the options stand for;
-- - the caller's table is as it was.
--
-- CASES=100000 SEED=2 make spec SPEC=spec/fuzz/options_spec.lua tries others. corpus/options has what failed once.
local corpus = require "spec.fuzz.corpus.options.cases"
local errors = require "smtp.errors"
local fields = require "spec.fuzz.fields"
local outboxes = require "spec.tools.outboxes"
local random = require "spec.fuzz.random"
local safe = require "smtp.safe"
local smtp = require "smtp"
local tally = require "spec.tools.tally"
local values = require "spec.fuzz.values"
local wire = require "spec.fuzz.wire"

local pack = require("smtp.options.user_call").pack
local unpack = table.unpack or unpack -- luacheck: ignore

-- ---- what the caller gave, and that it stays ----

local function snapshot(t, depth, into)
   into = into or {}
   if type(t) ~= "table" or into[t] or depth > 4 or getmetatable(t) ~= nil and depth > 1 then return into end
   local copy = {}
   for key, value in next, t do copy[key] = value end
   into[t] = copy
   for _, value in next, copy do snapshot(value, depth + 1, into) end
   return into
end

local function check_same(before)
   for t, copy in pairs(before) do
      for key, value in next, copy do
         local now = rawget(t, key)
         if not rawequal(now, value) and value == value then
            error("the caller's table was changed: " .. tostring(key), 0)
         end
      end
      for key in next, t do
         if copy[key] == nil then error("the caller's table has got " .. tostring(key), 0) end
      end
   end
end

-- ---- what comes back ----

local function check_error(err, servers)
   if not safe.is_error(err) then error("not an error object: " .. tostring(err), 0) end
   local line = tostring(err)
   if line == "" or line:find("[%z\1-\31\127]") then error(("not one line: %q"):format(line), 0) end
   if not errors.classes[getmetatable(err).name] then error("an unknown class: " .. tostring(err.kind), 0) end
   if err.hint ~= nil and (type(err.hint) ~= "string" or err.hint == "") then error("the hint of " .. line, 0) end
   if line:find("sesame-fuzz", 1, true) then error("a secret is in " .. line, 0) end
   if not safe.is_error(err, "usage") then return end
   if type(err.option) ~= "string" then error("no option is named: " .. line, 0) end
   for _, server in ipairs(servers) do
      if server.connects > 0 then error("a connection was made before: " .. line, 0) end
   end
end

local function check_result(result, err, servers)
   if result ~= nil then return end
   check_error(err, servers)
end

-- No message needs a second transaction.
local function is_plain(servers)
   for _, server in ipairs(servers) do
      for _, offer in ipairs(server.capabilities) do
         if offer:find "^LIMITS" then return false end
      end
      if server.refuses then return false end
   end
   return true
end

local function check_servers(servers, options, messages_max)
   local transactions, taken = 0, 0
   for _, server in ipairs(servers) do
      wire.check_commands(server)
      for _, line in ipairs(server.lines) do
         if line:find "^MAIL" then transactions = transactions + 1 end
      end
      for _, message in ipairs(server.taken) do
         taken = taken + 1
         if options and options.raw == nil then wire.check_header(message.body, options) end
         if options and type(options.raw) == "string" then wire.check_whole(message.body, options.raw) end
         if message.body:find("^X%-Injected:") then error("a header was injected", 0) end
      end
   end
   if messages_max and is_plain(servers) and (taken > messages_max or transactions > messages_max) then
      error(("%d messages arrived in %d transactions"):format(taken, transactions), 0)
   end
   return taken
end

-- In a coroutine that is resumed as often as a caller's function yields, or without one.
local function run(r, fn, ...)
   if r:once_in(2) then return pcall(fn, ...) end
   local arguments, results = pack(...), nil
   local thread = coroutine.create(function() results = pack(true, fn(unpack(arguments, 1, arguments.n))) end)
   for _ = 1, 10000 do
      local ok, why = coroutine.resume(thread)
      if not ok then return false, why end
      if results then return unpack(results, 1, results.n) end
   end
   error("yields without end", 0)
end

-- -> what smtp.safe returned
local function must_return(r, fn, ...)
   local results = pack(run(r, fn, ...))
   if not results[1] then error("it raised: " .. tostring(results[2]), 0) end
   return unpack(results, 2, results.n)
end

-- ---- the doors ----

local function merged(...)
   local all = {}
   for i = 1, select("#", ...) do
      for name, value in next, (select(i, ...)) do all[name] = value end
   end
   return all
end

local function transport_of(r, servers, t)
   if t.transport ~= nil then return end -- a hostile one
   t.transport = function()
      servers[#servers + 1] = wire.server(r)
      return servers[#servers]
   end
end

local function connection(r, servers)
   local t = merged({ host = "mx.example", domain = "me.example", tls = r:pick { "skip", "prefer" }, timeout = 5 },
      fields.options(r, "connection", 4))
   if r:once_in(20) then t.transport = values.any(r, 0) or {} end
   transport_of(r, servers, t)
   return t
end

local function message(r)
   local t = { from = "ann@example.org", to = "bob@example.net" }
   if r:once_in(3) then t.raw = "Subject: x\r\n\r\nbody\r\n" else t.text = "Hi\n" end
   return merged(t, fields.options(r, "message", 3))
end

local doors = {}

function doors.send(r, servers)
   local t = merged(connection(r, servers), message(r))
   if r:once_in(2) then setmetatable(t, {}) end
   local before = snapshot(t, 1)
   local receipt, err
   if r:once_in(3) then
      local ok, result = run(r, smtp.send, t)
      receipt, err = ok and result or nil, not ok and result or nil
   else
      receipt, err = must_return(r, safe.send, t)
   end
   check_result(receipt, err, servers)
   check_same(before)
   local taken = check_servers(servers, t, 1)
   if receipt and #servers > 0 and taken == 0 then error("a receipt, and no message", 0) end
   return receipt
end

function doors.message(r)
   local t = fields.options(r, "message", 3)
   t.from, t.to = t.from or "ann@example.org", t.to or "bob@example.net"
   if t.raw == nil and t.text == nil then t.text = "Hi\n" end
   local before = snapshot(t, 1)
   local result, err = must_return(r, safe.message, t)
   check_result(result, err, {})
   check_same(before)
   if not result then return end
   local pieces, source = {}, result:source()
   for piece, trouble in function() return must_return(r, source) end do
      if trouble then break end
      pieces[#pieces + 1] = piece
   end
   if type(t.raw) == "string" then
      wire.check_whole(table.concat(pieces), t.raw)
   elseif t.raw == nil and #pieces > 0 then
      wire.check_header(table.concat(pieces), t)
   end
   return result
end

function doors.send_many(r, servers)
   local t, list, settings = connection(r, servers), {}, fields.options(r, "many", 3)
   for i = 1, r:int(3) do list[i] = r:once_in(8) and values.any(r) or message(r) end
   local given = list
   if r:once_in(3) then
      local i = 0
      given = function()
         i = i + 1
         return list[i]
      end
   elseif r:once_in(10) then
      given = values.any(r)
   end
   if r:once_in(10) then settings = values.any(r) end
   local before = snapshot(list, 1)
   local summary, err = must_return(r, safe.send_many, t, given, settings)
   check_result(summary, err, servers)
   check_same(before)
   check_servers(servers, nil, #list)
   for _, one in ipairs(summary and summary.results or {}) do
      if not one.recipients or one.kind then check_error(one, {}) end
   end
   return summary
end

function doors.connect(r, servers)
   local t = connection(r, servers)
   local before = snapshot(t, 1)
   local one, err = must_return(r, safe.connect, t)
   check_result(one, err, servers)
   check_same(before)
   if not one then return end
   for _ = 1, r:int(4) do
      local what = r:int(6)
      local result, trouble
      if what <= 3 then
         result, trouble = must_return(r, one.send, one, r:once_in(10) and values.any(r) or message(r))
      elseif what == 4 then
         result, trouble = must_return(r, one.verify, one, values.any(r))
      else
         result, trouble = must_return(r, what == 5 and one.noop or one.reset, one)
      end
      check_result(result, trouble, {})
   end
   must_return(r, one.quit, one)
   check_servers(servers)
   return one
end

local box
function doors.put(r)
   local t, more = message(r), r:once_in(2) and fields.options(r, "put", 3) or nil
   local before = snapshot(t, 1)
   local given = r:once_in(20) and values.any(r) or t
   local id, err = must_return(r, box.put, box, given, r:once_in(20) and values.any(r) or more)
   check_result(id, err, {})
   check_same(before)
   return id
end

-- ---- the cases ----

function doors.probe(r, servers)
   local t = connection(r, servers)
   local before = snapshot(t, 1)
   local report, err = must_return(r, safe.probe, t)
   check_result(report, err, servers)
   check_same(before)
   check_servers(servers, nil, 0)
   return report
end

local names = { "send", "send", "send", "message", "send_many", "connect", "put", "probe" }

local function play(seed, number)
   local r, servers = random.new(seed * 1000003 + number), {}
   local door = r:pick(names)
   local ok, why = pcall(doors[door], r, servers)
   if not ok then error(("SEED=%d, case %d, %s: %s"):format(seed, number, door, tostring(why)), 0) end
   return door, why
end

describe("the options as a whole", function()
   local case
   before_each(function()
      case = outboxes.new()
      box = case.box
   end)

   after_each(function()
      box:close()
      outboxes.clean()
   end)

   it("never raise, never inject, and leave the caller's table as it was", function()
      local seed, count = random.run(1500)
      local went = {}
      for number = 1, count do
         local door, result = play(seed, number)
         went[door] = (went[door] or 0) + (result and 1 or 0)
      end
      tally.add(count)
      -- Some go through, and so does the sample try more than refusals.
      for door, sent in pairs(went) do assert.is_true(sent > count / 100, door .. " " .. sent) end
      -- What was put is delivered as it is.
      case.box:run { once = true }
      for _, one in ipairs(case.sink.messages) do
         for _, to in ipairs(one.to) do assert.is_nil(to:find(values.EVIL, 1, true)) end
         local head = ("\r\n" .. one.data):match "^(.-\r\n)\r\n" or one.data
         assert.is_nil(head:find("\r\nX-Injected:", 1, true))
      end
   end)

   for i, row in ipairs(corpus) do
      it("kept: " .. row[1], function()
         local r, servers = random.new(i), {}
         local result, err = must_return(r, row[2], safe, function()
            servers[#servers + 1] = wire.server(r)
            return servers[#servers]
         end)
         check_result(result, err, servers)
         check_servers(servers)
      end)
   end

   it("are all that smtp/types.lua has", function()
      local classes = { ["smtp.ConnectionOptions"] = "connection", ["smtp.MessageOptions"] = "message",
         ["smtp.Attachment"] = "attachment", ["smtp.Dkim"] = "dkim", ["smtp.ManySettings"] = "many",
         ["smtp.OutboxPut"] = "put", ["smtp.EnvelopeRecipient"] = "recipient" }
      local class
      for line in io.lines "lua/smtp/types.lua" do
         class = line:find("^%-%-%-@class") and (classes[line:match("^%-%-%-@class ([%w.]+)")] or "") or class
         local name = line:match("^%-%-%-@field ([%w_]+)")
         if name and class and class ~= "" then
            assert.truthy(fields.classes[class][name], ("spec/fuzz/fields.lua has no %s of %s"):format(name, class))
         end
      end
   end)
end)
