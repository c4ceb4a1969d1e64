--- Commands, flags and arguments that there are not: the error that names what was probably meant.
-- @module smtp.cli.unknown_flag

local errors = require "smtp.errors"
local flag_table = require "smtp.cli.flag_table"
local foreign = require "smtp.options.foreign"
local system = require "smtp.ground.resources"

local unknown = system.late "smtp.options.unknown"

local unknown_flag = {}



-- Options of the library that are tables, and what there is in their place.
local tables = { attachments = "--attach FILE", headers = "--header \"Name: value\"",
   extensions = "--extension KEYWORD=WORD", dsn = "--dsn-notify, --dsn-ret and --dsn-envid",
   envelope = "--envelope-from ADDRESS and --envelope-to ADDRESS" }

-- How the command takes an option for which other programs have another name; for all others,
-- --NAME VALUE.
local forms = {
   password = "--password-env VARIABLE or --password-file FILE",
   token = "--token-env VARIABLE or --token-file FILE",
   text = "--text TEXT or --text-file FILE", html = "--html TEXT or --html-file FILE",
   tls = "--tls implicit (TLS from the first byte, port 465), --tls require (STARTTLS, port 587) "
      .. "or --tls skip",
   raw = "--raw, with the message on standard input", trace = "--trace",
   auth_plaintext = "--auth-plaintext", protocol = "--protocol lmtp",
   tls_verify = "--tls-ca-file FILE; --no-tls-verify turns all checks of the certificate off",
}

--- Raise the UsageError of an argument. `what` is a whole sentence: no name is put before it.
---@param name string   of the flag, or what the argument is
---@param what string
---@param hint string
function unknown_flag.fail(name, what, hint)
   error(errors.new("usage", { option = name, what = what, hint = hint }), 0)
end

local fail = unknown_flag.fail

local function help_of(command)
   return ("See lua-smtp %s --help"):format(command.name)
end

-- "outbox list", "send"
local function title_of(command)
   return command.action and command.name .. " " .. command.action or command.name
end

-- The names of the flags of a command, and their negative forms.
local function names_of(command)
   local names = {}
   for _, flag in ipairs(flag_table.flags(command.name, command.action)) do
      names[#names + 1] = flag.name
      if not flag.takes then names[#names + 1] = "no-" .. flag.name end
   end
   return names
end

-- The flag of a command, or of one of its actions, by its name or its letter.
local function find_flag(command, name)
   for _, flag in ipairs(flag_table.flags(command.name, command.action)) do
      if flag.name == name or flag.short == name then return flag end
   end
end

-- What has a flag of this name, or with this letter, if the command has not: "outbox put and list"
local function owner(name, command)
   local flag = command.action and find_flag({ name = command.name }, name)
   if flag then
      local actions = {}
      for action in flag.actions:gmatch("[^ ]+") do actions[#actions + 1] = action end
      return command.name .. " " .. unknown.listed(actions)
   end
   for _, other in ipairs(#name > 1 and flag_table.commands or {}) do
      if other.name ~= command.name and find_flag(other, name) then return other.name end
   end
end

-- What to write in the place of a name that other programs use. -> hint, its flag
local function elsewhere(option)
   local _, known = foreign.find("options", option)
   if not known then return nil end
   local form = forms[known] or tables[known] or ("--%s VALUE"):format(known:gsub("_", "-"))
   return "Use " .. form, form:match("^%-%-([a-z-]+)")
end

local function hint_for(name, command)
   local option = name:gsub("%-", "_")
   if tables[option] then return "Use " .. tables[option] end
   local hint, flag = elsewhere(option)
   if hint and find_flag(command, flag) then return hint end
   local other = owner(name, command) or owner(name:match("^no%-(.+)$") or "", command)
   if other then return "It belongs to lua-smtp " .. other end
   local near = unknown.nearest(name, names_of(command))
   return near and ("Did you mean --%s?"):format(near) or hint or help_of(command)
end

--- Raise the UsageError of a flag that the command does not have.
---@param argument string   as it was written
---@param name string       its name
---@param command table     of flag_table.commands
function unknown_flag.refuse(argument, name, command)
   if argument:find("://", 1, true) and not argument:find("=", 1, true) then
      unknown_flag.refuse_argument(argument, command)
   end
   local positive = name:match("^no%-(.+)$")
   local flag = positive and find_flag(command, positive)
   local hint = not flag and hint_for(name, command)
      or flag.takes and ("--%s takes a value: leave it out"):format(positive)
      or ("Write --no-%s or --%s=no"):format(positive, positive)
   fail(name, ("%s has no flag %s"):format(title_of(command), argument:match("^[^=]*")), hint)
end

--- Raise the UsageError of a letter that is not a flag.
function unknown_flag.refuse_short(letter, argument, command)
   if letter == "=" then
      fail("argument", argument:match("^[^=]*") .. " takes no value",
         "Leave out what follows it, or write its long name, such as --dry-run=no")
   end
   local other = owner(letter, command)
   local near = #argument > 2 and unknown.nearest(argument:sub(2), names_of(command))
   fail(letter, ("%s has no flag -%s"):format(title_of(command), letter),
      other and "It belongs to lua-smtp " .. other or near and ("Did you mean --%s?"):format(near)
      or help_of(command))
end

-- "ID, sent|unsent and": what comes before the flags.
local function words_of(command)
   local words = command.words or {}
   return words[1] and table.concat(words, ", ") .. " and" or "only"
end

--- Raise the UsageError of an argument that is not the value of a flag.
function unknown_flag.refuse_argument(text, command)
   if text:find("://", 1, true) then -- it may contain a password
      fail("url", "a URL is given without --url", "Write --url URL")
   end
   if command.place == "to" then
      fail("argument", ("%q is not an address: it has no @"):format(text),
         "Write a recipient as bob@example.net; a value with blanks needs quotes")
   end
   fail("argument", ("%q is an argument too many"):format(text), ("lua-smtp %s takes %s flags; a "
      .. "value with blanks needs quotes"):format(title_of(command), words_of(command)))
end

--- Raise the UsageError of an action of lua-smtp outbox that there is not.
---@param name string      "": it was left out
---@param actions table   by name
function unknown_flag.refuse_action(name, actions)
   local names = {}
   for known in next, actions do names[#names + 1] = known end
   local near = unknown.nearest(name, names)
   fail("outbox", name == "" and "outbox needs an action"
      or ("outbox has no action %s"):format(name), near and ("Did you mean %s?"):format(near)
      or "Write one of put, run, list, show, retry, cancel, resolve and stats: lua-smtp outbox "
      .. "stats --store FILE")
end

--- The error of a command that there is not.
function unknown_flag.command(name)
   local names = {}
   for i, command in ipairs(flag_table.commands) do names[i] = command.name end
   local near = unknown.nearest(name, names)
   return errors.usage("command", ("there is no command %q"):format(name),
      near and ("Did you mean lua-smtp %s?"):format(near) or "See lua-smtp --help")
end

return unknown_flag
