--- Cases that every real server goes through, and the table of the manual that says how each of them ends.

local assert = require "luassert"

local command = require "spec.tools.command"
local safe = require "smtp.safe"
local servers = require "spec.live.servers"

local matrix = {}

local MANUAL = "lua/README.md"
local BEGIN, END = "<!-- servers, by spec/live/matrix_spec.lua -->\n\n", "\n<!-- end of servers -->"

--- The servers: their names, the scripts that start them, and whether CI starts them for other specs as well.
matrix.servers = {
   { name = "Postfix", script = "servers.sh", is_in_ci = true },
   { name = "Exim", script = "exim.sh", is_in_ci = true },
   { name = "Sendmail", script = "matrix/sendmail.sh" },
   { name = "Courier", script = "matrix/courier.sh" },
   { name = "OpenSMTPD", script = "matrix/opensmtpd.sh" },
   { name = "chasquid", script = "matrix/chasquid.sh" },
   { name = "Haraka", script = "haraka.sh", is_in_ci = true },
   { name = "qpsmtpd", script = "matrix/qpsmtpd.sh" },
   { name = "aiosmtpd", script = "matrix/aiosmtpd.sh" },
   { name = "smtp-server", script = "matrix/smtp-server.sh" },
   { name = "Dovecot LMTP", script = "dovecot.sh", is_in_ci = true },
   { name = "Cyrus LMTP", script = "matrix/cyrus.sh" },
}

-- The cases of logins follow this many others.
local LOGINS = 3

--- The options of a connection to one of a server's ports: "plain", "submission" (STARTTLS and a login), "smtps",
--- "lmtp"; without a name, to the first that it has of submission, plain and lmtp.
local function at(live, port_name, more)
   local ports = live.ports
   port_name = port_name or ports.submission and "submission" or ports.plain and "plain" or "lmtp"
   if not ports[port_name] then return nil end
   local t = { host = "localhost", port = ports[port_name], timeout = 60 }
   if port_name == "submission" or port_name == "smtps" then
      t.tls, t.tls_ca_file = port_name == "smtps" and "implicit" or "require", live.ca_file
      t.username, t.password = live.user, live.password
   elseif port_name == "lmtp" then
      t.protocol = "lmtp"
   end
   for key, value in pairs(more or {}) do t[key] = value end
   return t
end

local function body_of(text)
   return text:match("\n\n(.*)$")
end

