--- The arguments of the command as options.
-- @module smtp.cli.flags

local errors = require "smtp.errors"
local resources = require "smtp.ground.resources"

local cli_flags = {}

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

--- args[from] and all behind it.
---@return table|nil flags   as options, with _ for -
---@return table|nil err
function cli_flags.read(args, from)
   local flags, i = {}, from
   while i <= #args do
      local name, equals, value = args[i]:match("^%-%-([A-Za-z0-9-]+)(=?)(.*)$")
      if not name or equals == "" and value ~= "" then
         return nil, errors.usage(args[i], ("%q is no option"):format(args[i]), "See --help")
      end
      name = name:gsub("%-", "_")
      local ok, err = check_flag(name, equals)
      if not ok then return nil, err end
      if not switches[name] and equals == "" then
         i = i + 1
         value = args[i]
         if value == nil then return wrong(name, "wants a value") end
      end
      if switches[name] then
         flags[name] = true
      elseif lists[name] then
         flags[name] = flags[name] or {}
         flags[name][#flags[name] + 1] = value
      else
         flags[name] = value
      end
      i = i + 1
   end
   return flags
end

-- ---- what some flags stand for ----

local function read_all(path)
   if path == "-" then return io.read("*a") end
   return resources.read_file(path)
end

-- --text-file FILE is text, and so on. -> true | nil, err
local function read_files(flags)
   for flag, option in next, { text_file = "text", html_file = "html", calendar = "calendar" } do
      local path = flags[flag]
      flags[flag] = nil
      if path then
         local text, why = read_all(path)
         if not text then return nil, errors.usage(flag, why or path .. ": cannot be read") end
         flags[option] = text
      end
   end
   return true
end

local function read_headers(flags)
   if not flags.header then return true end
   flags.headers = {}
   for i = 1, #flags.header do
      local name, value = flags.header[i]:match("^([^:]*): *(.*)$")
      if not name then
         return nil, errors.usage("header", ("--header %q has no colon"):format(flags.header[i]),
            "Write --header \"Name: value\"")
      end
      flags.headers[i] = { name, value }
   end
   flags.header = nil
   return true
end

local function read_dkim(flags)
   for i = 1, #(flags.dkim or {}) do
      local domain, selector, key = flags.dkim[i]:match("^([^:]+):([^:]+):(.+)$")
      if not domain then
         return nil, errors.usage("dkim", "--dkim wants DOMAIN:SELECTOR:KEYFILE")
      end
      flags.dkim[i] = { domain = domain, selector = selector, key = key }
   end
   return true
end

local function read_dsn(flags)
   local dsn = { notify = flags.dsn_notify, ret = flags.dsn_ret, envid = flags.dsn_envid }
   flags.dsn_notify, flags.dsn_ret, flags.dsn_envid = nil, nil, nil
   if next(dsn) ~= nil then flags.dsn = dsn end
end

local function read_extensions(flags)
   for i = 1, #(flags.extension or {}) do
      local keyword, word = flags.extension[i]:match("^([^=]+)=(.+)$")
      if not keyword then
         return nil, errors.usage("extension", "--extension wants KEYWORD=WORD")
      end
      flags.extensions = flags.extensions or {}
      flags.extensions[keyword] = word
   end
   flags.extension = nil
   return true
end

--- What some flags of a message stand for, in their place: files, standard input, headers.
---@return boolean|nil ok
---@return table|nil err
function cli_flags.read_message(flags)
   if flags.raw then
      flags.raw = io.read("*a")
      if not flags.raw then return wrong("raw", "finds no standard input that can be read") end
   end
   for i = 1, #(flags.attach or {}) do flags.attach[i] = { path = flags.attach[i] } end
   flags.attachments, flags.attach = flags.attach, nil
   if flags.one_click then
      flags.list_unsubscribe = flags.list_unsubscribe or {}
      flags.list_unsubscribe.one_click = true
   end
   flags.one_click = nil
   local ok, err = read_files(flags)
   if ok then ok, err = read_headers(flags) end
   if ok then ok, err = read_dkim(flags) end
   if ok then ok, err = read_extensions(flags) end
   read_dsn(flags)
   return ok, err
end

return cli_flags
