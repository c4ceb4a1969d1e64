--- The command lua-smtp: finds the command that its arguments name, and runs it.
-- @module smtp.cli.main

local errors = require "smtp.errors"
local flag_table = require "smtp.cli.flag_table"
local flags = require "smtp.cli.flags"
local signals = require "smtp.cli.signals"
local system = require "smtp.ground.resources"

local load_failure = system.loader "smtp.cli.failure"

system.forget_preload() -- the program is not the caller's

local FAILED, LATER = 70, 75 -- sysexits.h: EX_SOFTWARE, EX_TEMPFAIL

local INCOMPLETE_HINT = "Install lua-smtp again: its files are not complete"

-- -> exit status
local function show_failure(err, json)
   local failure = load_failure()
   if failure then return failure.show(err, json) end
   io.stderr:write("lua-", tostring(err), "\n") -- it begins with "smtp: "
   return err.temporary and LATER or FAILED
end

-- JSON is printed even where the rest of the arguments is wrong.
local function has_json(args)
   for i = 1, #args do
      if args[i] == "--" then return false end
      if args[i] == "--json" or args[i] == "--json=yes" then return true end
   end
   return false
end

local function show(text)
   return signals.run(function()
      io.write(text)
      return 0
   end)
end

local function show_help(args, command, all)
   return show(require("smtp.cli.help").text(command, all, has_json(args)))
end

-- lua-smtp help send, --help=all and so on. -> exit status | nil, a command that there is not
local function help_without_command(name, args)
   local topic = name == "help" and args[2] or ""
   if topic:find("^%-%-") then topic = "" end
   local command = flag_table.command(topic)
   if topic ~= "" and not command then return nil, topic end
   return show_help(args, command, name == "--help=all" or args[2] == "--all" or args[3] == "--all")
end

local is_help = { help = true, ["-h"] = true, ["--help"] = true, ["--help=all"] = true }

-- What is not the name of a command.
local function run_alone(name, args)
   if name == "--version" then return show(require("smtp.cli.help").version(has_json(args))) end
   if is_help[name] then
      local status
      status, name = help_without_command(name, args)
      if status then return status end
   elseif name == "" then
      io.stderr:write(require("smtp.cli.help").overview())
      return 64
   end
   local err = require("smtp.cli.unknown_flag").command(name)
   return show_failure(err, has_json(args))
end

-- -> a function that runs the command: -> exit status | nil, err
local function runner(command)
   local module, why, lack = system.load("smtp.cli." .. command.name)
   if module then return errors.returning(module.run) end
   local hint = lack and system.LACK_HINT or INCOMPLETE_HINT
   return function() return nil, system.error(why, hint) end
end

local function run_command(command, args)
   local options, wrong = errors.returning(flags.read)(args, 2, command)
   if not options then return show_failure(wrong, has_json(args)) end
   if options.help then return show_help(args, command, options.help == "all") end
   local json = options.json
   options.json = nil
   local run = runner(command)
   return signals.run(function() return run(options, json) end, function(err)
      return show_failure(err, json)
   end)
end

-- "--help" and the like among the arguments of a command that reads them itself, or nil. Where its
-- letters are its own, -h is one of them, and only the first argument may ask for help.
local function help_among(args, command)
   for i = 2, command.has_letters and #args or 2 do
      local is_letter = args[i] == "-h" and (command.has_letters or #args == 2)
      if args[i] == "--" then return nil end
      if is_letter or args[i] == "--help" or args[i] == "--help=all" then return args[i] end
   end
end

-- A command that reads its arguments itself.
local function run_with_arguments(command, args)
   local asked = help_among(args, command)
   if asked then return show_help(args, command, asked == "--help=all") end
   local own = {}
   for i = 2, #args do own[i - 1] = args[i] end
   local run = runner(command)
   return signals.run(function() return run(own) end, function(err)
      return show_failure(err, has_json(own))
   end)
end

-- What a link with one of these names means: programs call it in place of sendmail, and of its
-- other names.
local of_link = { sendmail = {}, mailq = { "-bp" }, newaliases = { "-bi" } }

local function arguments_of(args)
   local name = (args[0] or ""):match("[^/]*$")
   local first = of_link[name:find("sendmail$") and "sendmail" or name]
   if not first then return args end
   local own = { "sendmail", first[1] }
   for i = 1, #args do own[#own + 1] = args[i] end
   return own
end

--- Run the command.
---@param args table   the arguments; [0] is the path of the command
---@return number      exit status
local function main(args)
   args = arguments_of(args)
   local command = flag_table.command(args[1])
   if not command then return run_alone(args[1] or "", args) end
   if command.own_arguments then return run_with_arguments(command, args) end
   return run_command(command, args)
end

return { main = main }
