-- Writes the man page of lua-smtp, or its completion for a shell, from the tables of its flags.
-- Usage: LUA .ci/manual.lua man|bash|zsh|fish, with the modules on LUA_PATH and LUA_CPATH.

local completion = require "smtp.cli.completion"
local exit_status = require "smtp.cli.exit_status"
local flag_table = require "smtp.cli.flag_table"
local help = require "smtp.cli.help"

local function troff(text)
   return (text:gsub("\\", "\\e"):gsub("%-", "\\-"):gsub("%f[^\n%z][.']", "\\&%0"))
end

local examples = [[
Receive mail, and show it; then send to it from another terminal:

    lua-smtp sink --port 2525
    echo "At noon?" | lua-smtp send -S localhost -p 2525 -f ann@example.org \
       -t bob@example.net -s Lunch

Send a file through your provider (the command asks for the password):

    lua-smtp send --service gmail --username ann@gmail.com --from ann@gmail.com \
       --to bob@example.net --subject Report --text "See the file." --attach report.pdf

Send the mail of cron, mutt and other programs that expect sendmail:

    ln -s "$(command -v lua-smtp)" /usr/sbin/sendmail

Show what a server offers:

    lua-smtp probe mail.example.org:587
]]

local files = {
   "The accounts are in $XDG_CONFIG_HOME/lua-smtp.lua, by default ~/.config/lua-smtp.lua, or, where the user has no "
      .. "such file, in /etc/lua-smtp.lua. The file is Lua, without functions:",
   [[
return {
   default = "work",
   accounts = {
      work = { service = "gmail", username = "ann@gmail.com",
         password_command = { "pass", "mail/work" } },
      home = { host = "mail.example.org", username = "ann",
         from = "ann@example.org", password_file = "~/.config/mail-home" },
   },
}]],
   "The account is that of --account, else that of the sender (from, or username), else the default. Flags take "
      .. "precedence over its options. A server that flags name has no account without --account. Other users must "
      .. "not be able to write the file, nor to read it where it contains a password.",
}

local function add_files(out)
   out[#out + 1] = ".SH FILES\n" .. troff(files[1]) .. "\n.PP\n.nf\n" .. troff(files[2]) .. "\n.fi\n.PP"
   out[#out + 1] = troff(files[3])
end

-- A heading, and a paragraph for each row { what, text }.
local function add_rows(out, rows)
   for _, row in ipairs(rows) do
      out[#out + 1] = ".TP\n" .. troff(row[1]) .. "\n" .. troff(row[2])
   end
end

local function add_command(out, command)
   out[#out + 1] = ".SH " .. command.name:upper()
   out[#out + 1] = troff(("lua-smtp %s %s"):format(command.name, command.synopsis)) .. "\n.PP"
   out[#out + 1] = troff(command.text .. (command.more and " " .. command.more or ""))
   add_rows(out, command.arguments or {})
   local group
   for _, flag in ipairs(flag_table.flags(command.name)) do
      if flag.group ~= group then
         group = flag.group
         out[#out + 1] = ".SS " .. group
      end
      if not flag.alias then
         local notes = help.notes(flag)
         add_rows(out, { { help.form(flag), flag.text .. (notes and " " .. notes or "") } })
      end
   end
end

local function man()
   local version = require("smtp.safe")._VERSION
   local out = { (".TH LUA\\-SMTP 1 \"\" \"lua\\-smtp %s\""):format(version),
      ".nh\n.ad l\n.SH NAME",
      "lua\\-smtp \\- send mail, examine a server, or receive mail for a test", ".SH SYNOPSIS\n.nf" }
   for _, command in ipairs(flag_table.commands) do
      out[#out + 1] = troff(("lua-smtp %s %s"):format(command.name, command.synopsis))
   end
   out[#out + 1] = troff("lua-smtp help [COMMAND]\nlua-smtp --version") .. "\n.fi\n.SH DESCRIPTION"
   out[#out + 1] = troff(help.CONVENTIONS)
   for _, command in ipairs(flag_table.commands) do add_command(out, command) end
   out[#out + 1] = ".SH EXIT STATUS"
   local rows = {}
   for i, row in ipairs(exit_status.list) do rows[i] = { tostring(row[1]), row[2] } end
   add_rows(out, rows)
   add_files(out)
   out[#out + 1] = ".SH EXAMPLES\n.nf\n" .. troff(examples) .. ".fi"
   out[#out + 1] = ".SH SEE ALSO\nsendmail(8), swaks(1), "
      .. "and README.md and lua/README.md in the source of the library"
   return table.concat(out, "\n") .. "\n"
end

local text = arg[1] == "man" and man() or completion.of(arg[1])
if not text then
   io.stderr:write("usage: manual.lua man|bash|zsh|fish\n")
   os.exit(64)
end
io.write(text)
