--- lua-smtp sink: receives messages, and prints them.
-- @module smtp.cli.sink

local errors = require "smtp.errors"
local output = require "smtp.cli.output"
local secrets = require "smtp.cli.secrets"
local signals = require "smtp.cli.signals"
local sink = require "smtp.sink"
local trace = require "smtp.cli.trace"

local function show(message)
   output.say(("--- from <%s> to <%s>%s%s"):format(message.from, table.concat(message.to, ">, <"),
      message.authenticated and ", authenticated as " .. message.authenticated or "",
      message.tls and ", over TLS" or ", in clear text"))
   io.write(output.shown((message.data:gsub("\r\n", "\n"))))
   output.say("---")
   io.stdout:flush()
end

local function show_json(message)
   output.say(output.json(message))
   io.stdout:flush()
end

local function show_place(server, address, port, json)
   if json then
      output.say(output.json { address = address, port = port, tls_ca_file = server.tls_ca_file })
   else
      output.say("listening on " .. address .. (port and ":" .. port or ""))
      if server.tls_ca_file then output.say("trust " .. server.tls_ca_file) end
   end
   io.stdout:flush()
end

---@param options table   as flags.read gives them
---@param json? boolean
---@return number|nil     exit status
---@return table|nil err
local function run(options, json)
   local count = options.count
   options.count = nil
   secrets.read_for_sink(options)
   options.protocol, options.lmtp = options.lmtp and "lmtp" or nil, nil
   options.trace = options.trace and trace.lines() or nil
   options.on_message, options.keep = json and show_json or show, 0
   if count and not count:find("^[1-9]%d*$") then
      errors.refuse("count", "--count needs a whole number from 1", "Write --count 1", count)
   end
   local server, err = sink.new(options)
   if not server then return nil, err end
   signals.at_end(function() server:close() end)
   local address, port = server:listen()
   if not address then return nil, port end
   show_place(server, address, port, json)
   server:serve { connections = tonumber(count) }
   server:close()
   return 0
end

return { run = run }
