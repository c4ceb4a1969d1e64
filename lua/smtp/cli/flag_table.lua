--- All flags of the commands. Parsing, checks, help, completion and the man page come from this
-- table, from smtp.cli.sink_flags and smtp.cli.outbox_flags, which other commands do not load, and
-- from smtp.cli.commands.
--
-- Fields of a flag: its name, and a sentence that says what it does, then
--    short    its letter
--    takes    what its value is called; a flag without this is switched on, or off by --no-NAME
--    words    the values that it may have
--    list     it may be given several times
--    single   and its value is no list where it is given once
--    addresses
--             its value is one address, or several with commas between them
--    pair     its value is two values with a comma between them
--    off      --no-NAME is possible although it takes a value
--    file     its value is a file: shells complete its name
--    default  what holds where it is not given
--    common   the short help shows it
--    alias    the flag of which this is another name
--    actions  the actions of lua-smtp outbox that have it, where these are not all, and its group
--             does not say so
--    option   what the command calls its value, where it is not the name with _ for -
-- @module smtp.cli.flag_table

local system = require "smtp.ground.resources"

local load_outbox_flags = system.loader "smtp.cli.outbox_flags"

-- The groups of one command alone, which come before the others.
local own_groups = { outbox = load_outbox_flags, sendmail = load_outbox_flags,
   sink = system.loader "smtp.cli.sink_flags" }

local table_of_flags = {}

--- The commands, as smtp.cli.commands has them.
table_of_flags.commands = require "smtp.cli.commands"

local words = { policy = { "require", "prefer", "skip" } }

