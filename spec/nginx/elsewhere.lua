--- Runs a function in another location, server or phase of nginx.conf.in, by a request of its own.

local elsewhere = {}

local job

--- What a handler there calls.
function elsewhere.run()
   job.results = { pcall(job.fn) }
   package.loaded.ngx.exit(204)
end

--- Run fn where a request for this path of this server comes to. -> its results
function elsewhere.at(path, fn, server)
   job = { fn = fn }
   local mine, sock = job, package.loaded.ngx.socket.tcp()
   assert(sock:connect("127.0.0.1", tonumber(os.getenv "SPEC_PORT")))
   sock:send(("GET %s HTTP/1.0\r\nHost: %s\r\n\r\n"):format(path, server or "localhost"))
   sock:receive("*a")
   sock:close()
   assert(mine.results, "it never ran: " .. path)
   assert(mine.results[1], mine.results[2])
   return unpack(mine.results, 2, 5) -- luacheck: ignore
end

--- Run fn in a timer that is started where this is called.
function elsewhere.later(fn)
   local results
   assert(package.loaded.ngx.timer.at(0, function() results = { pcall(fn) } end))
   for _ = 1, 500 do
      if results then
         assert(results[1], results[2])
         return unpack(results, 2, 5) -- luacheck: ignore
      end
      package.loaded.ngx.sleep(0.01)
   end
   error("the timer never ran", 0)
end

return elsewhere
