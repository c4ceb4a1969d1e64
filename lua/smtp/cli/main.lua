--- The command lua-smtp.
-- @module smtp.cli.main

local errors = require "smtp.errors"
local flags = require "smtp.cli.flags"
local output = require "smtp.cli.output"
local safe = require "smtp.safe"
local secrets = require "smtp.cli.secrets"
local sending = require "smtp.cli.sending"
local signals = require "smtp.cli.signals"
local sink = require "smtp.sink"

local usage = [[
lua-smtp send [options]        send one message
lua-smtp probe URL [options]   tell what a server offers, send nothing
lua-smtp sink [options]        receive messages and print them
lua-smtp --version

send: the options of smtp.send, with - for _
   --host NAME --port N --socket PATH --url URL --protocol smtp|lmtp
   --service gmail|microsoft365|ses:REGION|...: host, port and tls of a provider
   --tls require|prefer|skip|implicit --tls-ca-file FILE --tls-host NAME
   --auth require|prefer|skip --username NAME --password-env VARIABLE --password-file FILE
   --token-env VARIABLE --token-file FILE --auth-mechanisms NAME (again for each)
   With a user and without a password or token, the command asks for it at the terminal. Other users
   of this machine can see --password, --token and a password in --url
   --tls-cert FILE --tls-key FILE
   --from ADDRESS --to ADDRESS (again for each) --cc --bcc --reply-to --sender
   --subject TEXT --text TEXT --html TEXT; --text-file, --html-file, --calendar FILE (- is standard
   input) --attach FILE (again for each) --header "Name: value" (again for each)
   --priority high|normal|low --message-id --in-reply-to --references ID (again for each)
   --list-unsubscribe URI (again for each) --one-click
   --dkim DOMAIN:SELECTOR:KEYFILE (again for each)
   --raw             the whole message comes from standard input
   --dsn-notify never|success|failure|delay (again for each) --dsn-ret full|hdrs --dsn-envid TEXT
   --requiretls --deliver-by SECONDS --hold-for SECONDS --hold-until DATE --mt-priority -9..9
   --extension KEYWORD=require|prefer|skip (again for each)
   --domain NAME --timeout SECONDS --pipelining safe|eager|off
   --trace           show the dialogue on standard error
   --json            print the receipt or the error as JSON
   On a terminal a large message has a progress bar.

probe: HOST:PORT, smtp://HOST:PORT or smtps://HOST:PORT; the options of send from --host to
   --tls-key, --domain, --timeout, --trace and --json. Credentials are tried where they are given

sink:
   --host ADDRESS --port N --socket PATH --lmtp
   --tls starttls|implicit --tls-cert FILE --tls-key FILE
   --user NAME --password-env VARIABLE   offer AUTH for this user; also --password-file FILE
   --strict          refuse blanks after MAIL FROM: and commands that end in a bare LF
   --count N         end after N connections
   --trace           show the dialogue on standard error
   --json            print where it listens, each message and errors as JSON, one line each

exit status: 0 sent (probe: nothing prevents sending), 64 usage, 65 sender or message refused, or
its source failed, 67 no recipient accepted, 68 host unknown, 69 server cannot be reached, refuses
the connection, or lacks what was required, 70 any other failure, 74 connection lost, 75 try again
later, 76 protocol or TLS, 77 not permitted (authentication, sender, this machine), 130 interrupted
by Ctrl-C, 143 ended by SIGTERM
]]

-- The exit status of each class of errors (sysexits.h). The first class that fits counts.
local statuses = {
   { "usage", 64 }, { "source", 65 }, { "message_too_large", 65 }, { "data_refused", 65 },
   { "recipients_refused", 67 }, { "sender_refused", 65 }, { "resolve", 68 },
   { "not_supported", 69 }, { "auth", 77 }, { "tls", 76 }, { "protocol", 76 },
   { "timeout", 75 }, { "connect", 69 }, { "disconnected", 74 }, { "reply", 69 },
}

