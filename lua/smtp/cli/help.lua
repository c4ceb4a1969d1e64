--- What --help prints. It fits a terminal of 80 columns and, without `all`, of 24 lines,
-- one of which is the prompt after it.
-- @module smtp.cli.help

local exit_status = require "smtp.cli.exit_status"
local flag_table = require "smtp.cli.flag_table"
local output = require "smtp.cli.output"
local safe = require "smtp.safe"

local help = {}

--- How flags are written.
help.CONVENTIONS = "A flag with ... may be given several times; addresses may also be separated by "
   .. "commas. A value follows its flag, or a = (--port=25), or a letter at once (-p25). A flag "
   .. "without a value is switched off by --no-NAME or --NAME=no. After -- no argument is a flag."

local WIDTH = 80
local COLUMN = 28 -- where the sentences begin

--- How a flag is written: "-f, --from ADDRESS", "--no-tls-verify", "--json"; with "..." it may be
-- given again.
function help.form(flag)
   local is_on = not flag.takes and flag.default == "yes"
   local form = (flag.short and "-" .. flag.short .. ", " or "") .. "--" .. (is_on and "no-" or "")
      .. flag.name
   return form .. (flag.takes and " " .. flag.takes or "") .. (flag.list and " ..." or "")
end

--- The words and the default: what brackets after the sentence contain.
function help.notes(flag)
   local notes = {}
   if flag.words and not flag.open then notes[1] = table.concat(flag.words, "|") end
   if flag.default and flag.takes then
      notes[#notes + 1] = "default: " .. flag.default
   end
   return #notes > 0 and "[" .. table.concat(notes, "; ") .. "]" or nil
end

-- Adds the text to the lines, from the column on.
local function wrap(lines, first, text, column)
   local indent = (" "):rep(column)
   local line, is_new = first .. indent:sub(#first + 1), true
   if #first > column - 2 then lines[#lines + 1], line = first, indent end
   for word in text:gmatch("[^ \n]+") do
      if not is_new and #line + 1 + #word > WIDTH then
         lines[#lines + 1], line, is_new = line, indent, true
      end
      line, is_new = line .. (is_new and "" or " ") .. word, false
   end
   lines[#lines + 1] = line
end

-- The short help of some commands shows flags of these groups only.
local function is_common(flag, command)
   return flag.common and (not command.common or command.common[flag.group])
end

local function add_flags(lines, command, all)
   local group
   for _, flag in ipairs(flag_table.flags(command.name)) do
      if not flag.alias and (all or is_common(flag, command)) then
         if all and flag.group ~= group then
            group = flag.group
            lines[#lines + 1] = "\n" .. group
         end
         local notes = help.notes(flag)
         local text = notes and flag.text .. " " .. notes or flag.text
         local form = help.form(flag)
         wrap(lines, "  " .. (flag.short and "" or "    ") .. form, text, COLUMN)
      end
   end
end

local function add_statuses(lines)
   lines[#lines + 1] = "\nExit status"
   for _, row in ipairs(exit_status.list) do
      lines[#lines + 1] = ("  %3d  %s"):format(row[1], row[2])
   end
end

--- The help of a command.
---@param command table   of flag_table.commands
---@param all? boolean    with all flags
---@return string
function help.of_command(command, all)
   local lines = { ("Usage: lua-smtp %s %s"):format(command.name, command.synopsis),
      command.text .. (command.more and " " .. command.more or "") }
   if #lines[2] > WIDTH then lines[2] = command.text .. "\n" .. command.more end
   for _, row in ipairs(command.arguments or {}) do wrap(lines, "  " .. row[1], row[2], COLUMN) end
   add_flags(lines, command, all)
   if all then
      wrap(lines, "", help.CONVENTIONS, 0)
      add_statuses(lines)
   end
   return table.concat(lines, "\n") .. "\n"
end

--- The help of lua-smtp itself.
---@param all? boolean   with all flags of all commands
---@return string
function help.overview(all)
   local lines = { "Usage: lua-smtp COMMAND [flags]", "" }
   for _, command in ipairs(flag_table.commands) do
      lines[#lines + 1] = ("  %-12s%s"):format(command.name, command.text)
   end
   lines[#lines + 1] = ""
   lines[#lines + 1] =
      "lua-smtp COMMAND --help shows the common flags of a command with their defaults,"
   lines[#lines + 1] = "lua-smtp COMMAND --help=all shows all flags and what the exit status means."
   lines[#lines + 1] = "lua-smtp --version shows the version."
   if all then
      for _, command in ipairs(flag_table.commands) do
         lines[#lines + 1] = ("\nlua-smtp %s %s"):format(command.name, command.synopsis)
         add_flags(lines, command, true)
      end
      add_statuses(lines)
   end
   return table.concat(lines, "\n") .. "\n"
end

-- ---- JSON ----

local function rows_of(command)
   local rows = {}
   for _, flag in ipairs(flag_table.flags(command.name)) do
      rows[#rows + 1] = { name = flag.name, short = flag.short, takes = flag.takes,
         words = flag.words, list = flag.list, default = flag.default, alias = flag.alias,
         group = flag.group, text = flag.text }
   end
   return rows
end

local function described(command)
   return { name = command.name, synopsis = command.synopsis, text = command.text,
      flags = rows_of(command) }
end

local function as_json(command)
   if command then return output.json(described(command)) end
   local all = { commands = {}, exit_statuses = {} }
   for i, one in ipairs(flag_table.commands) do all.commands[i] = described(one) end
   for i, row in ipairs(exit_status.list) do
      all.exit_statuses[i] = { status = row[1], text = row[2] }
   end
   return output.json(all)
end

--- The help of a command, or of lua-smtp itself.
---@param command? table
---@param all? boolean    with all flags
---@param json? boolean   as JSON, which has all of them
---@return string
function help.text(command, all, json)
   if json then return as_json(command) .. "\n" end
   return command and help.of_command(command, all) or help.overview(all)
end

--- What --version prints.
---@param json? boolean
---@return string
function help.version(json)
   if json then return output.json { version = safe._VERSION } .. "\n" end
   return ("lua-smtp %s\n"):format(safe._VERSION)
end

return help
