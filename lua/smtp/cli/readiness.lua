--- How lua-smtp sink says where it listens: it prints this, and writes it to the descriptor of
-- --ready-fd, for a script that starts a sink and waits for it.
-- @module smtp.cli.readiness

local ascii = require "smtp.ground.ascii"
local errors = require "smtp.errors"
local output = require "smtp.cli.output"
local socket = require "smtp.socket"

local DESCRIPTOR_MIN, DESCRIPTOR_MAX = 3, 65535 -- those below are standard input, output and error

local function refuse(text, what)
   errors.refuse("ready-fd", ("--ready-fd %s %s"):format(text, what), "Write --ready-fd 3 3>FILE")
end

-- -> the descriptor
local function keep(text)
   local fd = text:find("^[0-9]+$") and ascii.number(text)
   if not fd or fd < DESCRIPTOR_MIN or fd > DESCRIPTOR_MAX then
      refuse(text, "is not a descriptor from 3 on")
   end
   local ok, why = socket.keep_descriptor(fd)
   if not ok then refuse(text, "cannot be used: " .. why) end
   return fd
end

local function show(server, address, port, place, json)
   if json then
      output.say(output.json { address = address, port = port, tls_ca_file = server.tls_ca_file })
   else
      output.say("listening on " .. place)
      if server.tls_ca_file then output.say("trust " .. server.tls_ca_file) end
   end
   io.stdout:flush()
end

--- Take --ready-fd out of the options; call this before anything is opened. Raises a UsageError.
---@param options table
---@param json? boolean
---@return fun(server: smtp.Sink, address: string, port?: integer)   says where the sink listens
local function prepare(options, json)
   local text = options.ready_fd
   local fd = text and keep(text)
   options.ready_fd = nil
   return function(server, address, port)
      local host = port and address:find(":", 1, true) and "[" .. address .. "]" or address
      local place = host .. (port and ":" .. port or "")
      show(server, address, port, place, json)
      if not fd then return end
      local ok, why = socket.tell_descriptor(fd,
         place .. "\n" .. (server.tls_ca_file and server.tls_ca_file .. "\n" or ""))
      if not ok then refuse(text, "cannot be written: " .. why) end
   end
end

return { prepare = prepare }
