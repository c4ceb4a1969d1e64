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

local function wrong(name, what, hint)
   return nil, errors.usage(name, ("--%s %s"):format(name:gsub("_", "-"), what), hint)
end

local function check_flag(name, equals)
   if tables[name] then return wrong(name, "is no flag", "Use " .. tables[name]) end
   if switches[name] and equals == "=" then
      return wrong(name, "takes no value", "Leave it out where it is not wanted")
   end
   return true
end

-- "--name", "--name=value" -> "name", "=" or "", "value" or "" | nil, err
local function split(argument)
   local name, equals, value = argument:match("^%-%-([A-Za-z0-9-]+)(=?)(.*)$")
   if not name or equals == "" and value ~= "" then
      return nil, errors.usage(argument, ("%q is no option"):format(argument), "See --help")
   end
   name = name:gsub("%-", "_")
   local ok, err = check_flag(name, equals)
   if not ok then return nil, err end
   return name, equals, value
end

local function add(options, name, value)
   if switches[name] then
      options[name] = true
   elseif lists[name] then
      options[name] = options[name] or {}
      options[name][#options[name] + 1] = value
   else
      options[name] = value
   end
end

--- Read the arguments from args[from] to the last one.
---@return table|nil options   by name, with _ for -
---@return table|nil err
function flags.read(args, from)
   local options, i = {}, from
   while i <= #args do
      local name, equals, value = split(args[i])
      if not name then return nil, equals end
      if not switches[name] and equals == "" then
         i = i + 1
         value = args[i]
         if value == nil then return wrong(name, "wants a value") end
      end
      add(options, name, value)
      i = i + 1
   end
   return options
end

-- ---- what some flags mean ----

local function read_all(path)
   if path == "-" then return io.read("*a") end
   return resources.read_file(path)
end

-- --text-file FILE is text, and so on. -> true | nil, err
local function read_files(options)
   for flag, option in next, { text_file = "text", html_file = "html", calendar = "calendar" } do
      local path = options[flag]
      options[flag] = nil
      if path then
         local text, why = read_all(path)
         if not text then return nil, errors.usage(flag, why or path .. ": cannot be read") end
         options[option] = text
      end
   end
   return true
end

local function read_headers(options)
   if not options.header then return true end
   options.headers = {}
   for i = 1, #options.header do
      local name, value = options.header[i]:match("^([^:]*): *(.*)$")
      if not name then
         return nil, errors.usage("header", ("--header %q has no colon"):format(options.header[i]),
            "Write --header \"Name: value\"")
      end
      options.headers[i] = { name, value }
   end
   options.header = nil
   return true
end

local function read_dkim(options)
   for i = 1, #(options.dkim or {}) do
      local domain, selector, key = options.dkim[i]:match("^([^:]+):([^:]+):(.+)$")
      if not domain then
         return nil, errors.usage("dkim", "--dkim wants DOMAIN:SELECTOR:KEYFILE")
      end
      options.dkim[i] = { domain = domain, selector = selector, key = key }
   end
   return true
end

local function read_dsn(options)
   local dsn = { notify = options.dsn_notify, ret = options.dsn_ret, envid = options.dsn_envid }
   options.dsn_notify, options.dsn_ret, options.dsn_envid = nil, nil, nil
   if next(dsn) ~= nil then options.dsn = dsn end
end

local function read_extensions(options)
   for i = 1, #(options.extension or {}) do
      local keyword, word = options.extension[i]:match("^([^=]+)=(.+)$")
      if not keyword then
         return nil, errors.usage("extension", "--extension wants KEYWORD=WORD")
      end
      options.extensions = options.extensions or {}
      options.extensions[keyword] = word
   end
   options.extension = nil
   return true
end

--- Replace the flags of a message that mean something else: files, standard input, headers.
---@param options table   as flags.read gives them
---@return boolean|nil ok
---@return table|nil err
function flags.read_message(options)
   if options.raw then
      options.raw = io.read("*a")
      if not options.raw then return wrong("raw", "finds no standard input that can be read") end
   end
   for i = 1, #(options.attach or {}) do options.attach[i] = { path = options.attach[i] } end
   options.attachments, options.attach = options.attach, nil
   if options.one_click then
      options.list_unsubscribe = options.list_unsubscribe or {}
      options.list_unsubscribe.one_click = true
   end
   options.one_click = nil
   local ok, err = read_files(options)
   if ok then ok, err = read_headers(options) end
   if ok then ok, err = read_dkim(options) end
   if ok then ok, err = read_extensions(options) end
   read_dsn(options)
   return ok, err
end

return flags
