--- What a program does with this library while its machine fails. Each function gets a case: its `ports`, its `folder`,
--- its `patience` in seconds, and `id()`, the Subject of the next message; case:add(id, receipt, err) keeps what was
--- returned. A case may have a function `finish`, for when the machine is well again; case:settle(id, address, state)
--- keeps what is known then. While the library runs, case.inside is true.

local certs = require "spec.tools.certs"
local dkim_keys = require "spec.tools.dkim_keys"
local outboxes = require "spec.tools.outboxes"
local poll_loop = require "spec.tools.poll_loop"
local safe = require "smtp.safe"

local scenarios = {}

local cert = certs.make()
local SECRET = "sesame-failing"

local function options(case, port, ...)
   local all = { host = "localhost", port = case.ports[port], tls = "skip", domain = "me.example",
      timeout = 2 * case.patience, connect_timeout = case.patience, reply_timeout = case.patience,
      tls_ca_file = cert "ca" }
   for _, more in ipairs { ... } do
      for name, value in pairs(more) do all[name] = value end
   end
   return all
end

local function message(id, more)
   local all = { from = "ann@me.example", to = "bob@there.example", subject = id, text = "Hi\n" }
   for name, value in pairs(more or {}) do all[name] = value end
   return all
end

local function outside(case, ...)
   case.inside = false
   return ...
end

local function call(case, fn, ...)
   case.inside = true
   return outside(case, fn(...))
end

local function send(case, port, more, what)
   local id = case:id()
   case:add(id, call(case, safe.send, options(case, port, more or {}, message(id, what))))
end

function scenarios.plain(case)
   local id = case:id()
   case:add(id, call(case, safe.send, options(case, "plain", { from = "ann@me.example", to = "bob@there.example",
      raw = "Subject: " .. id .. "\r\n\r\n.dot\r\n" })))
end

function scenarios.composed(case)
   send(case, "chunks", { username = "ann", password = SECRET }, { html = "<b>Hi</b>",
      attachments = { { path = case.folder .. "/attached" }, { content = "x", filename = "x.txt" } },
      to = { "bob@there.example", "carol@there.example" } })
end

function scenarios.starttls(case)
   send(case, "starttls", { tls = "require", username = "ann", password = SECRET })
end

function scenarios.implicit(case)
   send(case, "implicit", { tls = "implicit", username = "ann", password = SECRET, auth_mechanisms = "PLAIN" })
end

function scenarios.lmtp(case)
   send(case, "lmtp", { protocol = "lmtp" }, { to = { "bob@there.example", "carol@there.example" } })
end

function scenarios.resolved(case)
   send(case, "plain", { host = "0.64.test" })
end

function scenarios.large(case)
   local file = io.open(case.folder .. "/large", "rb")
   if not file then return end
   local id = case:id()
   case:add(id, call(case, safe.send, options(case, "chunks", { from = "ann@me.example", to = "bob@there.example",
      raw = function()
         local piece, why = file:read(50000)
         if piece and id then piece, id = "Subject: " .. id .. "\r\n" .. piece, nil end
         return piece, why
      end })))
   file:close()
end

function scenarios.many(case)
   local list, ids = {}, {}
   for i = 1, 6 do
      ids[i] = case:id()
      list[i] = message(ids[i])
   end
   local summary, err = call(case, safe.send_many, options(case, "plain", { pipelining = "eager" }), list,
      { connections = 2 })
   for i = 1, 6 do
      local one = summary and summary.results[i]
      local is_error = safe.is_error(one)
      case:add(ids[i], not is_error and one or nil, is_error and one or err)
   end
end

function scenarios.kept(case)
   case.kept = 2 -- another where what is trusted seems to be another file
   for _ = 1, 2 do send(case, "implicit", { tls = "implicit", keepalive = { idle = 60 } }) end
end

