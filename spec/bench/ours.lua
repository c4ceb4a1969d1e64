-- What a user of this library writes for each of the workloads of spec/bench/run.
-- ours.lua WORKLOAD PORT COUNT FILE [CA]
local smtp = require "smtp"

local name, port, count, path, ca = arg[1], tonumber(arg[2]), tonumber(arg[3]), arg[4], arg[5]
local FROM, TO = "ann@me.example", "bob@there.example"

local function options(more)
   local t = { host = "127.0.0.1", port = port, domain = "me.example" }
   for key, value in pairs(more or {}) do t[key] = value end
   return t
end

local function with(t, more)
   for key, value in pairs(more) do t[key] = value end
   return t
end

local function read()
   local file = assert(io.open(path, "rb"))
   local text = file:read("*a")
   file:close()
   return text
end

-- A text of its own for each message, as long as the file.
local function composed()
   local text = read():match("\r\n\r\n(.*)")
   return function() return { from = FROM, to = TO, subject = "hello", text = text } end
end

local function raw()
   local text = read()
   return function() return { from = FROM, to = TO, raw = text } end
end

local function many(t, how, message)
   local i, failed = 0, nil
   message = message or raw()
   function how.on_result(_, _, err) failed = failed or err end
   smtp.send_many(t, function()
      i = i + 1
      if i <= count then return message() end
   end, how)
   if failed then error(failed, 0) end
end

local function kept(t, message)
   local connection = smtp.connect(t)
   message = message or raw()
   for _ = 1, count do connection:send(message()) end
   connection:quit()
end

local function new(t)
   with(t, { from = FROM, to = TO, raw = read() })
   for _ = 1, count do smtp.send(t) end
end

local function bulk(message)
   local connection = smtp.connect(options())
   for _ = 1, count do
      local t = with({ from = FROM, to = TO }, message())
      connection:send(t)
      if t.raw then t.raw:close() end
   end
   connection:quit()
end

local function recipients(t)
   local to = {}
   for i = 1, count do to[i] = ("bob%d@there.example"):format(i) end
   smtp.send(with(t, { from = FROM, to = to, raw = read() }))
end

local starttls = { host = "localhost", tls = "require", tls_ca_file = ca }
local eager = { pipelining = "eager" }
local login = { username = "ann", password = "sesame-bench", auth = "require" }

local function window(connections, size)
   return { connections = connections, window = size, per_connection = math.max(count, 1) }
end

local workloads = {
   kept = function() kept(options()) end,
   ["kept-eager"] = function() kept(options(eager)) end,
   ["kept-auth"] = function() kept(options(login)) end,
   ["kept-composed"] = function() kept(options(), composed()) end,
   many = function() many(options(eager), window(1, 64)) end,
   ["many-auth"] = function() many(with(options(eager), login), window(1, 64)) end,
   ["many-composed"] = function() many(options(eager), window(1, 64), composed()) end,
   ["many-safe"] = function() many(options(), window(2, 1)) end,
   ["many-32"] = function() many(options(eager), window(1, 32)) end,
   new = function() new(options()) end,
   ["new-eager"] = function() new(options(eager)) end,
   starttls = function() new(options(starttls)) end,
   ["starttls-eager"] = function() new(with(options(starttls), eager)) end,
   attach = function()
      bulk(function() return { text = "see the file", attachments = { path = path } } end)
   end,
   dots = function()
      bulk(function() return { raw = assert(io.open(path, "rb")) } end)
   end,
   rcpts = function() recipients(options()) end,
   conc = function() many(options(), { connections = math.max(count, 1), window = 1, per_connection = 1 }) end,
}

local ok, err = pcall(workloads[name])
if not ok then error(tostring(err), 0) end
