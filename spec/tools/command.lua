--- Programs that specs run. None of them is sanitized where the specs are.

local command = {}

--- Runs it by the shell. -> what it printed, errors among it
function command.run(line)
   local pipe = assert(io.popen("env -u LD_PRELOAD " .. line .. " 2>&1"))
   local said = pipe:read("*a")
   pipe:close()
   return said
end

--- Runs a program with this text in a file as its argument. -> what it printed
function command.run_with(program, text)
   local name = os.tmpname()
   command.write(name, text)
   local said = command.run(program .. " " .. name)
   os.remove(name)
   return said
end

--- Writes a file.
function command.write(name, text)
   local file = assert(io.open(name, "wb"))
   file:write(text)
   file:close()
end

return command
