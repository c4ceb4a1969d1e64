--- The command lua-smtp.
-- @module smtp.cli

local errors = require "smtp.errors"
local progress = require "smtp.progress"
local safe = require "smtp.safe"
local sink = require "smtp.sink"

local cli = {}

local usage = [[
lua-smtp send [options]        send one message
lua-smtp probe URL [options]   tell what a server offers, send nothing
lua-smtp sink [options]        receive messages and print them
lua-smtp --version

send: the options of smtp.send, with - for _
   --host NAME --port N --socket PATH --url URL --protocol smtp|lmtp
   --tls WORD --tls-ca-file FILE --tls-host NAME
   --auth require|prefer|skip --username NAME --password-env VARIABLE --password-file FILE
   --token-env VARIABLE --token-file FILE --auth-mechanisms NAME (again for each)
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
   --user NAME --password-env VARIABLE   offer AUTH for this user
   --count N         end after N connections
   --trace           show the dialogue on standard error

exit status: 0 sent (probe: nothing stood in the way), 64 usage, 65 message refused, 67 no
recipient accepted, 68 host unknown, 69 server lacks what was required, 74 connection lost,
75 try again later, 76 protocol or TLS, 77 not permitted (authentication)
]]

-- sysexits.h; the first class that fits
local statuses = {
   { "usage", 64 }, { "source", 65 }, { "message_too_large", 65 }, { "data_refused", 65 },
   { "recipients_refused", 67 }, { "sender_refused", 65 }, { "resolve", 68 },
   { "not_supported", 69 }, { "auth", 77 }, { "tls", 76 }, { "protocol", 76 },
   { "timeout", 75 }, { "connect", 69 }, { "disconnected", 74 }, { "reply", 69 },
}

local function status_of(err)
   if err.temporary then return 75 end
   for i = 1, #statuses do
      if errors.is(err, statuses[i][1]) then return statuses[i][2] end
   end
   return 70
end

-- ---- JSON, enough for receipts and errors ----

local escapes = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function quote(text)
   return '"' .. text:gsub('[%z\1-\31\\"\127]', function(c)
      return escapes[c] or ("\\u%04x"):format(c:byte())
   end) .. '"'
end

