-- What a machine may lack: descriptors, libssl. Each call of smtp.safe gives
-- an error object, with the system's own words, and none of it is the caller's mistake.
local certs = require "spec.tools.certs"
local command = require "spec.tools.command"
local peer = require "spec.tools.peer"
local system = require "smtp.ground.resources"

local path, key = certs.make()("good")

describe("an error of the system", function()
   it("is for want of memory or descriptors where its number says so", function()
      local resources = require "smtp.ground.resources"
      for errno = 0, 140 do
         assert.equal(errno == 12 or errno == 23 or errno == 24, resources.lacks(errno), errno)
      end
      assert.is_false(resources.lacks(nil))
   end)
end)

local program = [[
local phase, port, preload = arg[1], tonumber(arg[2]), arg[3] == "all"
local safe = require "smtp.safe"
if preload then
   for _, name in ipairs { "runtime.scheduler", "socket", "client.many", "client.probe", "sink",
      "message", "crypto" } do
      require("smtp." .. name)
   end
end
local function options(more)
   local t = { host = "127.0.0.1", port = port, timeout = 5 }
   for name, value in pairs(more or {}) do t[name] = value end
   return t
end
local function message(more)
   local t = { from = "a@b.example", to = "c@d.example", text = "x" }
   for name, value in pairs(more or {}) do t[name] = value end
   return t
end
local phases = {}
function phases.plain() return safe.send(message(options())) end
function phases.name() return safe.send(message(options { host = "localhost", tls = "skip" })) end
function phases.lookup() return safe.send(message(options { host = "ip6-loopback.example", tls = "skip" })) end
function phases.tls()
   return safe.send(message(options { tls = "implicit", tls_ca_file = "build/spec/certs/ca.pem" }))
end
function phases.folder()
   return safe.send(message(options { tls = "implicit", tls_ca_path = "build/spec/certs/hashed" }))
end
function phases.system() return safe.send(message(options { tls = "implicit" })) end
function phases.attachment() return safe.send(message(options { attachments = { { path = "README.md" } } })) end
function phases.composed() return safe.message(message { attachments = { { path = "README.md" } } }) end
function phases.key()
   return safe.message(message { dkim = { domain = "b.example", selector = "s", key = "build/spec/certs/rsa.key" } })
end
function phases.auth()
   return safe.send(message(options { username = "ann", password = "sesame", auth_mechanisms = "SCRAM-SHA-256" }))
end
function phases.connect()
   local connection, err = safe.connect(options())
   if not connection then return nil, err end
   return connection:send(message())
end
function phases.probe() return safe.probe(options()) end
function phases.many()
   local summary, err = safe.send_many(options(), { message(), message(), message() }, { connections = 3 })
   if not summary then return nil, err end
   for i = 1, 3 do if summary.results[i].kind then return nil, summary.results[i] end end
   return summary
end
function phases.sink()
   local sink, err = safe.sink { tls = "implicit", tls_cert = "build/spec/certs/good.pem",
      tls_key = "build/spec/certs/good.key" }
   if not sink then return nil, err end
   return sink:listen()
end
function phases.certificate()
   local sink, err = safe.sink { tls = "implicit" }
   if not sink then return nil, err end
   local address
   address, err = sink:listen()
   sink:close()
   return address, err
end
-- What of nginx is there before anything of this library is.
local function nginx(call)
   package.loaded.ngx = { socket = { tcp = function() end }, get_phase = function() return "log" end,
      timer = { at = function() return nil, "no timers here" end } }
   local result, err = call()
   package.loaded.ngx = nil
   return result, err
end
function phases.nginx() return nginx(phases.plain) end
function phases.nginx_many() return nginx(phases.many) end
function phases.nginx_defer() return nginx(function() return safe.defer(message(options())) end) end
-- All that there are but `left` are taken while it runs.
local function try(left)
   local taken = {}
   repeat taken[#taken + 1] = io.open("/dev/null") until not io.open("/dev/null")
   collectgarbage()
   repeat
      local file = io.open("/dev/null")
      taken[#taken + 1] = file
   until not file
   for _ = 1, left do table.remove(taken):close() end
   local ok, result, err = pcall(phases[phase])
   for i = 1, #taken do taken[i]:close() end
   collectgarbage()
   if not ok then return "raised " .. tostring(result) end
   return result and "well" or ("%s %s %s"):format(err.kind, err.retry, tostring(err))
end
for left = 0, 8 do print((try(left))) end
]]

local name = os.tmpname()

setup(function()
   local file = assert(io.open(name, "w"))
   file:write(program)
   file:close()
   command.run("sh -c 'cd build/spec/certs && mkdir -p hashed && cp ca.pem hashed && openssl rehash hashed && "
      .. "{ test -s rsa.key || openssl genrsa -out rsa.key 2048; }'")
end)

teardown(function() os.remove(name) end)

local function server(tls)
   return peer.start(([[
      local sink = require("smtp.sink").new { tls = %s, tls_cert = %q, tls_key = %q,
         auth = { users = { ann = "sesame" }, mechanisms = { "SCRAM-SHA-256" } },
         on_message = function(message) if message.from == "stop@b.example" then os.exit(0) end end }
      sink:listen(listener)
      sink:serve { connections = 500, timeout = 10 }
   ]]):format(tls and '"implicit"' or "false", path, key))
end

local phases = { "plain", "name", "lookup", "tls", "folder", "system", "attachment", "composed", "key", "auth",
   "connect", "probe", "many", "sink", "certificate", "nginx", "nginx_many", "nginx_defer" }
local in_tls = { tls = true, folder = true, system = true }
-- A look-up takes a pipe, and the resolver one more at least.
local least = { lookup = 3 }
-- How each ends where there are enough of them.
local ends = { lookup = "resolve %l+", system = "certificate never", nginx = "usage never .*the phase log",
   nginx_many = "usage never .*the phase log", nginx_defer = "system later .*no timers here" }

describe("where descriptors lack", function()
   for _, phase in ipairs(phases) do
      it(phase .. " gives a SystemError, for later, and goes well with enough of them", function()
         local other = server(in_tls[phase])
         for _, preload in ipairs { "all", "" } do
            local said = command.run(("sh -c 'ulimit -n 32; exec %s %s %s %d %s'"):format(peer.interpreter, name, phase,
               other.port, preload))
            local lacked, well = 0, false
            for line in said:gmatch("[^\n]+") do
               well = well or line:find("^" .. (ends[phase] or "well")) ~= nil
               if not well then lacked = lacked + 1 end
               assert.truthy(well or line:find("^system later smtp: ") and line:find("Too many open files", 1, true),
                  said)
            end
            assert.truthy(well and lacked >= (least[phase] or 1), said)
         end
         require("smtp.safe").send { host = "127.0.0.1", port = other.port, from = "stop@b.example",
            to = "c@d.example", text = "", tls = in_tls[phase] and "implicit", tls_verify = not in_tls[phase] }
         assert.equal("", other.finish())
      end)
   end
end)

describe("where libssl lacks", function()
   it("each call that needs a socket gives a SystemError", function()
      local folder = os.tmpname()
      os.remove(folder)
      assert.equal("", command.run(("sh -c 'mkdir -p %s/smtp && cd %s && echo >gone.c && "
         .. "gcc -shared -o libgone.so gone.c && "
         .. "gcc -shared -o smtp/socket.so gone.c -L. -Wl,--no-as-needed -lgone && rm libgone.so'"):format(folder,
         folder)))
      for _, phase in ipairs { "plain", "tls", "connect", "probe", "many", "sink" } do
         local said = command.run(("sh -c \"ulimit -n 32; LUA_CPATH='%s/?.so;%s' exec %s %s %s 25\""):format(folder,
            package.cpath, peer.interpreter, name, phase))
         for line in said:gmatch("[^\n]+") do
            assert.truthy(line:find("^system later smtp: ") and (line:find("libgone.so: cannot open shared object file",
               1, true) or line:find("Too many open files", 1, true)), said)
         end
         assert.truthy(said:find("libgone", 1, true), said)
      end
      command.run("rm -r " .. folder)
   end)
end)

describe("where a sink has no room for its certificate", function()
   it("the system's words say why", function()
      local said = command.run(("sh -c 'ulimit -n 32; TMPDIR=/proc/no exec %s %s certificate 25'"):format(
         peer.interpreter, name))
      local count = 0
      for line in said:gmatch("[^\n]+") do
         assert.truthy(line:find "^system later smtp: ", said)
         if line:find("No such file or directory", 1, true) then count = count + 1 end
      end
      assert.truthy(count > 0, said)
   end)
end)

describe("A module for which there is no memory", function()
   it("is lacking now, not for ever", function()
      package.preload["spec.lacking"] = function() error("not enough memory for libcrypto", 0) end
      local module, why, lack = system.load "spec.lacking"
      package.preload["spec.lacking"] = nil
      assert.same({ nil, "spec.lacking cannot be loaded: not enough memory", true }, { module, why, lack })
   end)
end)
