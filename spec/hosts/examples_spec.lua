-- The examples of hosts do what they say.
local hosting = require "spec.hosts.hosting"

local login = { SMTP_USER = "ann", SMTP_PASSWORD = "sesame-hosts", MAIL_PASSWORD = "sesame-hosts" }
local root = os.getenv "PWD"

local function write(path, text)
   local file = assert(io.open(path, "w"))
   file:write(text)
   file:close()
   return path
end

local function read(path)
   local file = assert(io.open(path))
   local text = file:read("*a")
   file:close()
   return text
end

-- Replaces each of these plain texts in a file, once.
local function changed(path, texts)
   local text = read(path)
   for old, new in pairs(texts) do
      local at, ends = text:find(old, 1, true)
      assert(at, old)
      text = text:sub(1, at - 1) .. new .. text:sub(ends + 1)
   end
   return text
end

-- Runs a server of the web, posts to it, and asks for another page meanwhile. -> what is printed: the other page,
-- the answer, in the order in which they came
local function while_it_mails(lua, start, url, other, environment)
   local script = write(os.tmpname(), ([[
      %s &
      server=$!
      trap 'kill $server; wait' EXIT
      for _ in $(seq 100); do curl -s -o /dev/null %s && break; sleep 0.1; done
      curl -s -d "At noon?" %s &
      sleep 0.2
      curl -s %s
      wait $!
   ]]):format(start, other, url, other))
   local output = hosting.run(lua, "bash " .. script, environment)
   os.remove(script)
   return output
end

local function free_port()
   local socket = require "smtp.socket"
   local listener = assert(socket.listen("127.0.0.1", 0))
   local port = select(2, listener:getsockname())
   listener:close()
   return port
end

local function with(more)
   local all = {}
   for name, value in pairs(login) do all[name] = value end
   for name, value in pairs(more) do all[name] = value end
   return all
end