-- A group belongs to the commands that it names.
local groups = {
   { "Message", commands = "send outbox", actions = "put",
      { "from", "The author, and the sender of the envelope.", short = "f", takes = "ADDRESS",
         list = true, single = true, addresses = true, common = true },
      { "to", "Recipients, separated by commas.", short = "t", takes = "ADDRESS", list = true,
         addresses = true, common = true, actions = "put list" },
      { "cc", "Recipients of a copy.", short = "c", takes = "ADDRESS", list = true,
         addresses = true, common = true },
      { "bcc", "Recipients that no header names.", short = "b", takes = "ADDRESS", list = true,
         addresses = true, common = true },
      { "reply-to", "Where an answer goes.", takes = "ADDRESS", list = true, addresses = true },
      { "sender", "The one person that sends for several authors.", takes = "ADDRESS" },
      { "subject", "The subject.", short = "s", takes = "TEXT", common = true },
      { "text", "The text.", takes = "TEXT", common = true, default = "standard input" },
      { "text-file", "The text is in a file (- is standard input).", takes = "FILE", file = true },
      { "html", "The same in HTML.", takes = "TEXT" },
      { "html-file", "The HTML is in a file (- is standard input).", takes = "FILE", file = true },
      { "attach", "Attach a file.", short = "a", takes = "FILE", file = true, list = true,
         common = true },
      { "inline", "An image that the HTML shows as cid:NAME-OF-FILE.", takes = "FILE", file = true,
         list = true },
      { "calendar", "An invitation, an iCalendar file (- is standard input).", takes = "FILE",
         file = true },
      { "header", "One more header.", takes = '"NAME: VALUE"', list = true },
      { "date", "The date of the message (RFC 5322).", takes = "DATE", default = "now" },
      { "message-id", "The Message-ID.", takes = "ID", default = "a random one" },
      { "in-reply-to", "The Message-ID of the message that this one answers.", takes = "ID",
         list = true },
      { "references", "A Message-ID of the thread, the oldest first.", takes = "ID", list = true },
      { "priority", "How the reader's program marks it.", takes = "WORD",
         words = { "high", "normal", "low" } },
      { "list-unsubscribe", "An https or mailto URI.", takes = "URI", list = true },
      { "one-click", "The https URI unsubscribes with one click (RFC 8058).", default = "no" },
      { "raw", "Standard input is a message with its header.", default = "no",
         common = true },
   },
   { "Message", commands = "send",
      { "dry-run", "Print the message as it would go, and send nothing.", short = "n",
         common = true },
   },
   { "Server", commands = "send probe sendmail outbox",
      { "host", "The server, or several.", short = "S", takes = "NAME",
         default = "localhost", common = true, list = true, single = true },
      { "server", alias = "host", takes = "NAME", list = true, single = true },
   },
   { "Server", commands = "send sendmail outbox",
      { "port", "The port.", short = "p", takes = "N", common = true,
         default = "25, or 587 with a user" },
   },
   { "Server", commands = "probe",
      { "port", "The port.", short = "p", takes = "N", common = true,
         default = "465, 587 and 25" },
   },
   { "Server", commands = "send probe sendmail outbox",
      { "url", "smtp://USER@HOST:PORT, or smtps:, lmtp:, lmtp+unix:.", takes = "URL" },
      { "service", "A provider: gmail, microsoft365, ses:REGION ...", takes = "NAME",
         words = { "gmail", "microsoft365", "icloud", "yahoo", "fastmail", "zoho", "sendgrid",
            "mailgun", "postmark", "brevo", "mailjet" }, open = true, common = true },
      { "socket", "A unix socket, in place of host and port.", takes = "PATH", file = true },
      { "protocol", "The protocol.", takes = "WORD", words = { "smtp", "lmtp" }, default = "smtp" },
      { "domain", "Our name in EHLO.", takes = "NAME", default = "the name of this machine" },
      { "proxy", "The proxy: socks5://USER:PASSWORD@HOST:PORT or http://...", takes = "URL" },
      { "proxy-env", "The environment variable with the proxy.", takes = "NAME" },
      { "proxy-file", "The file whose first line is the proxy.", takes = "FILE", file = true },
      { "source-address", "The local address to connect from.", takes = "ADDRESS" },
   },
   { "TLS", commands = "send probe sendmail outbox",
      { "tls", "STARTTLS or implicit.", takes = "WORD",
         words = { "implicit", "require", "prefer", "skip" }, common = true,
         default = "require, on localhost skip" },
      { "tls-verify", "Accept any certificate, or only the key of --tls-pin.", default = "yes" },
      { "tls-host", "The name in the certificate.", takes = "NAME", default = "the host" },
      { "tls-ca-file", "The authorities to trust, a PEM file.", takes = "FILE", file = true,
         default = "those of the system" },
      { "tls-ca-path", "A directory of authorities to trust.", takes = "PATH", file = true },
      { "tls-cert", "The client certificate, a PEM file.", takes = "FILE", file = true },
      { "tls-key", "Its private key, a PEM file.", takes = "FILE", file = true },
      { "tls-min-version", "The oldest version of TLS to accept.", takes = "VERSION",
         words = { "1.2", "1.3" }, default = "1.2" },
      { "tls-pin", "The SHA-256 of the server's public key, in base64.", takes = "BASE64" },
   },
   { "Account", commands = "send probe sendmail outbox",
      { "account", "An account of the file.", short = "A", takes = "NAME",
         default = "by the sender", common = true },
      { "config", "The file with the accounts; --no-config: none.", takes = "FILE", file = true,
         off = true, default = "~/.config/lua-smtp.lua, or /etc/lua-smtp.lua" },
   },
   { "Authentication", commands = "send probe sendmail outbox",
      { "username", "The user; the command asks for the password.", short = "u", takes = "NAME",
         common = true },
      { "user", alias = "username", takes = "NAME" },
      { "password-env", "The environment variable with the password.", takes = "NAME",
         common = true },
      { "password-file", "The file whose first line is the password.", takes = "FILE",
         file = true },
      { "password", "The password; other users of this machine can see it.", takes = "TEXT" },
      { "ask-password", "Ask for the password at the terminal.", default = "no" },
      { "token-env", "The environment variable with an OAuth token.", takes = "NAME" },
      { "token-file", "The file whose first line is an OAuth token.", takes = "FILE",
         file = true },
      { "token", "An OAuth token; other users of this machine can see it.", takes = "TEXT" },
      { "auth", "Whether to log in.", takes = "WORD", words = words.policy,
         default = "require with a user, or skip" },
      { "auth-mechanisms", "A mechanism to use, the best one first.", takes = "NAME",
         list = true },
      { "auth-plaintext", "The password may travel without encryption.", default = "no" },
      { "authzid", "The identity to act as, where it is not the user.", takes = "NAME" },
      { "scram-iterations", "The iterations that the server may ask for.", takes = "MIN,MAX",
         pair = true, default = "4096,200000" },
   },
   { "Signature", commands = "send sendmail outbox", actions = "put",
      { "dkim", "Sign the message.", takes = "DOMAIN:SELECTOR:KEYFILE", list = true },
   },
   { "Delivery", commands = "send",
      { "envelope-from", "The sender of the envelope, where it is not --from.", takes = "ADDRESS" },
      { "envelope-to", "A recipient of the envelope, in place of --to.", takes = "ADDRESS",
         list = true, addresses = true },
      { "quit-after", "Talk to the server up to this point, and send nothing.", short = "q",
         takes = "POINT",
         words = { "BANNER", "FIRST-EHLO", "STARTTLS", "EHLO", "AUTH", "MAIL", "RCPT" },
         open = true },
   },
   { "Delivery", commands = "send sendmail outbox", actions = "put",
      { "recipients", "Deliver to any that are accepted, or to all or none.", takes = "WORD",
         words = { "any", "all" }, default = "any; sendmail: all" },
      { "extension", "Whether to use an extension of SMTP.", takes = "KEYWORD=WORD", list = true },
      { "dsn-notify", "When the server reports about the delivery.", takes = "WORD",
         words = { "never", "success", "failure", "delay" }, list = true },
      { "dsn-ret", "What its report contains.", takes = "WORD", words = { "full", "hdrs" } },
      { "dsn-envid", "Your own name for the message, in its report.", takes = "TEXT" },
      { "requiretls", "Every server on the way must use TLS (RFC 8689).", default = "no" },
      { "deliver-by", "Return the message after so many seconds.", takes = "SECONDS" },
      { "hold-for", "The server keeps the message for so long.", takes = "SECONDS" },
      { "hold-until", "The server keeps the message until then.", takes = "DATE" },
      { "mt-priority", "The priority for servers, from -9 to 9.", takes = "N" },
   },
   { "Dialogue", commands = "send probe sendmail outbox",
      { "timeout", "Seconds for all.", takes = "SECONDS", default = "300, and more by size" },
      { "connect-timeout", "Seconds to connect.", takes = "SECONDS", default = "15" },
      { "reply-timeout", "Seconds to wait for a reply.", takes = "SECONDS", default = "60" },
      { "pipelining", "How many commands may leave before their replies.", takes = "WORD",
         words = { "safe", "eager", "off" }, default = "safe" },
   },
   { "Output", commands = "send probe sendmail sink outbox",
      { "trace", "Show the dialogue on standard error.", short = "v", common = true } },
   { "Output", commands = "send probe sendmail sink completion outbox",
      { "json", "Print JSON, errors as well.", common = true },
      { "help", "Show this help; --help=all shows all flags.", short = "h", common = true },
   },
}

