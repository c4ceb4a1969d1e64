--- What smtp.safe says in each phase of nginx. nginx.conf.in calls it everywhere.

local phases = { found = {}, deferred = {}, others = {}, put = {}, put_into_redis = {} }

-- What else there is to call. -> by name: { did it return?, result, err }
local function try_others(safe)
   local to = { host = "127.0.0.1", port = 1 }
   local message = { from = "a@b.example", to = "c@d.example", text = "" }
   return { connect = { pcall(safe.connect, to) }, probe = { pcall(safe.probe, to) },
      many = { pcall(safe.send_many, to, { message, message, message }) },
      one_of_many = { pcall(safe.send_many, to, { message }) },
      message = { pcall(safe.message, message) },
      nothing = { pcall(safe.send) }, nonsense = { pcall(safe.defer, 5, 7) } }
end

-- An outbox that is made in the phase init, as a module that nginx loads there makes one.
local box

local function try_put(safe, phase)
   box = box or assert(safe.outbox { store = package.loaded.ngx.config.prefix() .. "tmp/phases.db",
      name = "phases", server = { host = "127.0.0.1", port = 1 } })
   local ok, id, err = pcall(box.put, box, { from = "a@b.example", to = "c@d.example", text = "" }, { id = phase })
   return { ok = ok, id = id, err = err }
end

-- The store of another one has no server: what is said before it would connect?
local function try_put_into_redis(safe)
   local store = assert(require("smtp.outbox.redis").new { prefix = "phases",
      connect = function() return nil, "nobody" end })
   local other = assert(safe.outbox { store = store, server = { host = "127.0.0.1", port = 1 } })
   local _, err = other:put { from = "a@b.example", to = "c@d.example", text = "" }
   return err
end

--- The outbox into which each phase has put a message with its name.
function phases.outbox()
   return box
end

--- Tries to send, to defer, and to put into an outbox, in the phase this is called in.
function phases.note(phase)
   local safe = require "smtp.safe"
   local options = { host = "127.0.0.1", port = 1, from = "a@b.example", to = "c@d.example", text = "" }
   local ok, receipt, err = pcall(safe.send, options)
   phases.found[phase] = { ok = ok, receipt = receipt, err = err }
   phases.others[phase] = try_others(safe)
   phases.put[phase] = try_put(safe, phase)
   phases.put_into_redis[phase] = try_put_into_redis(safe)
   local entry = {}
   phases.deferred[phase] = entry
   entry.ok, entry.accepted, entry.err = pcall(safe.defer, options, function(_, failure)
      entry.failure = failure
   end)
end

local visited = false

local function get(path)
   local sock = package.loaded.ngx.socket.tcp()
   assert(sock:connect("127.0.0.1", tonumber(os.getenv "SPEC_PORT")))
   sock:send("GET " .. path .. " HTTP/1.0\r\n\r\n")
   sock:receive("*a")
   sock:close()
end

--- What was found in a phase: see spec/nginx/nginx.conf.in. -> about defer, about send
function phases.visit(phase)
   if not visited then
      visited = true
      get "/phases"
      get "/balanced"
      package.loaded.ngx.sleep(0.05)
   end
   return phases.deferred[phase], phases.found[phase]
end

return phases