function scenarios.connection(case)
   local conn, err = call(case, safe.connect,
      options(case, "starttls", { tls = "require", username = "ann", password = SECRET }))
   if not conn then return case:add(case:id(), nil, err) end
   for i = 1, 3 do
      local id = case:id()
      local what = i > 1 and { from = "ann@me.example", to = "bob@there.example",
         raw = "Subject: " .. id .. "\r\n\r\n" }
      case:add(id, call(case, conn.send, conn, what or message(id)))
      call(case, conn.noop, conn)
   end
   call(case, conn.quit, conn)
   call(case, conn.close, conn)
end

function scenarios.signed(case)
   local parts = { "Hi\r\n", ("a line of a hundred bytes "):rep(4), "\r\n", n = 0 }
   send(case, "plain", nil, { text = table.concat(parts), dkim = {
      { domain = "me.example", selector = "brisbane", key = dkim_keys.rfc.ed25519 },
      { domain = "me.example", selector = "test", key = dkim_keys.rfc.rsa } } })
end

-- What can be read only once is signed from a temporary file.
function scenarios.spooled(case)
   local left, id = 30, case:id()
   case:add(id, call(case, safe.send, options(case, "plain", { from = "ann@me.example", to = "bob@there.example",
      dkim = { domain = "me.example", selector = "brisbane", key = dkim_keys.rfc.ed25519 },
      raw = function()
         left = left - 1
         if left == 29 then return "From: ann@me.example\r\nSubject: " .. id .. "\r\n\r\n" end
         return left > 0 and (("x"):rep(900) .. "\r\n"):rep(50) or nil
      end })))
end

function scenarios.loop(case)
   local ok, own = pcall(poll_loop.new)
   case.kept = 1 -- what the loop polls with
   if not ok then return end
   own.run { function() send(case, "starttls", { tls = "require", loop = own }) end }
end

function scenarios.probe(case)
   local report, err = call(case, safe.probe,
      options(case, "starttls", { tls = "prefer", username = "ann", password = SECRET }))
   case:add(nil, report, err)
end

-- ---- an outbox ----

-- The outbox of a case, which is run later than all leases.
local function open_box(case, clock)
   local box, err = call(case, safe.outbox, { store = case.folder .. "/box", name = "failing", lease = 60,
      server = { host = "localhost", port = case.ports.plain, tls = "skip", domain = "me.example", timeout = 8 } })
   return box and clock and outboxes.with_clock(box, clock) or box, err
end

local function put(case, box, id)
   local found, err = call(case, box.put, box, message(id), { id = id })
   if not found then case:add(nil, nil, err) end
   return found
end

local function run_all(box)
   repeat
      assert(box:run { once = true })
      local due = box.store:due_at "failing"
      if due then box.sleep(due - box.now()) end
   until not due
end

local states = { sent = "accepted", failed = "refused", doubt = "unknown" }

-- Another program does the rest. What was not put is put again: if it is there nevertheless, that changes nothing.
local function finish(case, ids, is_put)
   local box = assert(open_box(case, { time = os.time() + 1000 }))
   for _, id in ipairs(ids) do
      if not is_put[id] then assert(put(case, box, id)) end
   end
   run_all(box)
   for _, id in ipairs(ids) do
      local entry = assert(box:get(id), id .. " is lost")
      for _, one in ipairs(entry.recipients) do case:settle(id, one.address, states[one.state] or one.state) end
   end
   box:close()
end

function scenarios.outbox(case)
   local ids, is_put = { case:id(), case:id() }, {}
   function case.finish() finish(case, ids, is_put) end
   local box, err = open_box(case)
   if not box then return case:add(nil, nil, err) end
   function box.sleep() end -- before it tries again
   for _, id in ipairs(ids) do is_put[id] = put(case, box, id) end
   local ok
   ok, err = call(case, box.run, box, { once = true })
   if not ok then case:add(nil, nil, err) end
   call(case, box.close, box)
end

return scenarios
