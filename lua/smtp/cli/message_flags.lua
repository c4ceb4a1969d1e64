--- The flags of a message as options of smtp.send: files, standard input, headers.
-- @module smtp.cli.message_flags

local errors = require "smtp.errors"
local resources = require "smtp.ground.resources"

local message_flags = {}

local function read_all(path)
   if path == "-" then return io.read("*a") end
   return resources.read_file(path)
end

-- --text-file FILE is text, and so on.
local function read_files(options)
   for flag, option in next, { text_file = "text", html_file = "html", calendar = "calendar" } do
      local path = options[flag]
      options[flag] = nil
      if path then
         local text, why = read_all(path)
         options[option] = text or errors.refuse((flag:gsub("_", "-")),
            why or path .. ": cannot be read", resources.PATH_HINT)
      end
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
         "Write --dkim example.org:2026:/etc/mail/dkim.pem")
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
   if options.raw then
      options.raw = io.read("*a") or errors.refuse("raw",
         "--raw cannot read the message from standard input", "Write … --raw <message.eml")
   end
   if options.one_click then
      options.list_unsubscribe = options.list_unsubscribe or {}
      options.list_unsubscribe.one_click = true
   end
   options.one_click = nil
   read_files(options)
   read_lists(options)
   read_tables(options)
end

return message_flags
