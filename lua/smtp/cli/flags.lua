--- The arguments of the command as options.
-- @module smtp.cli.flags

local errors = require "smtp.errors"
local resources = require "smtp.ground.resources"

local flags = {}

local switches = { trace = true, json = true, raw = true, help = true, one_click = true,
   auth_plaintext = true, requiretls = true, lmtp = true, strict = true }
local lists = { to = true, cc = true, bcc = true, auth_mechanisms = true, attach = true,
   header = true, references = true, list_unsubscribe = true, dkim = true, dsn_notify = true,
   extension = true }

-- Options that are tables, and what there is in their place.
local tables = { attachments = "--attach FILE", headers = "--header \"Name: value\"",
   extensions = "--extension KEYWORD=WORD", dsn = "--dsn-notify, --dsn-ret and --dsn-envid" }

local function refuse_flag(name, what, hint)
   errors.refuse(name, ("--%s %s"):format(name:gsub("_", "-"), what), hint)
end

-- "--name", "--name=value" -> "name", "=" or "", "value" or ""
local function split(argument)
   local name, equals, value = argument:match("^%-%-([A-Za-z0-9-]+)(=?)(.*)$")
   if not name or equals == "" and value ~= "" then
      errors.refuse(argument, ("%q is not an option"):format(argument), "See --help")
   end
   name = name:gsub("%-", "_")
   if tables[name] then refuse_flag(name, "is not a flag", "Use " .. tables[name]) end
   if switches[name] and equals == "=" then
      refuse_flag(name, "takes no value", "Leave it out to switch it off")
   end
   return name, equals, value
end

--- Read the arguments from args[from] to the last one. Raises a UsageError.
---@return table options   by name, with _ for -
function flags.read(args, from)
   local options, i = {}, from
   while i <= #args do
      local name, equals, value = split(args[i])
      if switches[name] then
         value = true
      elseif equals == "" then
         i = i + 1
         value = args[i] or refuse_flag(name, "needs a value")
      end
      if lists[name] then
         options[name] = options[name] or {}
         table.insert(options[name], value)
      else
         options[name] = value
      end
      i = i + 1
   end
   return options
end

-- ---- what some flags mean ----

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
         options[option] = text or errors.refuse(flag, why or path .. ": cannot be read")
      end
   end
end

local function read_dsn(options)
   local dsn = { notify = options.dsn_notify, ret = options.dsn_ret, envid = options.dsn_envid }
   options.dsn_notify, options.dsn_ret, options.dsn_envid = nil, nil, nil
   if next(dsn) ~= nil then options.dsn = dsn end
end

-- By flag: (text, list) adds what a value of the flag means to the list, or the map, of an option.
local readers = {}

function readers.attach(text, list)
   list[#list + 1] = { path = text }
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
   if not domain then errors.refuse("dkim", "--dkim wants DOMAIN:SELECTOR:KEYFILE") end
   list[#list + 1] = { domain = domain, selector = selector, key = key }
end

function readers.extension(text, map)
   local keyword, word = text:match("^([^=]+)=(.+)$")
   if not keyword then errors.refuse("extension", "--extension wants KEYWORD=WORD") end
   map[keyword] = word
end

local read_into = { attach = "attachments", header = "headers", dkim = "dkim",
   extension = "extensions" }

--- Replace the flags of a message that mean something else: files, standard input, headers. Raises
-- a UsageError.
---@param options table   as flags.read gives them
function flags.read_message(options)
   if options.raw then
      options.raw = io.read("*a") or refuse_flag("raw", "finds no standard input that can be read")
   end
   if options.one_click then
      options.list_unsubscribe = options.list_unsubscribe or {}
      options.list_unsubscribe.one_click, options.one_click = true, nil
   end
   read_files(options)
   for flag, option in next, read_into do
      local texts, values = options[flag], {}
      for i = 1, #(texts or {}) do readers[flag](texts[i], values) end
      options[flag] = nil
      if texts then options[option] = values end
   end
   read_dsn(options)
end

return flags
