--- Servers for the programs that run in hosts, and the figures that those write.

local certs = require "spec.tools.certs"

require("spec.tools.staged_child").make()

local hosting = {}

local cert = certs.make()
local root = os.getenv "PWD"
local servers, rows, subjects = {}, {}, 0
local unpack = table.unpack or unpack -- luacheck: ignore

local function read(path)
   local file = assert(io.open(path))
   local text = file:read("*a")
   file:close()
   return text
end

-- What a program prints, errors among it.
local function output_of(line)
   local pipe = io.popen(line .. " 2>&1")
   local text = pipe:read("*a")
   pipe:close()
   return text
end

--- The path of the certificate of the authority that the servers' are of.
hosting.ca_file = root .. "/" .. cert "ca"

--- A server of this kind, see server.lua; started when it is first used, ended by hosting.stop.
---@return table server   port; said(): what its log has
function hosting.server(kind)
   if servers[kind] then return servers[kind] end
   local path, key = cert(kind:find("refused", 1, true) and "wrong_host" or "good")
   local log = os.tmpname()
   local pipe = io.popen(("echo $$; exec timeout 900 lua5.4 spec/hosts/server.lua %s %s %s %s 2>&1"):format(kind, log,
      path, key))
   local pid, port = pipe:read("*l"), pipe:read("*l")
   servers[kind] = { port = assert(tonumber(port), port), said = function() return read(log) end, stop = function()
      os.execute("kill " .. pid)
      pipe:close()
      os.remove(log)
   end }
   return servers[kind]
end

function hosting.stop()
   for _, server in pairs(servers) do server.stop() end
   servers = {}
end

--- Runs a program with the library built for its Lua, for a minute at most.
---@param lua string           "lua5.4"
---@param line string          of the shell
---@param environment? table   more variables
---@return string              what it printed
function hosting.run(lua, line, environment)
   local set = {}
   for name, value in pairs(environment or {}) do set[#set + 1] = ("%s='%s'"):format(name, value) end
   return output_of(("env LUA_PATH=\"$PWD/lua/?.lua;$PWD/?.lua;;\" LUA_CPATH=\"$PWD/build/%s/?.so;;\" CA_FILE=%s %s "
      .. "timeout 60 %s"):format(lua, hosting.ca_file, table.concat(set, " "), line))
end

-- Lines "name value …" -> lists of the values by name
local function parse(text)
   local figures = {}
   for name, rest in text:gmatch("([a-z_]+) ([^\n]*)\n") do
      figures[name] = figures[name] or {}
      table.insert(figures[name], rest)
   end
   return figures
end

-- The smallest of the numbers at this place in the lines of a name.
local function least(figures, name, place)
   local smallest = math.huge
   for _, text in ipairs(figures[name] or {}) do
      local numbers = {}
      for word in text:gmatch("%S+") do numbers[#numbers + 1] = tonumber(word) end
      smallest = math.min(smallest, numbers[place or 1])
   end
   return smallest
end

-- One run of the measurements of measure.lua.
local function measure(host)
   subjects = subjects + 1
   local result, suffix = os.tmpname(), host.implicit and "-tls" or ""
   local environment = { RESULT = result, SUBJECT = "host " .. subjects,
      TLS = host.implicit and "implicit" or "require", LD_PRELOAD = root .. "/build/spec/resolver.so" }
   for _, kind in ipairs { "prompt", "slow", "refused", "drip" } do
      environment["PORT_" .. kind] = hosting.server(kind .. suffix).port
   end
   local output = hosting.run(host.lua, host.line, environment)
   local lines = parse(read(result))
   os.remove(result)
   local wrong_name, drip = (lines.wrong_name or { "" })[1], (lines.drip or { "" })[1]
   return { output = output, lines = lines, subject = environment.SUBJECT,
      sent = (lines.sent or { output })[1],
      ticks = tonumber((lines.ticks or { 0 })[1]),
      ticks_of_drip = tonumber((lines.drip_ticks or { 0 })[1]),
      wrong_name = wrong_name, drip = drip:match "%a+", seconds = tonumber(drip:match " (.*)") or math.huge,
      at_once = least(lines, "at_once") / least(lines, "own"),
      at_once_cpu = least(lines, "at_once", 2) / least(lines, "own", 2),
      many = least(lines, "many") / least(lines, "own_many") }
end

--- The ratio of time that the same messages may take in a host, and the share of ticks that it keeps.
hosting.RATIO_MAX, hosting.TICKS_MIN = 1.3, 0.9

-- Did all messages arrive, but too late?
local function is_slow(host, figures)
   if host.is_blocked or figures.lines.failed or not figures.lines["end"] then return false end
   return math.min(figures.ticks, figures.ticks_of_drip) < hosting.TICKS_MIN
      or not host.is_relayed and math.max(figures.at_once, figures.many) > hosting.RATIO_MAX
end

-- Other programs may slow this machine down: speed is the best of several runs, and all else is of the last.
local function keep_best(figures, earlier)
   for _, name in ipairs { "ticks", "ticks_of_drip" } do figures[name] = math.max(figures[name], earlier[name]) end
   for _, name in ipairs { "at_once", "at_once_cpu", "many" } do
      figures[name] = math.min(figures[name], earlier[name])
   end
end

--- The figures of a host.
---@param host table   name, lua, line (of the shell); implicit: TLS from the first byte; is_relayed: another
--   program makes the connections; is_blocked: it is measured only that the host waits
---@return table figures
function hosting.measured(host)
   local figures = measure(host)
   for _ = 1, 2 do
      if not is_slow(host, figures) then break end
      local earlier = figures
      figures = measure(host)
      keep_best(figures, earlier)
   end
   local function ratio(number)
      return number < math.huge and ("%.2f"):format(number) or "-"
   end
   rows[#rows + 1] = { host.name, ("%.0f %%"):format(100 * figures.ticks),
      figures.wrong_name == "" and "-" or figures.wrong_name,
      figures.drip and ("%s, %.2f s"):format(figures.drip, figures.seconds) or "-",
      ratio(figures.at_once), ratio(figures.at_once_cpu), ratio(figures.many) }
   return figures
end

--- The table of all hosts.
function hosting.table()
   local text = ""
   table.insert(rows, 1, { "host", "ticks kept", "wrong name", "drip, 1 s", "200 at once", "processor", "send_many" })
   for _, row in ipairs(rows) do
      text = text .. ("%-26s %-11s %-24s %-16s %-12s %-10s %s\n"):format(unpack(row))
   end
   return text
end

return hosting
