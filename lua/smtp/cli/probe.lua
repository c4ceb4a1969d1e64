--- lua-smtp probe: shows what a server offers, on one port or on all ports for mail.
-- @module smtp.cli.probe

local accounts = require "smtp.cli.accounts"
local core = require "smtp.core"
local errors = require "smtp.errors"
local one_port = require "smtp.cli.one_port"
local ports = require "smtp.cli.ports"
local ports_report = require "smtp.cli.ports_report"
local secrets = require "smtp.cli.secrets"
local trace = require "smtp.cli.trace"

-- The flags that give the secrets, as { "--password-env", "NAME" }.
local function secret_flags(options)
   local list = {}
   for _, name in ipairs { "password_env", "password_file", "token_env", "token_file",
      "proxy_env", "proxy_file", "config" } do
      if options[name] then
         list[#list + 1] = "--" .. name:gsub("_", "-")
         list[#list + 1] = options[name]
      end
   end
   return list
end

-- HOST:PORT with a port that cannot be one.
local function check_port(text)
   local port = text:match("^[^:/@%[]+:([^:/@]*)$") or text:match("^%[[^/@]*%]:([^/@]*)$")
   local number = port and tonumber(port:match("^[0-9]+$"))
   if port and not (number and number >= 1 and number <= 65535) then
      errors.refuse("port", ("the port %q is not a number from 1 to 65535"):format(port),
         "Write HOST:587, or HOST for the usual ports")
   end
end

-- Puts the place that the argument names among the options.
local function read_place(options)
   local text = options.place
   options.place = nil
   if not text then return end
   if text:find("^[0-9]+$") then
      errors.refuse("place", ("the place %q is a number, and not the name or the address of a "
         .. "server"):format(text), ("%s is a port? Write localhost:%s"):format(text, text))
   end
   local named = ports.place(text)
   if not named then
      check_port(text)
      options.url = text:find("://", 1, true) and text or "smtp://" .. text
      return
   end
   for name, value in next, named do
      if options[name] ~= nil and options[name] ~= value then
         errors.refuse(name, ("the %s is given twice"):format(name), "Leave --" .. name .. " out")
      end
      options[name] = value
   end
end

local function has_port(options)
   return options.url or options.port or options.socket or options.protocol == "lmtp"
end

-- All ports are looked at on one host.
local function check_one_host(options)
   if type(options.host) == "table" then
      errors.refuse("host", "several hosts are given, but no port",
         "Give --port as well, or one --host to look at all ports")
   end
end

---@param options table   as flags.read gives them
---@param json? boolean
---@return number|nil     exit status
---@return table|nil err
local function run(options, json)
   read_place(options)
   local is_traced, flags = options.trace, secret_flags(options)
   options.trace = nil
   local account = accounts.apply(options)
   if account then
      flags[#flags + 1], flags[#flags + 2] = "--account", account.name
      options.from = nil
   end
   secrets.read(options, account)
   local secret = options.password and "password" or options.token and "token" or nil
   if has_port(options) then
      options.observe = is_traced and trace.new() or nil
      return one_port.run(options, flags, secret, json)
   end
   check_one_host(options)
   local began = core.now()
   options.observer = is_traced and function(label)
      return trace.new { label = label, began = began }
   end or nil
   local survey, err = ports.survey(options)
   if not survey then return nil, err end
   return ports_report.print(survey, err, flags, secret, json)
end

return { run = run }
