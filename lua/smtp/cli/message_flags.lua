--- The flags of a message as options of smtp.send: files, standard input, headers.
-- @module smtp.cli.message_flags

local errors = require "smtp.errors"
local resources = require "smtp.ground.resources"

local standard_input = resources.late "smtp.cli.standard_input"

local message_flags = {}

-- { flag, option, what it is }
local files = { { "text-file", "text", "the text" }, { "html-file", "html", "the HTML" },
   { "calendar", "calendar", "the invitation" } }

local function refuse(flag, what, hint)
   errors.refuse(flag, what, hint)
end

local function read_file(flag, path, what)
   if path == "-" then return standard_input.read(flag, what) end
   local text, why = resources.read_file(path)
   return text or refuse(flag, ("--%s %s"):format(flag, why or path .. ": cannot be read"),
      resources.PATH_HINT)
end

-- --text-file FILE is text, and so on. Only one of them can read standard input.
local function read_files(options)
   local reader = options.raw and "raw"
   for _, row in ipairs(files) do
      local flag, option = row[1], row[2]
      local key = flag:gsub("%-", "_")
      local path = options[key]
      if path and key ~= option and options[option] then
         refuse(flag, ("--%s and --%s are both given"):format(option, flag), "Keep one of them")
      elseif path == "-" and reader then
         refuse(flag, ("--%s and --%s both read standard input"):format(reader, flag),
            "Give a file to one of them")
      end
      if path == "-" then reader = flag end
      options[key] = nil
      if path then options[option] = read_file(flag, path, row[3]) end
   end
end

-- dsn_notify = … is dsn.notify, and so on.
local tables = { dsn = { notify = "dsn_notify", ret = "dsn_ret", envid = "dsn_envid" },
   envelope = { from = "envelope_from", to = "envelope_to" } }

local function read_tables(options)
   for option, fields in next, tables do
      local value = {}
      for field, flag in next, fields do value[field], options[flag] = options[flag], nil end
      if next(value) ~= nil then options[option] = value end
   end
end

-- By flag: (text, list) adds what a value of the flag means to the list, or the map, of an option.
local readers = {}

function readers.attach(text, list)
   list[#list + 1] = { path = text }
end

function readers.inline(text, list)
   list[#list + 1] = { path = text, cid = text:match("[^/]*$") }
end

function readers.header(text, list)
   local name, value = text:match("^([^:]*): *(.*)$")
   if not name then
      errors.refuse("header", ("--header %q has no colon"):format(text),
         "Write --header \"Name: value\"")
   end
   list[#list + 1] = { name, value }
end

function readers.dkim(text, list)
   local domain, selector, key = text:match("^([^:]+):([^:]+):(.+)$")
   if not domain then
      errors.refuse("dkim", "--dkim needs DOMAIN:SELECTOR:KEYFILE",
         "Write --dkim example.org:2026:/etc/mail/key.pem")
   end
   list[#list + 1] = { domain = domain, selector = selector, key = key }
end

function readers.extension(text, map)
   local keyword, word = text:match("^([^=]+)=(.+)$")
   if not keyword then
      errors.refuse("extension", "--extension needs KEYWORD=WORD",
         "Write --extension chunking=skip")
   end
   map[keyword] = word
end

-- The flags in order, and the options that they add to.
local read_into = { { "inline", "attachments" }, { "attach", "attachments" },
   { "header", "headers" }, { "dkim", "dkim" }, { "extension", "extensions" } }

local function read_lists(options)
   local lists = {}
   for i = 1, #read_into do
      local flag, option = read_into[i][1], read_into[i][2]
      local texts = options[flag]
      options[flag] = nil
      if texts then
         lists[option] = lists[option] or {}
         for j = 1, #texts do readers[flag](texts[j], lists[option]) end
      end
   end
   for option, list in next, lists do options[option] = list end
end

--- Replace the flags of a message that mean something else. Raises a UsageError.
---@param options table   as flags.read gives them
function message_flags.read(options)
   options.raw = options.raw or nil
   if options.raw then options.raw = standard_input.read("raw", "the message") end
   if options.raw == "" then
      refuse("raw", "standard input is empty, but --raw reads the message from it",
         "Give the message on standard input: write <FILE, or a command and |, around these flags")
   end
   if options.one_click then
      local list = options.list_unsubscribe or refuse("one-click",
         "--one-click needs --list-unsubscribe", "Write --list-unsubscribe URI as well")
      list.one_click = true
   end
   options.one_click = nil
   read_files(options)
   read_lists(options)
   read_tables(options)
end

--- The text of a message that has none is on standard input: see standard_input.read_text.
---@param options table   of smtp.send
function message_flags.read_text(options)
   if options.text or options.html or options.calendar or options.raw then return end
   standard_input.read_text(options)
end

--- All of standard input: see standard_input.read.
function message_flags.read_input(name, what)
   return standard_input.read(name, what)
end

return message_flags