describe("the example", function()
   local folder
   before_each(function()
      folder = os.tmpname()
      os.remove(folder)
      os.execute("mkdir " .. folder)
   end)
   after_each(function() os.execute("rm -r " .. folder) end)
   teardown(hosting.stop)

   for name, lua in pairs { ["in_luv.lua"] = "lua5.4", ["in_copas.lua"] = "lua5.1" } do
      it(name .. " sends three messages", function()
         local said = hosting.run(lua, "env LUA=" .. lua .. " examples/run " .. name, login)
         for number = 1, 3 do assert.matches("queued as " .. number, said) end
      end)
   end

   it("web_cqueues.lua mails what is posted, and serves others meanwhile", function()
      local slow, port = hosting.server("slow"), free_port()
      local url = "http://127.0.0.1:" .. port
      local example = write(folder .. "/web.lua", changed("examples/web_cqueues.lua", {
         ["host = arg[1]"] = ("host = arg[1], tls = 'require', tls_ca_file = '%s'"):format(hosting.ca_file) }))
      local said = while_it_mails("lua5.1", ("lua5.1 %s localhost %d %d"):format(example, slow.port, port), url, url,
         login)
      assert.matches("^http[^\n]*\nPost a message here.\nsent: queued as %d+\n$", said)
      assert.truthy(slow.said():find("message ann tls A message from the web\n", 1, true))
   end)

   it("neovim.lua sends the buffer, and Neovim does not freeze meanwhile", function()
      local slow = hosting.server("slow")
      local script = write(folder .. "/type.lua", ([[
         vim.cmd "luafile examples/neovim.lua"
         vim.g.mail = { host = "localhost", port = %d, tls_ca_file = "%s", username = "ann", from = "ann@me.example" }
         vim.api.nvim_buf_set_lines(0, 0, -1, false, { "Typed in Neovim", "At noon?" })
         local ticks, timer = 0, vim.loop.new_timer()
         timer:start(0, 5, function() ticks = ticks + 1 end)
         vim.notify = function(text)
            io.stdout:write(text, "\n", ticks > 80 and "quick" or "frozen", "\n")
            vim.cmd "qall!"
         end
         vim.cmd "SendMail bob@there.example"
      ]]):format(slow.port, hosting.ca_file))
      local said = hosting.run("luajit", ("nvim --headless -u NONE -c 'luafile %s'"):format(script), login)
      assert.matches("^sent: queued as %d+\nquick\n", said)
      assert.truthy(slow.said():find("message ann tls Typed in Neovim\n", 1, true))
   end)

   it("of Prosody mails when a user registers", function()
      local slow = hosting.server("slow")
      write(folder .. "/mod_register.lua", [[
         module:depends "mail_registrations"
         module:fire_event("user-registered", { username = "carol", host = module.host })
         require("util.timer").add_task(3, function() os.exit(0) end)
      ]])
      local config = write(folder .. "/prosody.cfg.lua", ([[
         plugin_paths = { "%s", "%s/examples/prosody" }
         data_path, pidfile, run_as_root = "%s", "%s/pid", true
         log = { info = "*console" }
         modules_enabled = { "mail_registrations", "register" }
         modules_disabled = { "c2s", "s2s", "offline" }
         mail_host, mail_port, mail_ca_file = "localhost", %d, "%s"
         mail_username, mail_password = "ann", "sesame-hosts"
         mail_from, mail_to = "prosody@me.example", "ann@me.example"
         VirtualHost "localhost"
      ]]):format(folder, root, folder, folder, slow.port, hosting.ca_file))
      local said = hosting.run("lua5.4", "prosody -F --config " .. config)
      assert.matches("mailed: queued as %d+", said)
      assert.truthy(slow.said():find("message ann tls New user: carol@localhost\n", 1, true))
   end)

   describe("of HAProxy", function()
      -- Mails what is posted; HAProxy expects this name in the certificate.
      local function post(server, name)
         local port = free_port()
         local service, socket = folder .. "/mail.lua", folder .. "/smtp.sock"
         write(service, changed("examples/haproxy/mail.lua", { ["/run/haproxy/smtp.sock"] = socket,
            ['username = "web"'] = 'username = "ann"' }))
         local config = write(folder .. "/haproxy.cfg", changed("examples/haproxy/haproxy.cfg", {
            ["/etc/haproxy/?.lua"] = root .. "/examples/haproxy/?.lua", ["/etc/haproxy/mail.lua"] = service,
            ["bind 127.0.0.1:8080"] = "bind 127.0.0.1:" .. port, ["/run/haproxy/smtp.sock"] = socket,
            ["mail.example.org:465"] = "127.0.0.1:" .. server.port,
            ["/etc/ssl/certs/ca-certificates.crt"] = hosting.ca_file,
            ["sni str(mail.example.org) verifyhost mail.example.org"] = "verifyhost " .. name }))
         return while_it_mails("lua5.3", "haproxy -f " .. config, ("http://127.0.0.1:%d/mail"):format(port),
            ("http://127.0.0.1:%d/other"):format(port), login)
      end

      it("mails what is posted, and serves others meanwhile", function()
         local slow = hosting.server "slow-tls"
         assert.matches("503 Service Unavailable.*\nsent\n", post(slow, "localhost")) -- /other has no backend
         assert.truthy(slow.said():find("message ann tls A message from the web\n", 1, true))
      end)

      it("gives no password to a server whose certificate has other names", function()
         local refused = hosting.server "refused-tls"
         assert.matches("could not be sent", post(refused, "mail.example"))
         assert.is_nil(refused.said():find("AUTH", 1, true))
      end)

      it("accepts a common name, which this library does not where there are alternative names", function()
         assert.matches("sent\n", post(hosting.server "refused-tls", "localhost"))
      end)

      it("is needed, because connect_ssl checks no certificate", function()
         local task = write(folder .. "/task.lua", ([[
            core.register_task(function()
               local socket = core.tcp()
               socket:settimeout(10)
               socket:connect_ssl("127.0.0.1", %d)
               print(socket:receive "*l")
               os.exit(0)
            end)
         ]]):format(hosting.server("refused-tls").port))
         local config = write(folder .. "/haproxy.cfg", ([[
            global
               lua-load %s
            frontend none
               mode http
               timeout client 5s
               bind unix@%s/none.sock
]]):format(task, folder))
         assert.matches("220 sink.example", hosting.run("lua5.3", "haproxy -f " .. config))
      end)
   end)

   it("of Apache mails in one thread, and other threads serve meanwhile", function()
      local slow, port = hosting.server("slow"), free_port()
      write(folder .. "/index.html", "a page\n")
      local modules = ""
      for _, name in ipairs { "mpm_event", "authz_core", "alias", "lua" } do
         modules = modules .. ("LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so\n"):format(name, name)
      end
      local config = write(folder .. "/httpd.conf", modules .. ([[
         ServerRoot %s
         ServerName localhost
         Listen 127.0.0.1:%d
         DocumentRoot %s
         PidFile %s/pid
         ErrorLog %s/log
         User nobody
         StartServers 1
         ThreadsPerChild 25
         LuaScope thread
         LuaPackagePath %s/lua/?.lua
         LuaPackageCPath %s/build/lua5.3/?.so
         LuaMapHandler ^/mail$ %s/examples/apache/mail.lua
      ]]):format(folder, port, folder, folder, folder, root, root, root))
      os.execute("chmod 755 " .. folder)
      local url = "http://127.0.0.1:" .. port
      local said = while_it_mails("lua5.3", "apache2 -D FOREGROUND -f " .. config, url .. "/mail", url .. "/index.html",
         with { MAIL_HOST = "localhost", MAIL_PORT = slow.port, MAIL_CA_FILE = hosting.ca_file })
      assert.matches("^a page\nsent: queued as %d+\n", said)
      assert.truthy(slow.said():find("message ann tls A request from 127.0.0.1\n", 1, true))
   end)
end)
