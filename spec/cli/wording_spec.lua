-- No option of the library and no Lua is left in what the command prints.
local causes = require "smtp.result.causes"
local command = require "spec.tools.command"
local errors = require "smtp.errors"
local names = require "smtp.options.names"
local reasons = require "smtp.result.reasons"
local remedies = require "smtp.result.remedies"
local services = require "smtp.options.services"
local texts = require "spec.tools.texts"
local wording = require "smtp.cli.wording"

-- Values for the {names} in remedies.
local values = { port = "25", option = "timeout", tls = "prefer", mechanism = "PLAIN", reason = "dsn", word = "lmtp",
   source_address = "192.0.2.1" }

local function filled(text)
   return (text:gsub("{([a-z_]+)|?[^}]*}", function(name) return values[name] or "x" end))
end

-- Of functions, of tables with fields, of nginx and of other calls: no flag leads there.
local unreachable = { "function", "callback", "the transport", "keepalive", "observe", "smtp.", "send_many", "sink:",
   "plaintext = false", "{ name", "method }", "method =, ", "faults", "Write content =", "envelope = {", "%[%s%]",
   "{ to = ", "{ domain =", "expires = ", "dkim.check", "X-OWN", "dkim.headers", "secure = true", "filename", "{ raw",
   "is for a source", "Give users", "the library", "iterations: ", "auth = {", "{ chunking = \"skip\", dsn",
   "skip, which", ".skip contains", "%s = { ", "method =", "has to return", "Leave nil out" }

local function is_reachable(text)
   for _, part in ipairs(unreachable) do
      if text:find(part, 1, true) then return false end
   end
   return true
end

local ambiguous = { "host", "port", "socket", "url", "domain", "from", "to", "text", "html", "raw", "dkim", "token",
   "timeout", "auth", "tls", "username", "headers", "attachments", "extensions", "envelope", "dsn" }
local before = { "[Ss]et", "[Gg]ive", "[Rr]aise", "[Ww]rite", "[Cc]heck", "[Ll]eave", "beside", "[Nn]ame", "with", "as",
   "in", "[Rr]emove" }
-- English.
local plain = { "with TLS", "as text", "in text", "as token", "[Cc]heck from", "leave to", "give to", "write to" }

-- Why a text is not one of the command's, nil if it is.
local function why_lua(text)
   text = text:gsub("%(Postfix: [^)]*%)", ""):gsub("%(a blank[^)]*%)", "")
   for _, pattern in ipairs { " = ", "[{}]", "nil", "function", "[(]direction" } do
      if text:find(pattern) then return pattern end
   end
   for name in text:gmatch("%f[A-Za-z_]([a-z]+_[a-z_]+)%f[^A-Za-z_]") do
      if names.connection.by_name[name] or names.message.by_name[name] then return name end
   end
   for _, word in ipairs(ambiguous) do
      for _, verb in ipairs(before) do
         local found = text:match("%f[A-Za-z]" .. verb .. " " .. word .. "%f[^A-Za-z_-]")
         local is_plain = false
         for _, allowed in ipairs(plain) do is_plain = is_plain or found and found:find(allowed) end
         if found and not is_plain then return found end
      end
   end
end

local wrong

