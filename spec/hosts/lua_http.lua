-- The measurements in a handler of a web server of lua-http, which serves a request at each tick.

local cqueues = require "cqueues"
local http_client = require "http.client"
local http_headers = require "http.headers"
local http_server = require "http.server"
local measure = require "spec.hosts.measure"

local controller = cqueues.new()
local handle, finish

local function answer(stream, text)
   local headers = http_headers.new()
   headers:append(":status", "200")
   assert(stream:write_headers(headers, false))
   assert(stream:write_chunk(text, true))
end

local server = assert(http_server.listen { host = "127.0.0.1", port = 0, cq = controller,
   onstream = function(_, stream)
      if assert(stream:get_headers()):get ":path" == "/measure" then
         handle(finish)
      end
      answer(stream, "ok")
   end,
   onerror = function(_, _, what, err) error(what .. ": " .. tostring(err)) end,
})
assert(server:listen())
local port = select(3, server:localname())

local connection
local function request(path)
   connection = connection or assert(http_client.connect { host = "127.0.0.1", port = port, version = 1.1 })
   local stream = connection:new_stream()
   local headers = http_headers.new()
   headers:append(":method", "GET")
   headers:append(":authority", "127.0.0.1")
   headers:append(":path", path)
   headers:append(":scheme", "http")
   assert(stream:write_headers(headers, true))
   assert(stream:get_headers())
   assert(stream:get_body_as_string() == "ok")
end

measure.all {
   loop = "cqueues",
   spawn = function(fn) controller:wrap(fn) end,
   after = function(seconds, fn)
      controller:wrap(function()
         cqueues.sleep(math.max(0, seconds))
         request "/"
         fn()
      end)
   end,
   run = function(main)
      handle, finish = main, function() os.exit(0) end
      controller:wrap(function()
         local http_request = require "http.request"
         http_request.new_from_uri(("http://127.0.0.1:%d/measure"):format(port)):go(60)
      end)
      assert(controller:loop())
   end,
}
