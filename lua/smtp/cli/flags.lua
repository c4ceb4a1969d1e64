--- The arguments of the command as options.
-- @module smtp.cli.flags

local errors = require "smtp.errors"
local foreign = require "smtp.options.foreign"
local names = require "smtp.options.names"
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

-- How the command takes an option for which other programs have another name; for all others,
-- --NAME VALUE.
local forms = {
   password = "--password-env VARIABLE or --password-file FILE",
   token = "--token-env VARIABLE or --token-file FILE",
   text = "--text TEXT or --text-file FILE", html = "--html TEXT or --html-file FILE",
   tls = "--tls implicit (TLS from the first byte, port 465), --tls require (STARTTLS, port 587) "
      .. "or --tls skip",
   raw = "--raw, with the message on standard input", trace = "--trace",
   auth_plaintext = "--auth-plaintext", attachments = tables.attachments,
   headers = tables.headers, extensions = tables.extensions, dsn = tables.dsn,
   envelope = "--from ADDRESS and --to ADDRESS", protocol = "--protocol lmtp",
   tls_verify = "--tls-ca-file FILE",
}

local others = { help = true, json = true, attach = true, header = true, extension = true,
   password_env = true, password_file = true, token_env = true, token_file = true, count = true,
   text_file = true, html_file = true, dsn_notify = true, dsn_ret = true, dsn_envid = true }

-- What other programs call this flag is refused with the name here.
local function check_name(name)
   if others[name] or switches[name] or lists[name] then return end
   if names.connection.by_name[name] or names.message.by_name[name] then return end
   local hint, option = foreign.find("options", name)
   if not hint then return end
   local dashed = option and option:gsub("_", "-")
   errors.refuse(name, ("there is no option --%s"):format(name:gsub("_", "-")),
      not option and "See --help"
      or "Use " .. (forms[option] or ("--%s VALUE"):format(dashed)))
end

local function refuse_flag(name, what, hint)
   errors.refuse(name, ("--%s %s"):format(name:gsub("_", "-"), what), hint)
end

-- "--name", "--name=value" -> "name", "=" or "", "value" or ""
local function split(argument)
   local name, equals, value = argument:match("^%-%-([A-Za-z0-9-]+)(=?)(.*)$")
   if not name or equals == "" and value ~= "" then
      if argument:find("://", 1, true) then -- it may contain a password
         errors.refuse("url", "a URL is given without --url", "Write --url URL")
      end
      errors.refuse(argument, ("%q is not an option"):format(argument), "See --help")
   end
   name = name:gsub("%-", "_")
   if tables[name] then refuse_flag(name, "is not a flag", "Use " .. tables[name]) end
   check_name(name)
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
         value = args[i] or refuse_flag(name, "needs a value",
            ("Write --%s VALUE"):format(name:gsub("_", "-")))
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
         options[option] = text or errors.refuse(flag, why or path .. ": cannot be read",
            resources.PATH_HINT)
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

local read_into = { attach = "attachments", header = "headers", dkim = "dkim",
   extension = "extensions" }

--- Replace the flags of a message that mean something else: files, standard input, headers. Raises
-- a UsageError.
---@param options table   as flags.read gives them
function flags.read_message(options)
   if options.raw then
      options.raw = io.read("*a") or refuse_flag("raw",
         "cannot read the message from standard input", "Write … --raw <message.eml")
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