local function encode(value)
   local kind = type(value)
   if kind == "string" then return quote(value) end
   if kind == "number" and value % 1 == 0 then return ("%d"):format(value) end
   if kind == "number" then return (("%.6f"):format(value):gsub(",", ".")) end
   if kind ~= "table" then return kind == "boolean" and tostring(value) or "null" end
   local parts = {}
   if #value > 0 or next(value) == nil then
      for i = 1, #value do parts[i] = encode(value[i]) end
      return "[" .. table.concat(parts, ",") .. "]"
   end
   local names = {}
   for name in next, value do names[#names + 1] = tostring(name) end
   table.sort(names)
   for i = 1, #names do parts[i] = quote(names[i]) .. ":" .. encode(value[names[i]]) end
   return "{" .. table.concat(parts, ",") .. "}"
end

-- ---- flags ----

local switches = { trace = true, json = true, raw = true, help = true, one_click = true,
   auth_plaintext = true, requiretls = true, lmtp = true }
local lists = { to = true, cc = true, bcc = true, auth_mechanisms = true, attach = true,
   header = true, references = true, list_unsubscribe = true, dkim = true, dsn_notify = true,
   extension = true }

local function read_flags(args, from)
   local flags, i = {}, from
   while i <= #args do
      local name, value = args[i]:match("^%-%-([%w-]+)=?(.*)$")
      if not name then
         return nil, errors.usage(args[i], ("%q is no option"):format(args[i]), "See --help")
      end
      name = name:gsub("%-", "_")
      if not switches[name] and value == "" then
         i = i + 1
         value = args[i]
         if value == nil then return nil, errors.usage(name, "--" .. name .. " wants a value") end
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
   local file, why = io.open(path, "rb")
   if not file then return nil, why end
   local text
   text, why = file:read("*a")
   file:close()
   return text, why
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

local function read_message(flags)
   if flags.raw then flags.raw = io.read("*a") end
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

-- ---- secrets ----

local function read_line(path)
   local file, why = io.open(path, "r")
   if not file then return nil, why end
   local line = file:read("*l")
   file:close()
   return line or ""
end

-- A secret among the arguments can be read by everybody on the machine: it comes by a variable or a
-- file. -> true | nil, err
local function read_secret(flags, name)
   local by_env, by_file = flags[name .. "_env"], flags[name .. "_file"]
   flags[name .. "_env"], flags[name .. "_file"] = nil, nil
   if flags[name] then
      return nil, errors.usage(name, ("a %s as an argument is visible to everybody here")
         :format(name), ("Use --%s-env VARIABLE or --%s-file FILE"):format(name, name))
   end
   local why
   if by_env then
      flags[name] = os.getenv(by_env)
      why = "the variable " .. by_env .. " is not set"
   elseif by_file then
      flags[name], why = read_line(by_file)
   end
   if (by_env or by_file) and not flags[name] then return nil, errors.usage(name, why) end
   return true
end

local function fail(err, json)
   if json then
      print(encode { error = tostring(err), kind = err.kind, reason = err.reason, stage = err.stage,
         code = err.code, enhanced = err.enhanced, text = err.text, sent = err.sent,
         retry = err.retry, hint = err.hint, recipients = err.recipients })
   else
      io.stderr:write(tostring(err), "\n")
   end
   return status_of(err)
end

-- ---- the commands ----

local function send(flags)
   local json = flags.json
   flags.json = nil
   local ok, err = read_secret(flags, "password")
   if ok then ok, err = read_secret(flags, "token") end
   if ok then ok, err = read_message(flags) end
   if not ok then return fail(err, json) end
   local receipt, finish
   if not flags.trace then flags.trace, finish = progress.of_message() end
   receipt, err = safe.send(flags)
   if finish then finish() end
   if not receipt then return fail(err, json) end
   if json then
      print(encode(receipt))
      return 0
   end
   for _, one in ipairs(receipt.recipients) do
      print(("%s: %s%s"):format(one.address, one.state,
         one.state ~= "accepted" and one.text and " (" .. one.text .. ")" or ""))
   end
   print(("%s %s"):format(receipt.reply.code, receipt.reply.text))
   return 0
end

-- ---- the report of probe, for people ----

local function row(name, text)
   if text and text ~= "" then print(("   %-13s %s"):format(name, text)) end
end

local function sorted(map, join)
   local list = {}
   for name, value in next, map do list[#list + 1] = join(name, value) end
   table.sort(list)
   return table.concat(list, ", ")
end

local function show_offer(name, offered)
   if not offered then return end
   local text = sorted(offered.capabilities, function(keyword, parameters)
      return parameters == "" and keyword or keyword .. " " .. parameters
   end)
   row(name, text ~= "" and text or "nothing")
end

local function show_tls(tls)
   local list = { tls.state }
   if tls.state == "on" then
      list[#list + 1] = tls.version
      list[#list + 1] = tls.cipher
      list[#list + 1] = tls.verified and "verified" or "not verified"
   end
   list[#list + 1] = tls.reason
   row("TLS", table.concat(list, ", "))
   local found = tls.certificate
   if not found then return end
   row("certificate", found.subject)
   row("  issuer", found.issuer)
   row("  for", table.concat(found.names, ", "))
   row("  valid", ("%s to %s (%s)"):format(found.not_before, found.not_after,
      found.days_left < 0 and "over" or found.days_left .. " days left"))
   row("  key_pin", found.key_pin)
end

local function show_auth(auth)
   local text = auth.state .. (auth.mechanism and " by " .. auth.mechanism or "")
   row("AUTH", text .. (auth.reason and ", " .. auth.reason or ""))
   for _, name in ipairs(auth.offered) do
      local usable = auth.usable[name]
      row("  " .. name, usable == true and "can be used" or usable)
   end
end

local function durations(seconds)
   local list = {}
   for _, name in ipairs { "connect", "greeting", "tls", "ehlo", "total" } do
      if seconds[name] then list[#list + 1] = ("%s %.3f"):format(name, seconds[name]) end
   end
   return table.concat(list, ", ")
end

local function show_report(report)
   print((report.socket or report.host .. ":" .. report.port)
      .. (report.address and " (" .. report.address .. ")" or ""))
   row("greeting", (report.greeting:gsub("\n", " / ")))
   show_offer("before TLS", report.before_tls)
   show_tls(report.tls)
   show_offer("after TLS", report.after_tls)
   show_auth(report.auth)
   row("seconds", durations(report.seconds))
   row("use", sorted(report.options, function(name, value)
      return name .. " = " .. (type(value) == "string" and quote(value) or tostring(value))
   end))
   for _, one in ipairs(report.warnings) do
      print(("%s: %s. %s"):format(one.kind == "remark" and "remark" or "warning", one.text,
         one.hint and one.hint .. "." or ""))
   end
end

local function run_probe(flags)
   local json = flags.json
   flags.json = nil
   local ok, err = read_secret(flags, "password")
   if ok then ok, err = read_secret(flags, "token") end
   if not ok then return fail(err, json) end
   local report
   report, err = safe.probe(flags)
   if not report then return fail(err, json) end
   if json then print(encode(report)) else show_report(report) end
   local first = report.warnings[1]
   if not first or first.kind == "warning" or first.kind == "remark" then return 0 end
   return status_of(errors.new(first.kind, { retry = first.temporary and "later" }))
end

-- ---- the sink ----

local function show(message)
   print(("--- from <%s> to <%s>%s%s"):format(message.from, table.concat(message.to, ">, <"),
      message.authenticated and ", authenticated as " .. message.authenticated or "",
      message.tls and ", over TLS" or ", in clear text"))
   io.write((message.data:gsub("\r\n", "\n")))
   print("---")
   io.stdout:flush()
end

local function run_sink(flags)
   local ok, err = read_secret(flags, "password")
   if not ok then return fail(err) end
   if flags.user then
      if not flags.password then
         return fail(errors.usage("user", "--user wants --password-env or --password-file"))
      end
      flags.auth, flags.require_auth = { users = { [flags.user] = flags.password } }, true
   end
   flags.password = nil
   local count = flags.count and tonumber(flags.count)
   if flags.count and not count then
      return fail(errors.usage("count", "--count wants a number"))
   end
   flags.user, flags.count = nil, nil
   if flags.port then flags.port = tonumber(flags.port) or -1 end
   if flags.lmtp then flags.protocol, flags.lmtp = "lmtp", nil end
   flags.trace = flags.trace and function(direction, line)
      io.stderr:write(direction, ": ", line, "\n")
   end or nil
   flags.on_message = show
   local server
   server, err = sink.new(flags)
   if not server then return fail(err) end
   local address, port = server:listen()
   if not address then return fail(port) end
   print("listening on " .. address .. (port and ":" .. port or ""))
   if server.tls_ca_file then print("trust " .. server.tls_ca_file) end
   io.stdout:flush()
   server:serve { connections = count }
   server:close()
   return 0
end

local commands = { send = send, probe = run_probe, sink = run_sink }

--- Run the command.
---@param args table   the arguments
---@return number      exit status
function cli.main(args)
   if args[1] == "--version" then
      print("lua-smtp " .. safe._VERSION)
      return 0
   elseif args[1] == "--help" or args[1] == "help" then
      io.write(usage)
      return 0
   end
   local command = commands[args[1] or ""]
   if not command then
      io.stderr:write(usage)
      return 64
   end
   local place = args[1] == "probe" and args[2] and not args[2]:find("^%-") and args[2]
   local flags, err = read_flags(args, place and 3 or 2)
   if not flags then return fail(err) end
   if place then flags.url = place:find("://", 1, true) and place or "smtp://" .. place end
   if flags.help then
      io.write(usage)
      return 0
   end
   return command(flags)
end

return cli
