-- The handlers for nginx in the README and in folders of examples, in a real nginx, and a sink for their mail.
local command = require "spec.tools.command"
local outboxes = require "spec.tools.outboxes"
local interpreter = require("spec.tools.peer").interpreter
local socket = require "smtp.socket"

local read = command.read

local function free_port()
   local listener = socket.listen("127.0.0.1", 0)
   local _, port = listener:getsockname()
   listener:close()
   return port
end

local function connect(port)
   local sock = socket.new()
   sock:settimeouts(5000, 5000, 10000)
   return sock, sock:connect("127.0.0.1", port)
end

-- -> status, body
local function request(port, method, path, body)
   local sock = connect(port)
   sock:send(("%s %s HTTP/1.0\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s")
      :format(method, path, #(body or ""), body or ""))
   local text = ""
   while true do
      local data = sock:receiveany(65536)
      if not data then break end
      text = text .. data
   end
   sock:close()
   return tonumber(text:match("^HTTP/1.%d (%d+)")), text:match("\r\n\r\n(.*)$")
end

-- nginx with a configuration of the documents; only paths, ports and the address of the server differ.
local function start_nginx(config, environment, example)
   local root, port = command.run("pwd"):match("[^\n]*"), free_port()
   local folder = os.tmpname()
   os.remove(folder)
   command.run("mkdir -p " .. folder .. "/tmp")
   local modules = command.run("dpkg -L libnginx-mod-http-lua"):match("(/[^\n]*)/ngx_http_lua_module%.so")
   config = config:gsub("/usr/local/share/lua/5%.1", root .. "/lua")
      :gsub("/usr/local/lib/lua/5%.1", root .. "/build/luajit")
      :gsub("/srv/www", root .. "/examples/" .. (example or "")):gsub("127%.0%.0%.1:8080", "127.0.0.1:" .. port)
   local paths = "access_log off;"
   for _, name in ipairs { "client_body", "proxy", "fastcgi", "uwsgi", "scgi" } do
      paths = ("%s %s_temp_path %s/tmp;"):format(paths, name, folder)
   end
   config = config:gsub("include /etc/nginx/modules%-enabled/%*%.conf;", ("load_module %s/ndk_http_module.so; "
      .. "load_module %s/ngx_http_lua_module.so; daemon off; master_process off; pid %s/pid; error_log stderr;")
      :format(modules, modules, folder)):gsub("\nhttp {\n", function(line) return line .. paths .. "\n" end)
   command.write(folder .. "/nginx.conf", config)
   local pipe = io.popen(("env -u LUA_PATH -u LUA_CPATH %s sh -c 'echo $$; exec /usr/sbin/nginx -e stderr -p %s -c %s"
      .. "/nginx.conf' 2>&1"):format(environment, folder, folder))
   local pid = pipe:read("*l")
   for _ = 1, 200 do
      local sock, ok = connect(port)
      sock:close()
      if ok then break end
      require("smtp.core").sleep(0.05)
   end
   return { port = port, stop = function()
      command.run("kill " .. pid)
      local said = pipe:read("*a")
      pipe:close()
      command.run("rm -rf " .. folder)
      return said
   end }
end

describe("a handler", function()
   local pipe, sink_port, sink_pid, nginx

   before_each(function()
      pipe = io.popen(("SECRET=secret sh -c 'echo $$; exec %s csrc/lua-smtp sink --port 0 --user web "
         .. "--password-env SECRET' 2>&1"):format(interpreter))
      sink_pid = pipe:read("*l")
      sink_port = pipe:read("*l"):match("(%d+)$")
   end)

   -- -> what the sink printed, what nginx logged
   local function finish()
      local log = nginx and nginx.stop()
      nginx = nil
      if not pipe then return end
      command.run("kill " .. sink_pid)
      local mail = pipe:read("*a")
      pipe:close()
      pipe = nil
      return mail, log
   end

   after_each(finish)

   it("of the README sends a message", function()
      local config = read("README.md"):match("\n```nginx\n(.-)\n```\n")
      config = config:gsub('host = "mail.example.org"', 'host = "127.0.0.1", port = ' .. sink_port)
      nginx = start_nginx(config, "MAIL_PASSWORD=secret")
      local status, body = request(nginx.port, "GET", "/hello")
      local mail, log = finish()
      assert.equal(200, status, log)
      assert.equal("sent: queued as 1\n", body)
      assert.matches("to <ann@example.org>, authenticated as web", mail, 1, true)
      assert.matches("Sent by nginx", mail, 1, true)
   end)

   it("of the README answers 503, and logs the line, where the server cannot be reached", function()
      local config = read("README.md"):match("\n```nginx\n(.-)\n```\n")
      config = config:gsub('host = "mail.example.org"', 'host = "127.0.0.1", port = ' .. free_port())
      nginx = start_nginx(config, "MAIL_PASSWORD=secret")
      local status = request(nginx.port, "GET", "/hello")
      local _, log = finish()
      assert.equal(503, status)
      assert.matches("smtp: 127%.0%.0%.1:%d+ ", log)
   end)

   it("of password-reset answers alike for all, and sends a token that works once", function()
      nginx = start_nginx(read "examples/password-reset/nginx.conf",
         ("SMTP_HOST=127.0.0.1 SMTP_PORT=%s SMTP_USER=web SMTP_PASSWORD=secret"):format(sink_port), "password-reset")
      local _, unknown = request(nginx.port, "POST", "/reset", "email=bob@example.net")
      local status, known = request(nginx.port, "POST", "/reset", "email=ann@example.org")
      assert.equal(200, status)
      assert.equal(unknown, known)
      local mail = ""
      for line in pipe:lines() do
         mail = mail .. line .. "\n"
         if line == "---" then break end
      end
      mail = mail:gsub("=\n", ""):gsub("=3D", "=")
      local token = mail:match("new%-password%?token=([0-9a-f]+)")
      assert.equal(32, #(token or ""), mail)
      assert.equal(410, (request(nginx.port, "GET", "/new-password?token=0" .. token)))
      local code, body = request(nginx.port, "GET", "/new-password?token=" .. token)
      assert.same({ 200, "choose a new password, user 7\n" }, { code, body })
      assert.equal(410, (request(nginx.port, "GET", "/new-password?token=" .. token)))
      local rest = finish()
      assert.equal("", rest:gsub("lua%-smtp: .*", ""))
   end)

   it("of outbox-nginx puts an order's mail into the outbox, once, and its service delivers it", function()
      local store = outboxes.path()
      nginx = start_nginx(read "examples/outbox-nginx/nginx.conf", "SMTP_HOST=127.0.0.1 MAIL_STORE=" .. store,
         "outbox-nginx")
      for _ = 1, 2 do
         assert.same({ 200, "Thank you. A confirmation is on its way.\n" },
            { request(nginx.port, "POST", "/order", "number=7&email=bob@example.net") })
      end
      assert.equal(400, (request(nginx.port, "POST", "/order", "number=8&email=bob")))
      assert.equal(400, (request(nginx.port, "POST", "/order", "email=bob@example.net")))
      local service = read "examples/outbox-nginx/outbox.service":match "ExecStart=/usr/local/bin/([^\n]*)"
      service = service:gsub("/var/lib/shop/mail%.db", store):gsub("lua%-smtp", "csrc/lua-smtp", 1)
      local said = command.run(("env SMTP_HOST=127.0.0.1 SMTP_USER=web SMTP_PASSWORD=secret sh -c '%s %s "
         .. "--port %s --tls skip --auth-plaintext --once'"):format(interpreter, service, sink_port))
      local mail, log = finish()
      assert.matches("order%-7", said)
      assert.matches("1 sent", said)
      assert.equal(1, select(2, mail:gsub("Subject: Your order 7", "")), mail)
      assert.matches("to <bob@example.net>, authenticated as web", mail, 1, true)
      assert.matches('to = "bob" is not a valid address', log, 1, true)
      outboxes.clean()
   end)

   it("of metrics counts what became of messages, for Prometheus", function()
      nginx = start_nginx(read "examples/metrics/nginx.conf",
         ("SMTP_HOST=127.0.0.1 SMTP_PORT=%s SMTP_USER=web SMTP_PASSWORD=secret"):format(sink_port), "metrics")
      for _ = 1, 2 do assert.equal(200, (request(nginx.port, "GET", "/hello?to=bob@example.net"))) end
      command.run("kill " .. sink_pid)
      pipe:read("*a")
      assert.equal(503, (request(nginx.port, "GET", "/hello")))
      local status, body = request(nginx.port, "GET", "/metrics")
      assert.equal(200, status)
      for _, line in ipairs { "# TYPE smtp_messages_total counter", 'smtp_messages_total{kind="sent",reason=""} 2',
         'smtp_messages_total{kind="connect",reason="refused"} 1', 'smtp_recipients_total{state="accepted"} 2',
         'smtp_connections_total{reused="false"} 1', 'smtp_stages_total{stage="auth"} 1',
         'smtp_stages_total{stage="final"} 2', 'smtp_broken_total{kind="connect",reason="refused"} 1' } do
         assert.matches("\n" .. line .. "\n", "\n" .. body, 1, true)
      end
      assert.matches('smtp_stage_seconds_total{stage="final"} [0-9.e-]+\n', body)
      assert.matches('smtp_bytes_total{direction="sent"} %d%d%d+\n', body)
      assert.equal(1, select(2, body:gsub("# TYPE smtp_messages_total", "")))
   end)
end)
