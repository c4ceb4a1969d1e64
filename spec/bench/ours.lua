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

-- The status by which spec/bench/run knows what is not built yet.
local function not_yet(what)
   io.stderr:write(what, "\n")
   os.exit(3)
end

local function read()
   local file = assert(io.open(path, "rb"))
   local text = file:read("*a")
   file:close()
   return text
end

local function kept(t)
   local raw = read()
   local connection = smtp.connect(t)
   for _ = 1, count do connection:send { from = FROM, to = TO, raw = raw } end
   connection:quit()
end

local function many(t, how)
   if not smtp.send_many then not_yet("there is no smtp.send_many yet") end
   local raw, i, failed = read(), 0, nil
   function how.on_result(_, _, err) failed = failed or err end
   smtp.send_many(t, function()
      i = i + 1
      if i <= count then return { from = FROM, to = TO, raw = raw } end
   end, how)
   if failed then error(failed, 0) end
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

local workloads = {
   kept = function() kept(options()) end,
   ["kept-eager"] = function() kept(options(eager)) end,
   many = function() many(options(eager), { connections = 1, window = 64, per_connection = math.max(count, 1) }) end,
   ["many-32"] = function()
      many(options(eager), { connections = 1, window = 32, per_connection = math.max(count, 1) })
   end,
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
if not ok then
   if smtp.is_error(err, "usage") and err.option == "pipelining" then
      not_yet("there is no pipelining = \"eager\" yet")
   end
   error(tostring(err), 0)
end