-- ---- by command ----

--- A command by its name, nil if there is none.
function table_of_flags.command(name)
   for _, command in ipairs(table_of_flags.commands) do
      if command.name == name then return command end
   end
end

local without_letters = {}

-- A flag without its letter.
local function without_letter(flag)
   local copy = without_letters[flag]
   if copy or not flag.short then return copy or flag end
   copy = {}
   for key, value in next, flag do copy[key] = value end
   copy.short, without_letters[flag] = nil, copy
   return copy
end

local function has_word(text, word)
   return (" " .. text .. " "):find(" " .. word .. " ", 1, true) ~= nil
end

-- Does an action have the flag? nil: any action.
local function is_of(flag, action)
   return not action or not flag.actions or has_word(flag.actions, action)
end

-- Adds the flags of those groups that are for this command. Each flag then knows its group.
local function add(list, some, command, action)
   local own_letters = command.own_arguments and not command.has_letters
   for _, group in ipairs(some) do
      for i = 2, has_word(group.commands, command.name) and #group or 0 do
         local flag = group[i]
         flag.name, flag.text, flag.group = flag[1], flag[2], group[1]
         flag.actions = flag.actions or group.actions
         if is_of(flag, action) then
            list[#list + 1] = own_letters and without_letter(flag) or flag
         end
      end
   end
end

--- The flags of a command in order. The letters of a command with `own_arguments` are its own,
--- unless it says `has_letters`. Raises a SystemError where they cannot be read.
---@param name string
---@param action? string   of lua-smtp outbox: only the flags that it has
---@return table[]
function table_of_flags.flags(name, action)
   local list, command = {}, table_of_flags.command(name)
   if own_groups[name] then
      local own, err = own_groups[name]()
      if not own then error(err, 0) end
      add(list, own, command, action)
   end
   add(list, groups, command, action)
   return list
end

return table_of_flags
