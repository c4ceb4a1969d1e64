--- One message of a process of its own, in an environment that lacks something; see staged.child.

local command = require "spec.tools.command"
local peer = require "spec.tools.peer"

local staged_child = {}

--- What a process of its own gets as the error of its message.
---@param given table   options = Lua source of them, before = Lua source, shell = a command with %s for the program,
---                        environment = variables for it
---@return nil
---@return table err
function staged_child.send(given)
   local name = "build/spec/staged_child." .. tostring(given):match("%x+$") .. ".lua"
   command.write(name, ([[
      %s
      local ok, safe = pcall(require, "smtp.safe")
      if not ok then
         print("raised", tostring(safe), "end of line")
         os.exit()
      end
      local receipt, err = safe.send { from = "ann@example.com", to = "bob@example.net", raw = "A: b\r\n\r\nx\r\n",
         domain = "me.example", %s }
      if receipt then print "sent" os.exit() end
      for _, field in ipairs { "kind", "reason", "concerns", "retry", "host", "stage" } do
         print("field", field, tostring(err[field]))
      end
      print("text", tostring(err.text), "end of text")
      print("line", tostring(err), "end of line")
   ]]):format(given.before or "", given.options or ""))
   local program = ("env %s LD_PRELOAD=\"$LD_PRELOAD build/spec/resolver.so build/spec/lacking.so\" %s %s"):format(
      given.environment or "", peer.interpreter, name)
   local pipe = io.popen((given.shell or "%s"):format(program) .. " 2>&1")
   local said = pipe:read("*a")
   pipe:close()
   os.remove(name)
   local line = said:match("line\t(.-)\tend of line") or said:match("raised\t(.-)\tend of line")
   local err = setmetatable({ is_child = true }, { __tostring = function() return line or said end })
   for field, value in said:gmatch("field\t(%a+)\t([^\n]*)") do err[field] = value ~= "nil" and value or nil end
   err.text = said:match("text\t(.-)\tend of text")
   return nil, err
end

--- Compiles what these processes have: see resolver.c and lacking.c.
function staged_child.make()
   command.run "mkdir -p build/spec"
   for _, name in ipairs { "resolver", "lacking" } do
      local library = ("build/spec/%s.so"):format(name)
      local said = command.run(("cc -shared -fPIC -o %s.$$ spec/tools/%s.c -ldl && mv %s.$$ %s"):format(library, name,
         library, library))
      if said ~= "" then error(said, 0) end
   end
end

--- A network of its own: its loopback, and nothing else but what these commands add.
---@param commands? string
function staged_child.network(commands)
   return ("%s sh -c 'ip link set lo up; %s exec %%s'"):format(command.namespace "n", commands or "")
end

return staged_child