local function status_of(err)
   if err.temporary then return 75 end
   if err.kind == "recipients_refused" and (err.concerns or "recipient") ~= "recipient" then
      return 77 -- EX_NOPERM: the recipients are not at fault, as they are with EX_NOUSER
   end
   for i = 1, #statuses do
      if errors.is(err, statuses[i][1]) then return statuses[i][2] end
   end
   return 70
end

local function fail(err, json)
   if json then
      output.say(output.json { error = tostring(err), kind = err.kind, reason = err.reason,
         concerns = err.concerns, stage = err.stage, code = err.code, enhanced = err.enhanced,
         text = err.text,
         sent = err.sent, retry = err.retry, temporary = err.temporary, hint = err.hint,
         host = err.host, port = err.port, option = err.option, recipients = err.recipients })
   else
      output.say(tostring(err), io.stderr)
   end
   return status_of(err)
end

local closing = {} -- functions that remove what an interrupted command would leave

-- ---- the commands: (options, json) -> exit status | nil, err ----

local commands = {}

local function show_receipt(receipt)
   for _, one in ipairs(receipt.recipients) do
      output.say(("%s: %s%s"):format(one.address, one.state,
         one.state ~= "accepted" and one.text and " (" .. one.text .. ")" or ""))
   end
   output.say(("%s %s"):format(receipt.reply.code, receipt.reply.text))
end

function commands.send(options, json)
   secrets.read(options)
   flags.read_message(options)
   local observe, finish = sending.watch(not options.trace)
   options.observe, closing[#closing + 1] = observe, finish
   local receipt, err = safe.send(options)
   finish(receipt ~= nil)
   if not receipt then return nil, err end
   if json then output.say(output.json(receipt)) else show_receipt(receipt) end
   return 0
end

function commands.probe(options, json)
   secrets.read(options)
   local report, err = safe.probe(options)
   if not report then return nil, err end
   if json then output.say(output.json(report)) else output.show_report(report) end
   local first = report.warnings[1]
   if not first or first.kind == "warning" or first.kind == "remark" then return 0 end
   return status_of(errors.new(first.kind, { retry = first.temporary and "later" }))
end

-- ---- the sink ----

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

local function show_line(direction, line)
   output.say(direction .. ": " .. line, io.stderr)
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

function commands.sink(options, json)
   local count = options.count
   options.count = nil
   secrets.read_for_sink(options)
   if options.lmtp then options.protocol, options.lmtp = "lmtp", nil end
   options.trace = options.trace and show_line or nil
   options.on_message, options.keep = json and show_json or show, 0
   if count and not count:find("^[1-9]%d*$") then
      errors.refuse("count", "--count needs a whole number from 1", "Write --count 1", count)
   end
   local server, err = sink.new(options)
   if not server then return nil, err end
   closing[#closing + 1] = function() server:close() end
   local address, port = server:listen()
   if not address then return nil, port end
   show_place(server, address, port, json)
   server:serve { connections = tonumber(count) }
   server:close()
   return 0
end

-- ---- the command line ----

local function show_usage()
   io.write(usage)
   return 0
end

local function has_json(args)
   for i = 1, #args do
      if args[i] == "--json" then return true end
   end
   return false
end

-- The URL in `probe URL`, nil where there is none.
local function url_of(args)
   local place = args[1] == "probe" and args[2]
   if not place or place:find("^%-") then return nil end
   return place:find("://", 1, true) and place or "smtp://" .. place
end

--- Run the command.
---@param args table   the arguments
---@return number      exit status
local function main(args)
   local name = args[1] or ""
   if name == "--help" or name == "help" then return show_usage() end
   if name == "--version" then
      output.say("lua-smtp " .. safe._VERSION)
      return 0
   end
   local command = commands[name]
   if not command then
      if name ~= "" then io.stderr:write(("smtp: there is no command %q"):format(name), "\n") end
      io.stderr:write(usage)
      return 64
   end
   local url = url_of(args)
   local options, wrong = errors.returning(flags.read)(args, url and 3 or 2)
   if not options then return fail(wrong, has_json(args)) end
   if options.help then return show_usage() end
   local json = options.json
   options.url, options.json = url or options.url, nil
   return signals.run(function()
      local status, err = errors.returning(command)(options, json)
      return status or fail(err, json)
   end, closing)
end

return { main = main }