--- Fails unless exactly these bodies, in any order, are what came to the box.
local function assert_arrived(live, box, bodies)
   local texts, found = live.arrived(box, #bodies), {}
   for i, text in ipairs(texts) do found[i] = body_of(text) end
   table.sort(found)
   table.sort(bodies)
   assert.equal(table.concat(bodies, "~"), table.concat(found, "~"))
end

local function states(result)
   local list = {}
   for i, entry in ipairs(result.recipients) do list[i] = entry.state end
   return table.concat(list, " ")
end

--- Adds a message to the options of a connection, from ann to bob where they do not say otherwise.
local function with_message(options, body)
   options.from, options.to = "ann@live.example", options.to or "bob@live.example"
   options.raw = options.raw or servers.head("matrix") .. body
   return options
end

--- Sends this body and checks that it arrives. -> the receipt
local function send(live, options, body)
   with_message(options, body)
   local receipt, err = safe.send(options)
   assert(receipt, tostring(err))
   assert_arrived(live, "bob", { body })
   return receipt
end

local function assert_fails(options, kind, reason)
   local _, err = safe.send(with_message(options, "no\n"))
   assert.same({ kind, reason or err.reason, "no" }, { err.kind, err.reason, err.sent }, tostring(err))
   return err
end

local function capabilities(options)
   local connection = assert(safe.connect(options))
   local offered = connection:capabilities()
   connection:quit()
   return offered
end

--- Is this keyword offered where messages are sent? Without it, options that require it fail.
local function is_offered(live, keyword, more)
   if capabilities(at(live))[keyword] then return true end
   assert_fails(at(live, nil, more), "extension_unsupported")
   return false
end

local function many(live, pipelining)
   local list, bodies = {}, {}
   for i = 1, 200 do
      bodies[i] = ("text %d\n"):format(i)
      list[i] = { from = "ann@live.example", to = "bob@live.example", raw = servers.head("m" .. i) .. bodies[i] }
   end
   local options = at(live, nil, { pipelining = pipelining })
   local summary = assert(safe.send_many(options, list, { connections = 2, window = 16 }))
   for _, result in ipairs(summary.results) do assert(result.recipients, tostring(result)) end
   assert.equal(200, summary.sent)
   assert_arrived(live, "bob", bodies)
   return "yes"
end

--- The cases: the head of the column, what it means, and a function that returns the cell; nil where the server
--- does not have what the case needs.
matrix.cases = {
   { "clear text", "a message without TLS, to the byte: dots, UTF-8, a line of 900 bytes", function(live)
      local options = at(live, live.ports.plain and "plain" or "lmtp")
      if not options then return nil end
      send(live, options, ".\n..\n.dots\n\nGrüße, привет\n" .. ("x"):rep(900) .. "\n\n.\n")
      return "yes"
   end },
   { "STARTTLS", "a message by STARTTLS with a login", function(live)
      if not live.ports.submission then return nil end
      local receipt = send(live, at(live, "submission"), ".\n..\n.dots\n\nGrüße, привет\n" .. ("x"):rep(900) .. "\n")
      assert(receipt.tls.state == "on" and receipt.auth.mechanism, "no TLS, or no login")
      return "yes"
   end },
   { "TLS", "the same with TLS from the first byte", function(live)
      if not live.ports.smtps then return nil end
      assert.equal("on", send(live, at(live, "smtps"), "implicit\n").tls.state)
      return "yes"
   end },
   { "wrong password", "AuthRejectedError, and the message is not sent", function(live)
      if not live.ports.submission then return nil end
      assert_fails(at(live, nil, { password = "mistaken" }), "auth_rejected")
      return "yes"
   end },
   { "wrong name", "CertificateError, before the login", function(live)
      if not live.ports.submission then return nil end
      assert_fails(at(live, nil, { tls_host = "elsewhere.example" }), "certificate", "wrong_host")
      return "yes"
   end },
   { "no AUTH", "AuthUnsupportedError with `auth = \"require\"`; with `\"prefer\"` the message is sent", function(live)
      local name = live.ports.plain and "plain" or "lmtp"
      if not live.ports[name] then return nil end
      local login = { username = "ann", password = "mistaken", auth = "require", tls = "skip" }
      assert_fails(at(live, name, login), "auth_unsupported")
      login.auth = "prefer"
      assert.equal(nil, send(live, at(live, name, login), "prefer\n").auth.mechanism)
      return "yes"
   end },
   { "one of two", "an unknown recipient beside a known one: refused, accepted", function(live)
      local options = at(live, nil, { to = { "nobody@live.example", "bob@live.example" } })
      assert.equal("refused accepted", states(send(live, options, "one of two\n")))
      return "yes"
   end },
   { "kept", "three messages over one connection, and a refusal after the first one", function(live)
      local connection = assert(safe.connect(at(live)))
      local bodies = {}
      for i = 1, 4 do
         local body = "kept " .. i .. "\n"
         local receipt, err = connection:send { from = "ann@live.example", raw = servers.head("matrix") .. body,
            to = i == 2 and "nobody@live.example" or "bob@live.example" }
         if i == 2 then
            assert.equal("recipients_refused", err and err.kind, tostring(err))
         else
            assert(receipt, tostring(err))
            bodies[#bodies + 1] = body
         end
      end
      connection:quit()
      assert_arrived(live, "bob", bodies)
      return "yes"
   end },
   { "200", "200 messages by send_many over two connections, each arrives once", function(live)
      return many(live, "safe")
   end },
   { "200 eager", "the same with `pipelining = \"eager\"`", function(live)
      return many(live, "eager")
   end },
   { "5 MB", "a message of 5 MB from a function, to the byte", function(live)
      local line, count = ("."):rep(99) .. "\n", 0
      local options = at(live, nil, { raw = function()
         count = count + 1
         if count == 1 then return servers.head "matrix" end
         return count <= 501 and line:rep(100) or nil
      end })
      local receipt, err = safe.send(with_message(options))
      assert(receipt, tostring(err))
      assert_arrived(live, "bob", { line:rep(50000) })
      return "yes"
   end },
   { "too large", "MessageTooLargeError by SIZE, before the message", function(live)
      local limit = tonumber(capabilities(at(live))["SIZE"])
      if not limit then return nil end
      local head = servers.head "matrix"
      local text = head .. (("x"):rep(99) .. "\n"):rep(math.floor(limit / 100) + 1)
      local err = assert_fails(at(live, nil, { raw = text }), "message_too_large")
      assert.equal(limit, err.limit)
      return "yes"
   end },
   { "BDAT", "CHUNKING is used", function(live)
      local required = { extensions = { chunking = "require" } }
      if not is_offered(live, "CHUNKING", required) then return nil end
      local options, chunks = at(live, nil, required), 0
      function options.trace(direction, line)
         if direction == "C" and line:find("^BDAT ") then chunks = chunks + 1 end
      end
      send(live, options, ".chunks\n")
      assert.equal(1, chunks)
      return "yes"
   end },
   { "UTF-8 address", "SMTPUTF8 is used", function(live)
      local options = { to = "pelé@live.example" }
      if not is_offered(live, "SMTPUTF8", options) then return nil end
      local receipt, err = safe.send(with_message(at(live, nil, options), "utf-8\n"))
      assert(receipt, tostring(err))
      assert_arrived(live, "pelé", { "utf-8\n" })
      return "yes"
   end },
   { "DSN", "`dsn` is used", function(live)
      local options = { dsn = { notify = "failure", ret = "hdrs", envid = "matrix" } }
      if not is_offered(live, "DSN", options) then return nil end
      assert.equal("used", send(live, at(live, nil, options), "dsn\n").extensions.dsn)
      return "yes"
   end },
   { "LMTP", "a verdict for each recipient", function(live)
      local options = at(live, "lmtp", { to = { "bob@live.example", "nobody@live.example", "carol@live.example" } })
      if not options then return nil end
      assert.equal("accepted refused accepted", states(send(live, options, "verdicts\n")))
      assert_arrived(live, "carol", { "verdicts\n" })
      return "yes"
   end },
   { "probe", "`smtp.probe` finds the same capabilities and options that send", function(live)
      local options = at(live)
         local report, err = safe.probe(options)
      assert(report, tostring(err))
      local found = report.after_tls or report.before_tls
      for name in pairs(capabilities(at(live))) do assert.truthy(found.capabilities[name], name) end
      options = at(live)
      for name, value in pairs(report.options) do options[name] = value end
      send(live, options, "probe\n")
      return "yes"
   end },
}

-- One case for each mechanism.
for i, name in ipairs { "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "OAUTHBEARER", "XOAUTH2" } do
   table.insert(matrix.cases, LOGINS + i, { name, "a login by it", function(live)
      if not live.ports.submission then return nil end
      local offered = " " .. capabilities(at(live)).AUTH .. " "
      if not offered:find(" " .. name .. " ", 1, true) then return nil end
      local options = at(live, nil, { auth_mechanisms = name })
      if name:find("AUTH", 1, true) then options.password, options.token = nil, servers.token(live.user, 3600) end
      assert.equal(name, send(live, options, name .. "\n").auth.mechanism)
      return "yes"
   end })
end

--- The rows of the manual's table: { [server] = { [case] = cell } }; an empty cell is nil.
function matrix.read()
   local text = command.read(MANUAL)
   local _, from = assert(text:find(BEGIN, 1, true))
   local found, names = {}, nil
   for line in text:sub(from + 1, text:find(END, from, true) - 1):gmatch("[^\n]+") do
      local cells = {}
      for cell in line:gmatch("|([^|]+)") do cells[#cells + 1] = cell:match("^%s*(.-)%s*$") end
      if not names then
         names = cells
      elseif not line:find("|---", 1, true) then
         for i = 2, #cells do
            found[names[i]] = found[names[i]] or {}
            found[names[i]][cells[1]] = cells[i] ~= "" and cells[i] or nil
         end
      end
   end
   return found
end

--- Writes the manual's table.
---@param found table   as matrix.read returns it
function matrix.write(found)
   local head = { "case" }
   for i, server in ipairs(matrix.servers) do head[i + 1] = server.name end
   local lines = { "| " .. table.concat(head, " | ") .. " |", "|---|" .. (":-:|"):rep(#matrix.servers) }
   for _, case in ipairs(matrix.cases) do
      local cells = { matrix.label(case) }
      for i, server in ipairs(matrix.servers) do cells[i + 1] = (found[server.name] or {})[cells[1]] or "" end
      lines[#lines + 1] = "| " .. table.concat(cells, " | ") .. " |"
   end
   local text = command.read(MANUAL)
   local _, from = assert(text:find(BEGIN, 1, true))
   local after = text:sub((text:find(END, from, true)))
   command.write(MANUAL, text:sub(1, from) .. table.concat(lines, "\n") .. "\n" .. after)
end

--- The first cell of a case's row.
function matrix.label(case)
   return ("**%s**: %s"):format(case[1], case[2])
end

return matrix
