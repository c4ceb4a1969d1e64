--- Programs that specs run. None of them is sanitized where the specs are, but those of this library.

local interpreter = require("spec.tools.peer").interpreter

local command = {}

--- Runs a program with this library by the shell. -> what it printed, errors among it
function command.own(line)
   local pipe = assert(io.popen(line .. " 2>&1"))
   local said = pipe:read("*a")
   pipe:close()
   return said
end

--- Runs another program by the shell. -> what it printed, errors among it
function command.run(line)
   return command.own("env -u LD_PRELOAD " .. line)
end

--- The words that run a program in namespaces of its own: of users too, where a chroot does not forbid that. There "/"
--- cannot be a mount point, so that its propagation cannot be changed.
---@param kinds string   "n", "m"
function command.namespace(kinds)
   for _, words in ipairs { "unshare -r", "unshare -" } do
      if command.run(words .. kinds .. " true") == "" then return words .. kinds end
   end
   return "unshare --propagation unchanged -" .. kinds
end

--- Runs another program with this text in a file as its argument. -> what it printed
function command.run_with(program, text)
   local name = os.tmpname()
   command.write(name, text)
   local said = command.run(program .. " " .. name)
   os.remove(name)
   return said
end

--- -> the text of a file
function command.read(name)
   local file = assert(io.open(name, "rb"))
   local text = file:read("*a")
   file:close()
   return text
end

--- Writes a file.
function command.write(name, text)
   local file = assert(io.open(name, "wb"))
   file:write(text)
   file:close()
end

--- Runs lua-smtp with these arguments; the variable SECRET is the password of command.start_sink, WRONG is another.
--- `variables`: more of them, as "NAME=value ".
--- -> what it printed, its status
function command.smtp(line, variables)
   local pipe = io.popen(("%sSECRET=secret WRONG=wrong %s csrc/lua-smtp %s 2>&1; echo status $?")
      :format(variables or "", interpreter, line))
   local text = pipe:read("*a")
   pipe:close()
   return text:match("^(.-)status %d+\n$"), tonumber(text:match("status (%d+)\n$"))
end

--- Starts lua-smtp sink. -> the lines it prints, its port, its certificate where it has one
function command.start_sink(flags)
   local pipe = io.popen(("SECRET=secret %s csrc/lua-smtp sink %s 2>/dev/null"):format(interpreter, flags))
   local port = pipe:read("*l"):match("(%d+)$")
   local trust = flags:find("--tls", 1, true) and pipe:read("*l"):match("^trust (.*)$")
   return pipe, port, trust
end

--- The arguments of a message.
command.message = " --from ann@me.example --to bob@there.example --subject Hi --text hello"

return command
