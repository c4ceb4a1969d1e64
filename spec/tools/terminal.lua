--- The command as a process: at a terminal, which spec/tools/terminal.py is, or as a sink beside the spec. What it
--- would leave is looked for in a folder of its own, which is TMPDIR for it.

local interpreter = require("spec.tools.peer").interpreter

local terminal = {}

local folder, started

--- Runs this by the shell. -> what it printed, its status
function terminal.sh(line)
   local pipe = io.popen("{ " .. line .. "; } 2>&1; echo status $?")
   local text = pipe:read("*a")
   pipe:close()
   return text:match("^(.*)status %d+\n$"), tonumber(text:match("status (%d+)\n$"))
end

--- The command with these arguments, for the shell. The variable SECRET is sesame-cmd.
function terminal.command(line)
   return ("TMPDIR=%s SECRET=sesame-cmd %s csrc/lua-smtp %s"):format(folder, interpreter, line)
end

--- A program at a terminal, by steps (see terminal.py). -> what it showed, its status, the notes about echo
function terminal.run_program(steps, line, columns)
   local words = {}
   for i, step in ipairs(steps) do words[i] = "'" .. step .. "'" end
   local shown = terminal.sh(("env -u LD_PRELOAD python3 -B spec/tools/terminal.py %d %s -- "
      .. "env LD_PRELOAD=\"$LD_PRELOAD\" %s"):format(columns or 80, table.concat(words, " "), line))
   local text, status, notes = shown:match("^(.*)\nstatus (%d+), echo ([^\n]*)\n")
   if not status then error(shown) end
   return text, tonumber(status), notes
end

--- The command at a terminal, without colours.
---@param environment? string   "TERM=dumb"; "NO_COLOR=" for colours
function terminal.run(steps, line, columns, environment)
   return terminal.run_program(steps, (environment or "") .. " " .. terminal.command(line), columns)
end

--- A sink as another process. -> the lines it prints, its port or path, its process
function terminal.start_sink(flags, errors)
   local pipe = io.popen("echo $$; exec env " .. terminal.command("sink " .. flags) .. " 2>" .. (errors or "/dev/null"))
   local pid = pipe:read("*l")
   started[#started + 1] = pid
   return pipe, pipe:read("*l"):match("([^: ]+)$"), pid
end

--- Makes the folder, before each case. -> its name
function terminal.prepare()
   folder, started = os.tmpname(), {}
   os.remove(folder)
   os.execute("mkdir " .. folder)
   return folder
end

--- The names in the folder.
function terminal.left_over()
   return (terminal.sh("ls " .. folder))
end

--- Is the folder empty soon? The guard of a certificate needs a moment after a process was killed.
---@return boolean|string   the names in it where it is not
function terminal.soon_empty()
   for _ = 1, 100 do
      if terminal.left_over() == "" then return true end
      os.execute("sleep 0.02")
   end
   return terminal.left_over()
end

--- Ends what hangs where a case has failed, and removes the folder, after each case.
---@return boolean|string   as soon_empty
function terminal.clean_up()
   for _, pid in ipairs(started) do os.execute("kill -KILL " .. pid .. " 2>/dev/null") end
   local is_empty = terminal.soon_empty()
   os.execute("rm -rf " .. folder)
   return is_empty
end

return terminal
