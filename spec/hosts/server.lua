-- A server in a process of its own, for the programs that run in the hosts: server.lua KIND LOG CERTIFICATE KEY.
-- Prints its port. The log gets a line for each message that arrives, and what a client says to `refused`.
--
--   prompt, prompt-tls   a sink with AUTH, after STARTTLS or with TLS from the first byte
--   slow, slow-tls       the same, which thinks for a tenth of a second before each reply
--   refused, refused-tls the same, which logs what it hears
--   drip, drip-tls       sends one byte of a greeting every 20 ms, without end

local safe = require "smtp.safe"
local scheduler = require "smtp.runtime.scheduler"
local socket = require "smtp.socket"

local kind, log_path, cert, key = arg[1], arg[2], arg[3], arg[4]
local implicit = kind:find("-tls", 1, true) ~= nil
local log = assert(io.open(log_path, "a"))
log:setvbuf "line"

local function announce(port)
   print(port)
   io.stdout:flush()
end

local function drip()
   local context = implicit and assert(require("smtp.tls").context { server = true, cert = cert, key = key })
   local listener = assert(socket.listen("127.0.0.1", 0))
   announce((select(2, listener:getsockname())))
   assert(scheduler.run { function()
      while true do
         local sock = scheduler.accept(listener, 3600)
         if sock then
            scheduler.spawn(function()
               local alive = not context or sock:sslaccept(context)
               alive = alive and sock:send "220-"
               while alive do
                  scheduler.sleep(0.02)
                  alive = sock:send "x"
               end
               sock:close()
            end)
         end
      end
   end })
end

local function sink()
   local faults = {}
   if kind:find("slow", 1, true) then
      for _, stage in ipairs { "connect", "ehlo", "starttls", "auth", "mail", "rcpt", "data", "final" } do
         faults[stage] = "slow 0.1"
      end
      if implicit then faults.starttls = nil end
   end
   local server = assert(safe.sink { tls = implicit and "implicit" or "starttls", tls_cert = cert, tls_key = key,
      auth = { users = { ann = "sesame-hosts" } }, require_auth = true, keep = 0, faults = faults,
      trace = kind:find("refused", 1, true) and function(direction, line, connection)
         log:write(("%s %d %s\n"):format(direction, connection, line))
      end or nil,
      on_message = function(message)
         log:write(("message %s %s %s\n"):format(message.authenticated, message.tls and "tls" or "plain",
            message.headers.Subject))
      end })
   local _, port = server:listen()
   announce(port)
   server:serve()
end

if kind:find("drip", 1, true) then drip() else sink() end
