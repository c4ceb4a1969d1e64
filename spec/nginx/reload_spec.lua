-- A worker that is replaced, or a client that goes, while messages are on their way: each message that was
-- taken on goes out once, and what is cut is delivered to no recipient.
local server = require "spec.nginx.server"

local ngx = package.loaded.ngx
local root, prefix

local CONF = [[
load_module %s/ndk_http_module.so;
load_module %s/ngx_http_lua_module.so;
error_log stderr crit;
pid nginx.pid;
user %s; # a folder such as /root is closed to nginx's own user
worker_processes 1;
events { worker_connections 128; }
http {
   access_log off;
   client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp; scgi_temp_path tmp;
   lua_package_path "%s/lua/?.lua;;";
   lua_package_cpath "%s/build/luajit/?.so;;";
   server {
      listen 127.0.0.1:%d;
      location / {
         lua_check_client_abort on;
         content_by_lua_block {
            local safe = require "smtp.safe"
            local count = 0
            local t = { host = "127.0.0.1", port = %d, tls = "skip", domain = "me.example", timeout = 10,
               from = "a@b.example", to = "c@d.example", keepalive = { idle = 10 } }
            if ngx.var.uri == "/defer" then
               t.text = "x"
               for _ = 1, 5 do assert(safe.defer(t)) end
               return ngx.say "ok"
            end
            t.raw = function()
               ngx.sleep(0.05)
               count = count + 1
               return count <= 8 and "line\r\n" or nil
            end
            local receipt, err = safe.send(t)
            ngx.say(receipt and "ok" or tostring(err))
         }
      }
   }
}
]]

local function shell(command)
   local pipe = io.popen(command)
   local text = pipe:read("*a")
   pipe:close()
   return (text:gsub("%s+$", ""))
end

local mx, port

local function connect()
   local sock = ngx.socket.tcp()
   return sock:connect("127.0.0.1", port) and sock
end

before_each(function()
   root = shell "pwd"
   prefix = root .. "/build/nginx/reload"
   mx = server.start {}
   port = mx.port < 40000 and mx.port + 7000 or mx.port - 7000
   local modules = shell "dirname $(dpkg -L libnginx-mod-http-lua | grep -m 1 '_module\\.so$')"
   os.execute("rm -rf " .. prefix .. " && mkdir -p " .. prefix .. "/tmp")
   local file = assert(io.open(prefix .. "/nginx.conf", "w"))
   file:write(CONF:format(modules, modules, shell "echo $(id -un) $(id -gn)", root, root, port, mx.port))
   file:close()
   os.execute(("${NGINX:-/usr/sbin/nginx} -e %s/log -p %s -c nginx.conf"):format(prefix, prefix))
   for _ = 1, 100 do
      local sock = connect()
      if sock then
         sock:close()
         return
      end
      ngx.sleep(0.02)
   end
   error("nginx did not start", 0)
end)

after_each(function()
   os.execute(("kill -QUIT $(cat %s/nginx.pid) 2>/dev/null"):format(prefix))
   for _ = 1, 200 do
      if not io.open(prefix .. "/nginx.pid") then break end
      ngx.sleep(0.02)
   end
   mx:stop()
   os.execute("rm -rf " .. prefix)
end)

local function signal(name)
   os.execute(("kill -%s $(cat %s/nginx.pid)"):format(name, prefix))
end

local function ask(path)
   local sock = assert(connect())
   sock:send("GET " .. path .. " HTTP/1.0\r\n\r\n")
   return sock
end

describe("a message on its way", function()
   for _, name in ipairs { "HUP", "QUIT" } do
      it("goes out once where nginx is told to end its worker, and its result is true: " .. name, function()
         local sock = ask "/"
         ngx.sleep(0.15)
         signal(name)
         assert.truthy(sock:receive("*a"):find("ok", 1, true))
         assert.equal(1, mx:count("message"))
      end)

      it("that was deferred goes out once: " .. name, function()
         local sock = ask "/defer"
         assert.truthy(sock:receive("*a"):find("ok", 1, true))
         signal(name)
         mx:wait("message", 5)
         assert.equal(5, mx:count("message"))
      end)
   end

   it("is delivered to no recipient where its client goes, and its connection is not kept", function()
      local sock = ask "/"
      ngx.sleep(0.15)
      sock:close()
      mx:wait("over", 1)
      assert.equal(0, mx:count("message"))
      sock = ask "/"
      assert.truthy(sock:receive("*a"):find("ok", 1, true))
      assert.same({ 1, 2 }, { mx:count("message"), mx:count("open") })
   end)
end)
