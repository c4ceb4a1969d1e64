-- Writes the man page of lua-smtp, or its completion for a shell, from what `lua-smtp --help` says.
-- Usage: LUA .ci/manual.lua man|bash|zsh|fish, with the modules on LUA_PATH and LUA_CPATH.

local function output_of(argument)
   local first = 0
   while arg[first - 1] do first = first - 1 end
   local pipe = assert(io.popen(("'%s' csrc/lua-smtp %s"):format(arg[first], argument)))
   local text = pipe:read("*a")
   pipe:close()
   assert(text ~= "", "lua-smtp does not start")
   return text
end

-- The help as its parts: { name = "", text = the lines before the first heading }, { name = "send",
-- text = … }. A heading is a line such as "send: …" or "exit status: …".
local function parts_of(help)
   local parts = { { name = "", text = "" } }
   for line in help:gmatch("([^\n]*)\n") do
      local name, rest = line:match("^([a-z][a-z ]*):%s*(.*)$")
      if name then parts[#parts + 1] = { name = name, text = "" } end
      local part, text = parts[#parts], rest or line
      if text ~= "" or part.text ~= "" then part.text = part.text .. text .. "\n" end
   end
   return parts
end

local parts = parts_of(output_of "--help")

-- { "send", "probe", "sink" }
local commands = {}
for name in parts[1].text:gmatch("lua%-smtp ([a-z]+)") do commands[#commands + 1] = name end

-- ---- the flags of a command ----

-- What a flag takes: a list of words, "file", or nil.
local function value_of(words)
   if words:find("|", 1, true) and not words:find("=", 1, true) then
      local list = {}
      for word in words:gmatch("[^|]+") do
         if word:find("^[a-z0-9-]+$") then list[#list + 1] = word end
      end
      return list
   end
   return (words:find("^[A-Z]*FILE$") or words == "PATH") and "file" or nil
end

local flags = {} -- by command: { { name = "host", value = … }, … }, and by name

local function add(list, name, value)
   if list[name] then return end
   list[#list + 1] = { name = name, value = value }
   list[name] = list[#list]
end

-- "the options of send from --host to --tls-key"
local function add_range(list, text)
   local other, first, last = text:match("options of ([a-z]+) from %-%-(%S+)%s+to%s+%-%-([a-z-]+)")
   local is_within = false
   for _, flag in ipairs(flags[other] or {}) do
      is_within = is_within or flag.name == first
      if is_within then add(list, flag.name, flag.value) end
      if flag.name == last then return end
   end
end

-- "--text-file, --html-file, --calendar FILE": the value is that of all of them.
local function add_flags(list, text)
   local waiting = {}
   for name, after in text:gmatch("%-%-([a-z][a-z-]*[a-z])([^-]*[^\n-]*)") do
      waiting[#waiting + 1] = name
      if not after:find("^, *$") then
         local value = value_of(after:match("^ ([^ \n,;:()]+)") or "")
         for _, each in ipairs(waiting) do add(list, each, value) end
         waiting = {}
      end
   end
end

for _, part in ipairs(parts) do
   local list = {}
   flags[part.name] = list
   add_range(list, part.text)
   add_flags(list, part.text)
end
for _, name in ipairs(commands) do add(flags[name], "help") end

local function dashed(list)
   local names = {}
   for i, flag in ipairs(list) do names[i] = "--" .. flag.name end
   return table.concat(names, " ")
end

-- ---- the shells ----

local first_words = table.concat(commands, " ") .. " --help --version"

-- The flags that take words or files: { { "--protocol", "smtp lmtp" } }, { "--attach", … }
local function values()
   local with_words, with_files, has = {}, {}, {}
   for _, command in ipairs(commands) do
      for _, flag in ipairs(flags[command]) do
         if type(flag.value) == "table" and not has[flag.name] then
            with_words[#with_words + 1] = { "--" .. flag.name, table.concat(flag.value, " ") }
         elseif flag.value == "file" and not has[flag.name] then
            with_files[#with_files + 1] = "--" .. flag.name
         end
         has[flag.name] = has[flag.name] or flag.value
      end
   end
   return with_words, table.concat(with_files, "|")
end

local function in_shell(head, first, words, files, all)
   local with_words, with_files = values()
   local out = { head, first:format(first_words) }
   for _, row in ipairs(with_words) do out[#out + 1] = words:format(row[1], row[2]) end
   out[#out + 1] = files:format(with_files)
   for _, command in ipairs(commands) do
      out[#out + 1] = all:format(command, dashed(flags[command]))
   end
   return table.concat(out, "\n")
end

local write = {}

function write.bash()
   return in_shell([[
# Completion of lua-smtp for bash.
_lua_smtp()
{
   local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} words=]],
      "   [ \"$COMP_CWORD\" != 1 ] || words='%s'\n   case $before in",
      "   %s) words='%s' ;;",
      "   %s)\n      compopt -o filenames\n"
      .. "      local IFS=$'\\n'\n      COMPREPLY=($(compgen -f -- \"$word\"))\n"
      .. "      return ;;\n   esac\n   [ -n \"$words\" ] || case ${COMP_WORDS[1]} in",
      "   %s) words='%s' ;;") .. [[

   esac
   COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -F _lua_smtp lua-smtp
]]
end

function write.zsh()
   return in_shell("#compdef lua-smtp\n# Completion of lua-smtp for zsh.",
      "if (( CURRENT == 2 )); then compadd -- %s; return; fi\ncase $words[CURRENT-1] in",
      "(%s) compadd -- %s; return ;;", "(%s) _files; return ;;\nesac\ncase $words[2] in",
      "(%s) compadd -- %s ;;") .. "\nesac\n"
end

function write.fish()
   local out = { "# Completion of lua-smtp for fish.", "complete -c lua-smtp -f",
      ("complete -c lua-smtp -n __fish_use_subcommand -a '%s'"):format(first_words) }
   for _, command in ipairs(commands) do
      for _, flag in ipairs(flags[command]) do
         local value = flag.value == "file" and " -r -F"
            or flag.value and (" -x -a '%s'"):format(table.concat(flag.value, " ")) or ""
         out[#out + 1] = ("complete -c lua-smtp -n '__fish_seen_subcommand_from %s' -l %s%s")
            :format(command, flag.name, value)
      end
   end
   return table.concat(out, "\n") .. "\n"
end

-- ---- the man page ----

local function troff(text)
   return (text:gsub("\\", "\\e"):gsub("%-", "\\-"):gsub("%f[^\n%z][.']", "\\&%0"))
end

-- The lines of a part: those that begin with a flag or a sentence stay lines.
local function filled(text)
   local out = {}
   for line in text:gmatch("[^\n]+") do
      if line:find("^ +%-%-") or line:find("^ +[A-Z]") then out[#out + 1] = ".br" end
      out[#out + 1] = troff(line:match("^ *(.*)"))
   end
   return table.concat(out, "\n")
end

local examples = [[
Receive mail, and show it; then send to it from another terminal:

    lua-smtp sink --port 2525
    lua-smtp send --host localhost --port 2525 --from ann@example.org \
       --to bob@example.net --subject Lunch --text "At noon?"

Send a file through your provider (the command asks for the password):

    lua-smtp send --service gmail --username ann@gmail.com --from ann@gmail.com \
       --to bob@example.net --subject Report --text "See the file." --attach report.pdf

Show what a server offers:

    lua-smtp probe mail.example.org:587
]]

function write.man()
   local version = output_of("--version"):match("(%S+)\n$")
   local out = { (".TH LUA\\-SMTP 1 \"\" \"lua\\-smtp %s\""):format(version),
      ".nh\n.ad l\n.SH NAME",
      "lua\\-smtp \\- send mail, examine a server, or receive mail for a test" }
   for _, part in ipairs(parts) do
      local is_first = part.name == ""
      out[#out + 1] = ".SH " .. (is_first and "SYNOPSIS" or part.name:upper())
      out[#out + 1] = is_first and ".nf\n" .. troff(part.text) .. ".fi" or filled(part.text)
   end
   out[#out + 1] = ".SH EXAMPLES\n.nf\n" .. troff(examples) .. ".fi"
   out[#out + 1] = ".SH SEE ALSO\nsendmail(8), swaks(1), "
      .. "and README.md and lua/README.md in the source of the library"
   return table.concat(out, "\n") .. "\n"
end

local make = write[arg[1] or ""]
if not make then
   io.stderr:write("usage: manual.lua man|bash|zsh|fish\n")
   os.exit(64)
end
io.write(make())
