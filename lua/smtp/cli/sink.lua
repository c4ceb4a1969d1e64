--- lua-smtp sink: receives messages, prints and stores them.
-- @module smtp.cli.sink

local arrivals = require "smtp.cli.arrivals"
local errors = require "smtp.errors"
local readiness = require "smtp.cli.readiness"
local replies = require "smtp.cli.replies"
local secrets = require "smtp.cli.secrets"
local signals = require "smtp.cli.signals"
local sink = require "smtp.sink"
local trace = require "smtp.cli.trace"

-- -> what `serve` takes
local function read_end(options)
   local count, once = options.count, options.once
   options.count, options.once = nil, nil
   if count and not count:find("^[1-9]%d*$") then
      errors.refuse("count", "--count needs a whole number from 1", "Write --count 1", count)
   end
   return { connections = tonumber(count), messages = once and 1 or nil }
end

local function check_tls(options)
   local name = options.tls_cert and "tls_cert" or options.tls_key and "tls_key"
   if options.tls or not name then return end
   errors.refuse(name, name .. " has no effect without --tls",
      "Write --tls starttls or --tls implicit as well")
end

---@param options table   as flags.read gives them
---@param json? boolean
---@return number|nil     exit status
---@return table|nil err
local function run(options, json)
   check_tls(options)
   local announce, limits = readiness.prepare(options, json), read_end(options)
   secrets.read_for_sink(options)
   replies.apply(options)
   options.protocol, options.lmtp = options.lmtp and "lmtp" or nil, nil
   options.trace = options.trace and trace.lines() or nil
   local take, abandon = arrivals.open(options, json)
   options.on_message, options.keep = take, 0
   local server, err = sink.new(options)
   if not server then return nil, err end
   signals.at_end(function()
      abandon()
      server:close()
   end)
   local address, port = server:listen()
   if not address then return nil, port end
   announce(server, address, port)
   server:serve(limits)
   server:close()
   return 0
end

return { run = run }
