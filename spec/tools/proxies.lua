--- Proxies: as transcripts, and in processes of their own.

local environment = require "smtp.runtime.environment"
local certs = require "spec.tools.certs"
local core = require "smtp.core"
local luassert = require "luassert"
local peer = require "spec.tools.peer"
local runtime = require "smtp.runtime.runtime"
local safe = require "smtp.safe"
local talk = require "spec.tools.talk"

local proxies = {}

local cert = certs.make()

-- ---- transcripts ----

local real_transport = runtime.transport
proxies.PASSWORD = "sesame-proxy-31"
proxies.LOGIN = ("ann:%s@"):format(proxies.PASSWORD)

--- What transcripts with a proxy have in common.
proxies.script = talk.snippets {
   hello_socks = "OCTETS 3",                                            -- 5, one method, no login
   connect_socks = "OCTETS 17",                                         -- 5 1 0 3, 10, mx.example, the port
   connected = "S~ \\x05\\x00\\x00\\x01\\x7f\\x00\\x00\\x01\\x00\\x19",
   http = [[
      C: CONNECT mx.example:25 HTTP/1.1
      C: Host: mx.example:25
      C:
   ]],
   socks = [[
      <hello_socks>
      S~ \x05\x00
      <connect_socks>
      <connected>
   ]],
}

--- Send through a proxy, and then to a server, that this transcript plays in one way. -> receipt, err, peer
function proxies.play_once(options, transcript, mode)
   local other = talk.peer(transcript, mode)
   runtime.transport = function() return other end
   local t = talk.options(options)
   t.port = t.port or talk.new_port() -- what a server does wrong is remembered
   other.port = t.port
   local receipt, err = safe.send(t)
   runtime.transport = real_transport
   talk.finished(other)
   return receipt, err, other
end

--- Send many messages over one connection that this transcript plays. -> summary
function proxies.play_many(options, transcript, messages)
   local other = talk.peer(transcript, "whole")
   runtime.transport = function() return other end
   local summary = safe.send_many({ host = "mx.example", domain = "me.example", tls = "skip", port = options.port,
      proxy = options.proxy }, messages, { connections = 1 })
   runtime.transport = real_transport
   talk.finished(other)
   return summary
end

--- The same in all ways, which have the same outcome. -> receipt, err, peer of the whole
function proxies.play(options, transcript)
   local receipt, err, whole = proxies.play_once(options, transcript, "whole")
   for _, mode in ipairs { "bytes", "halves" } do
      local other_receipt, other, part = proxies.play_once(options, transcript, mode)
      luassert.equal(receipt ~= nil, other_receipt ~= nil)
      luassert.equal(whole.body, part.body)
      if err then
         luassert.same({ err.kind, err.reason, err.stage, err.retry, err.sent, err.code },
            { other.kind, other.reason, other.stage, other.retry, other.sent, other.code })
      end
   end
   return receipt, err, whole
end

--- Options with a proxy, proxy.example if no other is given.
function proxies.options(scheme, more)
   local t = { proxy = scheme .. "://proxy.example", port = 25 }
   for name, value in pairs(more or {}) do t[name] = value end
   return t
end

