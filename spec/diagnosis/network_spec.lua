-- Why there is no connection: look-ups, routes, ports, and what this machine lacks.
local command = require "spec.tools.command"
local safe = require "smtp.safe"
local socket = require "smtp.socket"
local staged = require "spec.tools.staged"
local staged_child = require "spec.tools.staged_child"

staged_child.make()

-- root may read every file
local WITHOUT_PRIVILEGES = command.run "id -u" == "0\n"
   and "setpriv --bounding-set=-dac_override,-dac_read_search" or ""

local function child(given)
   return function() return staged_child.send(given) end
end

local function closed_port()
   local listener = socket.listen("127.0.0.1", 0)
   local _, port = listener:getsockname()
   listener:close()
   return port
end

local function to(name, more)
   return ('host = "%s", port = 587, tls = "skip", %s'):format(name, more or "")
end

local EVERY_DESCRIPTOR = [[
   require "smtp.preload"
   held = {}
   while true do
      local file = io.open("/dev/null")
      if not file then break end
      held[#held + 1] = file
   end
]]

staged.rows("a network", {
   { "has no route to the host", call = child { options = to "192.0.2.99",
      shell = staged_child.network "ip route add unreachable 192.0.2.99/32;" },
      error = { "connect", "unreachable|connect", nil, "later" }, says = { "192.0.2.99", "No route to host|no route",
         "network|firewall" }, hides = { "nobody listens", "no server listens" } },
   { "is not there", call = child { options = to "192.0.2.99", shell = staged_child.network() },
      error = { "connect", "unreachable|connect", nil, "later" }, says = { "192.0.2.99", "unreachable", "network" },
      hides = { "nobody listens", "no server listens" } },
   { "has no IPv6, and the name has nothing else", call = child { options = to "0.g.test",
      shell = staged_child.network() },
      error = { "connect", "no_ipv6|unreachable|connect", nil, "later" },
      says = { "0.g.test", "IPv6", "IPv4 address" }, hides = { "nobody listens", "no server listens" } },
   { "has no name server", call = child { options = to "mail.example.com", shell = staged_child.network() },
      error = { "resolve", "resolve", nil, "later" }, says = { "mail.example.com", "resolver|name server" },
      hides = { "spelling" } },
   { "has no such name", call = child { options = to "0.e2.test" },
      error = { "resolve", "unknown_host", nil, "never" }, says = { "0.e2.test", "spelling of host" } },
   { "has a name server that fails", call = child { options = to "0.e3.test" },
      error = { "resolve", "resolve", nil, "later" }, says = { "resolver|name server" }, hides = { "spelling" } },
   { "has a name without an address of use", call = child { options = to "0.u.test" },
      error = { "resolve", "unknown_host|resolve", nil, "never|later" }, says = { "0.u.test", "address" } },
   { "has a name server that is slow", call = child { options = to("900.4.test", "connect_timeout = 0.1") },
      error = { "timeout", "timeout", nil, "later" },
      says = { "0.1 s", "connect_timeout", "resolver|name server" } },
   { "has nobody at the port", call = function()
      return safe.send { host = "127.0.0.1", port = closed_port(), tls = "skip", from = "a@b.example",
         to = "c@d.example", text = "" }
   end, error = { "connect", "refused|connect", nil, "later" }, says = { "refused", "host and port", "listens" } },
   { "has no such source_address", call = function()
      return safe.send { host = "127.0.0.1", port = closed_port(), source_address = "192.0.2.77", tls = "skip",
         from = "a@b.example", to = "c@d.example", text = "" }
   end, error = { "connect", "source_address|connect", nil, "later|never" }, says = { "source_address", "192.0.2.77" },
      hides = { "listens" } },
   { "has no such unix socket", call = function()
      return safe.send { socket = "build/none.sock", from = "a@b.example", to = "c@d.example", text = "" }
   end, error = { "connect", "connect|missing", nil, "later" }, says = { "build/none.sock", "socket" },
      hides = { "port" } },
})

staged.rows("this machine", {
   { "has no descriptors left", call = child { before = EVERY_DESCRIPTOR, options = to "127.0.0.1",
      shell = "(ulimit -n 24; exec %s)" },
      error = { "system", "system", nil, "later" }, says = { "too many open files", "ulimit -n" } },
   { "has no descriptors for a look-up", call = child { options = to "0.e11m.test" },
      error = { "system", "system", nil, "later" }, says = { "too many open files", "ulimit -n" },
      hides = { "spelling" } },
   { "has no thread for a look-up", call = child { options = to "0.4.test", environment = "LACKING_THREADS=1" },
      error = { "system", "threads", nil, "later" }, says = { "thread", "ulimit -u", "address as host" } },
   { "has a /tmp that is read-only", call = child {
      shell = command.namespace "m" .. " sh -c 'mount -t tmpfs -o ro none /tmp; exec %s'",
      before = [[local keys = require "spec.tools.dkim_keys"]],
      options = [[host = "127.0.0.1", port = 1, dkim = { domain = "football.example.com", selector = "s",
         key = keys.rfc.rsa }, raw = (function()
            local n = 0
            return function()
               n = n + 1
               return n == 1 and "From: a@b.example\r\n\r\n" or n < 40 and (("x"):rep(70) .. "\r\n"):rep(1000) or nil
            end
         end)() ]] },
      error = { "system", "tmpfile", nil, "later" }, says = { "Read-only file system", "/tmp" } },
   { "has no OpenSSL", call = child { shell = "sh -c 'mkdir -p build/spec/empty; : >build/spec/empty/libssl.so.3; "
      .. "LD_LIBRARY_PATH=build/spec/empty exec %s'", options = to("127.0.0.1", [[tls = "require"]]) },
      error = { "system", "resources", nil, "later" }, says = { "OpenSSL 3", "libssl", "install" } },
   { "lets nobody read the attachment", call = child { shell = "(touch build/spec/secret.pdf; chmod 0 build/spec/"
      .. "secret.pdf; exec " .. WITHOUT_PRIVILEGES .. " %s)", options = [[host = "x.example", raw = nil, text = "",
         attachments = { { path = "build/spec/secret.pdf" } }]] },
      error = { "usage", nil, nil, "never" }, says = { "secret.pdf", "Permission denied", "permissions|path" } },
})

describe("a machine with few descriptors", function()
   it("never says that a good name does not exist", function()
      for left = 0, 4 do
         local _, err = staged_child.send { before = EVERY_DESCRIPTOR .. ("for i = 1, %d do held[i]:close() end")
            :format(left), options = to("localhost", "connect_timeout = 2"), shell = "(ulimit -n 24; exec %s)" }
         assert.truthy(err.kind == "system" or err.kind == "connect", tostring(err))
         assert.equal("later", err.retry)
         assert.truthy(err.kind == "connect" or tostring(err):find("Too many open files", 1, true), tostring(err))
      end
   end)
end)
