--- An nginx of its own, with a master process, beside the one that runs the specs.

local ngx = package.loaded.ngx

local site = {}

local CONF = [[
load_module %s/ndk_http_module.so;
load_module %s/ngx_http_lua_module.so;
error_log %s/error.log warn;
pid nginx.pid;
user %s; # a folder such as /root is closed to nginx's own user
worker_processes %d;
%s
events { worker_connections 128; }
http {
   access_log off;
   client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp; scgi_temp_path tmp;
   lua_package_path "%s/lua/?.lua;;";
   lua_package_cpath "%s/build/luajit/?.so;;";
   %s
   server {
      listen 127.0.0.1:%d;
      %s
   }
}
]]

local function shell(command)
   local pipe = io.popen(command)
   local text = pipe:read("*a")
   pipe:close()
   return (text:gsub("%s+$", ""))
end

local Site = {}
Site.__index = Site

--- -> a connection to it | nil
function Site:connect()
   local sock = ngx.socket.tcp()
   return sock:connect("127.0.0.1", self.port) and sock
end

--- A request. -> the connection that the answer comes from
function Site:ask(path)
   local sock = assert(self:connect())
   sock:send("GET " .. path .. " HTTP/1.0\r\n\r\n")
   return sock
end

--- Send a signal to its master process.
function Site:signal(name)
   os.execute(("kill -%s $(cat %s/nginx.pid)"):format(name, self.prefix))
end

--- The ids of its workers, in the order of their start.
function Site:workers()
   local list = {}
   for pid in shell(("cat /proc/$(cat %s/nginx.pid)/task/*/children"):format(self.prefix)):gmatch "%d+" do
      list[#list + 1] = pid
   end
   return list
end

--- Its error log.
function Site:log()
   local file = assert(io.open(self.prefix .. "/error.log"))
   local text = file:read("*a")
   file:close()
   return text
end

--- Wait until its master process has ended. -> did it?
function Site:wait()
   for _ = 1, 1000 do
      local file = io.open(self.prefix .. "/nginx.pid")
      if not file then return true end
      file:close()
      ngx.sleep(0.02)
   end
   return false
end

function Site:stop()
   os.execute(("kill -QUIT $(cat %s/nginx.pid 2>/dev/null) 2>/dev/null"):format(self.prefix))
   self:wait()
   os.execute("rm -rf " .. self.prefix)
end

--- Start it.
---@param port integer
---@param location string    of nginx.conf
---@param more? table        http, main = directives, workers = how many
function site.start(port, location, more)
   more = more or {}
   local root = shell "pwd"
   local self = setmetatable({ port = port, prefix = root .. "/build/nginx/site" }, Site)
   local modules = shell "dirname $(dpkg -L libnginx-mod-http-lua | grep -m 1 '_module\\.so$')"
   os.execute(("rm -rf %s && mkdir -p %s/tmp"):format(self.prefix, self.prefix))
   local file = assert(io.open(self.prefix .. "/nginx.conf", "w"))
   file:write(CONF:format(modules, modules, self.prefix, shell "echo $(id -un) $(id -gn)", more.workers or 1,
      more.main or "", root, root, more.http or "", port, location))
   file:close()
   os.execute(("${NGINX:-/usr/sbin/nginx} -e %s/error.log -p %s -c nginx.conf"):format(self.prefix, self.prefix))
   for _ = 1, 100 do
      local sock = self:connect()
      if sock then
         sock:close()
         return self
      end
      ngx.sleep(0.02)
   end
   error("nginx did not start: " .. self:log(), 0)
end

return site
