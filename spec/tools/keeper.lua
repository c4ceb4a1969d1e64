--- A sink in a process of its own, which gives the messages that arrive, byte by byte as they are.

local interpreter = require("spec.tools.peer").interpreter

local keeper = {}

local program = [[
local safe = require "smtp.safe"
local sink = assert(safe.sink { keep = 0, on_message = function(message)
   io.write(message.from, "\n", table.concat(message.to, " "), "\n", #message.data, "\n", message.data)
   io.stdout:flush()
end, FAULTS })
local _, port = sink:listen()
print(port)
io.stdout:flush()
sink:serve()
]]

--- Starts it. `options`: more options of the sink, as Lua text.
-- -> { port =, next = function() -> { from =, to = with spaces between them, data = }, stop = function }
function keeper.start(options)
   local name = os.tmpname()
   local file = assert(io.open(name, "w"))
   file:write((program:gsub("FAULTS", function() return options or "" end)))
   file:close()
   local pipe = io.popen(("echo $$; exec timeout 120 %s %s 2>&1"):format(interpreter, name))
   local pid, port = pipe:read("*l"), pipe:read("*l")
   os.remove(name)
   return { port = assert(tonumber(port), port),
      next = function()
         local from, to, size = pipe:read("*l"), pipe:read("*l"), pipe:read("*l")
         return { from = from, to = to, data = pipe:read(tonumber(size)) }
      end,
      stop = function()
         os.execute("kill " .. pid)
         pipe:close()
      end }
end

return keeper