local function check(text)
   local shown = wording.flags(filled(text))
   local has_dashes = shown:find("---", 1, true) and not text:find("---", 1, true)
   local why = why_lua(shown) or has_dashes and "---" or shown:match("%-%-[a-z-]+ %-%-to%f[^a-z]")
   if why then wrong[#wrong + 1] = why .. " in: " .. shown end
end

local function check_all(node)
   for key, value in pairs(node) do
      if type(value) == "table" then
         check_all(value)
      elseif type(value) == "string" and type(key) ~= "number" and is_reachable(value) then
         check(value)
      end
   end
end

describe("The words of the command", function()
   before_each(function() wrong = {} end)

   it("have no options in the hints of errors", function()
      check_all(remedies)
      for _, reason in pairs(reasons) do
         for _, field in ipairs { "hint", "outside", "login" } do
            if reason[field] then check(reason[field]) end
         end
      end
      for _, group in ipairs(causes) do
         for i = 2, #group do check(group[i].hint or "") end
      end
      for _, trouble in ipairs(texts.troubles()) do
         if is_reachable(trouble.sentence) then check(trouble.sentence) end
      end
      for _, name in ipairs { "gmail.com", "smtp.sendgrid.net", "smtp.office365.com", "smtp.mailtrap.io" } do
         check((services.of_host(name) or {}).login or "")
      end
      assert.same({}, wrong)
   end)

   it("have no options in the texts about options, messages and the sink", function()
      local count = 0
      for _, entry in ipairs(texts.list()) do
         local room, file = entry.path:match("^lua/smtp/([a-z]+)/([a-z_]+)%.lua$")
         local is_own = room == "options" and not file:find("^foreign") and file ~= "loop" or room == "compose"
            or room == "result"
            or file == "probe_warnings" or file == "rehearsal" or file == "mechanisms" or file == "tls_context"
         -- "%s = …" begins with the option, which wording.apply replaces.
         if is_own and is_reachable(entry.text) and not entry.text:find("^ ?= ") then
            local text = entry.text:gsub("^%%s = ", ""):gsub("OPTION", "host"):gsub("port = PORT", "port = 25")
               :gsub('"%%s"', '"CANCEL"'):gsub("%%s = ", "tls = "):gsub("= %%[qs]", '= "x"'):gsub("= %%d", "= 25")
            check(text)
            count = count + 1
         end
      end
      assert.same({}, wrong)
      assert.is_true(count > 300, count)
   end)

   it("write assignments as a shell takes them", function()
      for text, shown in pairs {
         ['Set tls = "require"'] = "Set --tls require",
         ["set port = 587, or check port = 25"] = "set --port 587, or check --port 25",
         ["auth_plaintext = true lets it"] = "--auth-plaintext lets it",
         ["until then, tls_verify = false with tls_pin"] = "until then, --no-tls-verify with --tls-pin",
         ['Write from = "Ann <ann@example.org>"'] = 'Write --from "Ann <ann@example.org>"',
         ['Write auth_mechanisms = { "PLAIN", "LOGIN" }'] = "Write --auth-mechanisms PLAIN --auth-mechanisms LOGIN",
         ['or extensions = { ["dsn"] = "prefer" }'] = "or --extension dsn=prefer",
         ["Check host and port = 25: no"] = "Check --host and --port 25: no",
         ["Set domain to the full host name"] = "Set --domain to the full host name",
         ["Too much was sent in too short a time"] = "Too much was sent in too short a time",
         ["https://sender.office.com"] = "https://sender.office.com",
         ["Set from (or envelope.from)"] = "Set --from (or --envelope-from)" } do
         assert.equal(shown, wording.flags(text))
      end
   end)

   it("name the flag of an option that is to be used", function()
      assert.equal("Use --reply-to", wording.flags "Use the option reply_to")
      assert.equal("Use the option none_such", wording.flags "Use the option none_such")
   end)

   it("name the flag at the beginning of an error, and in its option", function()
      for option, row in pairs { port = { "port: expected a number", "--port: expected a number", "port" },
         ["to[2]"] = { 'to[2] = "x" is not valid', '--to "x" is not valid', "to" },
         ["dsn.notify"] = { "dsn.notify: expected x", "--dsn-notify: expected x", "dsn-notify" },
         ["attachments[1].path"] = { "attachments[1].path cannot be read", "--attach cannot be read", "attach" },
         tls_ca_file = { "tls_ca_file cannot be used", "--tls-ca-file cannot be used", "tls-ca-file" } } do
         local err = wording.apply(errors.usage(option, row[1], "Do"))
         assert.same({ row[2], row[3] }, { err.what, err.option })
      end
   end)

   it("name no flag of a secret, which may come from several", function()
      local err = wording.apply(errors.usage("password", "password contains a space", "Remove it"))
      assert.same({ "password contains a space", "password" }, { err.what, err.option })
   end)

   it("leave a file of accounts as it is, which is Lua", function()
      local err = errors.new("usage", { option = "accounts", what = "x", hint = 'Write tls = "require"' })
      assert.equal('Write tls = "require"', wording.apply(err).hint)
   end)

   it("are in JSON, too", function()
      local said = command.smtp "send --json --host localhost --port 1x --from a@x.example --to b@x.example --text x"
      assert.matches('"error":"lua%-smtp: %-%-port: expected a whole number', said)
      assert.matches('"hint":"Write %-%-port 587', said)
      said = command.smtp("send --json --tls require --tls-ca-file /nonexistent" .. command.message)
      assert.matches('"option":"tls%-ca%-file"', said)
   end)
end)