--- An error does not reveal the login of the proxy.
function proxies.hides_login(err)
   local shown = { tostring(err), err.text or "", err.hint or "" }
   for _, line in ipairs(err.transcript) do shown[#shown + 1] = line end
   shown = table.concat(shown, "\n")
   for _, secret in ipairs { proxies.PASSWORD, core.base64("ann:" .. proxies.PASSWORD) } do
      luassert.is_nil(shown:find(secret, 1, true), shown)
   end
end

-- ---- processes ----

-- It connects to this machine, whatever host it is asked for.
local program = [[
local scheduler = require "smtp.runtime.scheduler"
local socket = require "smtp.socket"
local core = require "smtp.core"
local kind, user, password, connections, pause, waits = %q, %q, %q, %d, %s, %s

local function pump(from, to)
   repeat
      local data = from:receiveany(65536)
      if data then to:send(data) end
   until not data
   from:close()
   to:close()
end

local function reader(sock)
   local left = ""
   return function(is_enough)
      while not is_enough(left) do left = left .. (sock:receiveany(1000) or error("the client left", 0)) end
      local count = is_enough(left)
      local data = left:sub(1, count)
      left = left:sub(count + 1)
      return data
   end
end

local function say(sock, text)
   if not pause then return sock:send(text) end
   for i = 1, #text do
      scheduler.sleep(pause)
      if not sock:send(text:sub(i, i)) then return end
   end
end

local talks = {}

function talks.http(sock)
   local header = reader(sock)(function(text) return select(2, text:find("\r\n\r\n", 1, true)) end)
   local login = header:match("Proxy%%-Authorization: Basic (%%S+)")
   if user ~= "" and login ~= core.base64(user .. ":" .. password) then
      say(sock, "HTTP/1.1 407 no\r\nProxy-Authenticate: Basic\r\n\r\n")
      return nil
   end
   local host, port = header:match("^CONNECT (.-):(%%d+) HTTP/1.1\r\n")
   return host, tonumber(port), "HTTP/1.1 200 yes\r\n\r\n", "HTTP/1.1 502 no\r\n\r\n"
end

function talks.socks5(sock)
   local read = reader(sock)
   local function take(count) return read(function(text) return #text >= count and count end) end
   take(take(2):byte(2))
   say(sock, user ~= "" and "\5\2" or "\5\0")
   if user ~= "" then
      local name = take(take(2):byte(2))
      local secret = take(take(1):byte())
      local is_right = name == user and secret == password
      say(sock, is_right and "\1\0" or "\1\1")
      if not is_right then return nil end
   end
   local request = take(4)
   assert(request:byte(4) == 3) -- a name
   local host = take(take(1):byte())
   local high, low = take(2):byte(1, 2)
   return host, high * 256 + low, "\5\0\0\1\0\0\0\0\0\0", "\5\5\0\1\0\0\0\0\0\0"
end

local function serve(sock)
   local host, port, yes, no = talks[kind](sock)
   if not host then return sock:close() end
   print(host)
   io.stdout:flush()
   if host:find("^nowhere") then
      say(sock, no)
      return sock:close()
   end
   local other = scheduler.polite(socket.new())
   other:settimeouts(5000, 5000, 5000)
   if not other:connect("127.0.0.1", port) then
      say(sock, no)
      return sock:close()
   end
   say(sock, waits and yes .. other:receiveany(65536) or yes)
   scheduler.spawn(function() pump(other, sock) end)
   pump(sock, other)
end

scheduler.run { function()
   for _ = 1, connections do
      local sock = scheduler.accept(listener, 20)
      if not sock then break end
      sock:settimeouts(5000, 5000, 5000)
      scheduler.spawn(function() serve(sock) end) -- its error ends this one only
   end
end }
]]

--- Start a proxy.
---@param kind "http"|"socks5"
---@param t? table   user, password; connections = how many it serves, 1; pause = seconds before each byte that it says;
--   waits = its last answer comes with the first bytes of the server
---@return table     port, finish() -> the hosts that it was asked for, one a line
function proxies.start(kind, t)
   t = t or {}
   local pause = tostring(t.pause):gsub(",", ".") -- as some locales write it
   return peer.start(program:format(kind, t.user or "", t.password or "", t.connections or 1, pause, tostring(t.waits)))
end

--- Start a sink.
---@param tls "starttls"|"implicit"
---@param connections? integer
---@return table   port, finish() -> how many messages it has; options to send to it, through a proxy
function proxies.sink(tls, connections)
   local path, key = cert "good"
   local other = peer.start(([[
      local sink = require("smtp.sink").new { tls = %q, tls_cert = %q, tls_key = %q }
      sink:listen(listener)
      sink:serve { connections = %d, timeout = 20 }
      print(#sink.messages)
   ]]):format(tls, path, key, connections or 1))
   other.options = { host = "localhost", port = other.port, timeout = 20,
      tls_ca_file = not environment.is_nginx() and cert "ca" or nil, -- a directive of nginx names it
      tls = tls == "implicit" and tls or "require" }
   return other
end

return proxies
