--- lua-smtp completion: prints the completion of the command for a shell.
-- @module smtp.cli.completion

local errors = require "smtp.errors"
local flag_table = require "smtp.cli.flag_table"
local output = require "smtp.cli.output"

local completion = {}

-- ---- what there is to complete ----

-- The words that may be the first argument.
local function first_words()
   local list = {}
   for i, command in ipairs(flag_table.commands) do list[i] = command.name end
   list[#list + 1] = "help"
   return list
end

local function can_switch_off(flag)
   return not flag.takes and flag.default ~= nil
end

-- All forms of a flag: { "-f", "--from" }, { "--raw", "--no-raw" }.
local function forms_of(flag)
   local list = { "--" .. flag.name }
   if flag.short then table.insert(list, 1, "-" .. flag.short) end
   if can_switch_off(flag) then list[#list + 1] = "--no-" .. flag.name end
   return list
end

local function all_forms(command)
   local list = {}
   for _, flag in ipairs(flag_table.flags(command.name)) do
      for _, form in ipairs(forms_of(flag)) do list[#list + 1] = form end
   end
   for _, row in ipairs(command.arguments or {}) do
      list[#list + 1] = row[1]:match("^%-[^ ]+")
   end
   return list
end

-- Calls `add` with each command whose first argument is an action: { { "put", "a sentence" }, … }
local function each_with_actions(add)
   for _, command in ipairs(flag_table.commands) do
      local list = {}
      for _, row in ipairs(command.arguments or {}) do
         local action = row[1]:match("^[a-z]+")
         if action then list[#list + 1] = { action, row[2] } end
      end
      if list[1] then add(command.name, list) end
   end
end

-- "send:-a|send:--attach", for each flag of each command for which `is_one` is true.
local function pattern(is_one, only)
   local list = {}
   for _, command in ipairs(flag_table.commands) do
      for _, flag in ipairs(flag_table.flags(command.name)) do
         if is_one(flag) and (not only or only == flag) then
            for _, form in ipairs(forms_of(flag)) do
               list[#list + 1] = command.name .. ":" .. form
            end
         end
      end
   end
   return table.concat(list, "|")
end

local function has_words(flag) return flag.words ~= nil end
local function has_file(flag) return flag.file end
local function has_other(flag) return flag.takes and not flag.words and not flag.file end

-- Calls `add` once with each flag that has words.
local function each_with_words(add)
   local seen = {}
   for _, command in ipairs(flag_table.commands) do
      for _, flag in ipairs(flag_table.flags(command.name)) do
         if flag.words and not seen[flag] then
            seen[flag] = true
            add(pattern(has_words, flag), table.concat(flag.words, " "))
         end
      end
   end
end

-- ---- the shells ----

local shells = {}

function shells.bash()
   local out = { [=[
# Completion of lua-smtp for bash.
_lua_smtp()
{
   local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} words=
   # --tls=skip arrives as three words.
   [ "$word" != = ] || word=
   [ "$before" != = ] || before=${COMP_WORDS[COMP_CWORD-2]}
   [ "$COMP_CWORD" != 1 ] || before=lua-smtp
   case ${COMP_WORDS[1]}:$before in]=],
      ("   *:lua-smtp) words='%s --help --version' ;;\n   help:help) words='%s' ;;")
         :format(table.concat(first_words(), " "), table.concat(first_words(), " ", 1,
         #flag_table.commands)), "   completion:completion) words='bash zsh fish' ;;" }
   each_with_actions(function(name, actions)
      local words = {}
      for i, action in ipairs(actions) do words[i] = action[1] end
      out[#out + 1] = ("   %s:%s) words='%s' ;;"):format(name, name, table.concat(words, " "))
   end)
   each_with_words(function(flags, words)
      out[#out + 1] = ("   %s) words='%s' ;;"):format(flags, words)
   end)
   out[#out + 1] = ([=[
   %s)
      compopt -o filenames
      local IFS=$'\n'
      COMPREPLY=($(compgen -f -- "$word"))
      return ;;
   %s) return ;;
   esac
   [ -n "$words" ] || case ${COMP_WORDS[1]} in]=]):format(pattern(has_file), pattern(has_other))
   for _, command in ipairs(flag_table.commands) do
      out[#out + 1] = ("   %s) words='%s' ;;"):format(command.name,
         table.concat(all_forms(command), " "))
   end
   out[#out + 1] = [=[
   esac
   COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -F _lua_smtp lua-smtp]=]
   return table.concat(out, "\n") .. "\n"
end

-- 'word:what it does', for _describe.
local function described(form, text)
   return ("'%s:%s'"):format(form, (text:gsub("'", "'\\''")))
end

function shells.zsh()
   local commands = {}
   for i, command in ipairs(flag_table.commands) do
      commands[i] = described(command.name, command.text)
   end
   local out = { ([=[
#compdef lua-smtp
# Completion of lua-smtp for zsh.
local before=$words[CURRENT-1]
local -a list=(%s)
if (( CURRENT == 2 )); then
   _describe command list
   compadd -- help --help --version
   return
fi
if [[ $PREFIX == --*=* ]]; then
   before=${PREFIX%%%%=*}
   compset -P '*='
fi
case $words[2]:$before in
(help:help) _describe command list; return ;;
(completion:completion) compadd -- bash zsh fish; return ;;]=]):format(
      table.concat(commands, " ")) }
   each_with_actions(function(name, actions)
      local words = {}
      for i, action in ipairs(actions) do words[i] = described(action[1], action[2]) end
      out[#out + 1] = ("(%s:%s) list=(%s); _describe action list; return ;;"):format(name, name,
         table.concat(words, " "))
   end)
   each_with_words(function(flags, words)
      out[#out + 1] = ("(%s) compadd -- %s; return ;;"):format(flags, words)
   end)
   out[#out + 1] = ("(%s) _files; return ;;\n(%s) return ;;\nesac\ncase $words[2] in")
      :format(pattern(has_file), pattern(has_other))
   for _, command in ipairs(flag_table.commands) do
      local list = {}
      for _, flag in ipairs(flag_table.flags(command.name)) do
         for _, form in ipairs(forms_of(flag)) do
            list[#list + 1] = described(form, form:find("^%-%-no%-") and "Switch it off."
               or flag.text or "The same as --" .. flag.alias .. ".")
         end
      end
      for _, row in ipairs(command.arguments or {}) do
         local letter = row[1]:match("^%-[^ ]+")
         if letter then list[#list + 1] = described(letter, row[2]) end
      end
      out[#out + 1] = ("(%s) list=(%s) ;;"):format(command.name, table.concat(list, " "))
   end
   out[#out + 1] = "esac\n_describe -o flag list"
   return table.concat(out, "\n") .. "\n"
end

-- What follows the name of a command.
local function fish_line(name, rest, text)
   local line = ("complete -c lua-smtp -n '__fish_seen_subcommand_from %s' %s"):format(name, rest)
   return text and ("%s -d '%s'"):format(line, (text:gsub("'", "\\'"))) or line
end

local function fish_flag(command, flag)
   local parts = { "-l " .. flag.name }
   if flag.short then parts[#parts + 1] = "-s " .. flag.short end
   if flag.words then
      parts[#parts + 1] = ("-x -a '%s'"):format(table.concat(flag.words, " "))
   elseif flag.takes then
      parts[#parts + 1] = flag.file and "-r -F" or "-x"
   end
   return fish_line(command.name, table.concat(parts, " "),
      flag.text or "The same as --" .. flag.alias .. ".")
end

-- "-t", "-F NAME", "put": what a command with arguments of its own takes.
local function fish_argument(command, row)
   local letter, value = row[1]:match("^%-([A-Za-z])( ?)")
   local rest = letter and ("-s %s%s"):format(letter, value == "" and "" or " -x")
      or "-a " .. row[1]:match("^[^ ]+")
   return fish_line(command.name, rest, row[2])
end

function shells.fish()
   local out = { "# Completion of lua-smtp for fish.", "complete -c lua-smtp -f",
      "complete -c lua-smtp -n __fish_use_subcommand -l help -l version" }
   for _, command in ipairs(flag_table.commands) do
      out[#out + 1] = ("complete -c lua-smtp -n __fish_use_subcommand -a %s -d '%s'"):format(
         command.name, (command.text:gsub("'", "\\'")))
      for _, flag in ipairs(flag_table.flags(command.name)) do
         out[#out + 1] = fish_flag(command, flag)
         if can_switch_off(flag) then
            out[#out + 1] = fish_line(command.name, "-l no-" .. flag.name)
         end
      end
      for _, row in ipairs(command.arguments or {}) do
         out[#out + 1] = fish_argument(command, row)
      end
   end
   out[#out + 1] = fish_line("completion", "-a 'bash zsh fish'")
   out[#out + 1] = fish_line("help", ("-a '%s'"):format(
      table.concat(first_words(), " ", 1, #flag_table.commands)))
   return table.concat(out, "\n") .. "\n"
end

--- The completion for a shell.
---@param shell string   "bash", "zsh" or "fish"
---@return string|nil    nil: there is no such shell
function completion.of(shell)
   return shells[shell] and shells[shell]()
end

--- The command.
---@param options table
---@param json? boolean
---@return number
function completion.run(options, json)
   local text = completion.of(options.shell)
   if not text then
      errors.refuse("shell", options.shell and ("%q is not a shell that it knows"):format(
         options.shell) or "the shell is missing", "Write lua-smtp completion bash, zsh or fish")
   end
   io.write(json and output.json { shell = options.shell, completion = text } .. "\n" or text)
   return 0
end

return completion
