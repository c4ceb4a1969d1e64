local checked = require "spec.tools.checked"
local safe = require "smtp.safe"
local smtp = require "smtp"
local talk = require "spec.tools.talk"

local with = checked.with

describe("what raises wherever it is touched", function()
   local function evil() error("touched") end
   local trap = setmetatable({}, { __index = evil, __len = evil, __tostring = evil, __pairs = evil, __call = evil,
      __eq = evil, __lt = evil, __concat = evil })
   local values = { trap, { trap }, { [trap] = 1 }, { address = trap, name = trap }, 0 / 0, { 0 / 0 },
      ("x"):rep(70000) }
   local names = { "url", "host", "port", "socket", "protocol", "domain", "tls", "tls_verify", "tls_host",
      "tls_ca_file", "tls_ca_path", "tls_cert", "tls_key", "tls_min_version", "tls_pin", "auth", "username",
      "password", "token",
      "authzid", "auth_mechanisms", "auth_plaintext", "scram_iterations", "timeout", "connect_timeout", "reply_timeout",
      "source_address", "transport", "pipelining", "extensions", "trace", "keepalive", "from", "to", "cc", "bcc",
      "reply_to", "sender", "text", "html", "attachments", "calendar", "headers", "date", "message_id", "in_reply_to",
      "references", "priority", "list_unsubscribe", "dkim", "raw", "eightbit", "size", "envelope", "recipients", "dsn",
      "requiretls", "deliver_by", "hold_for", "hold_until", "mt_priority" }

   for _, name in ipairs(names) do
      it("is no matter to smtp.safe: " .. name, function()
         for _, value in ipairs(values) do
            local t = with { [name] = value, timeout = name == "timeout" and value or 1 }
            if name ~= "transport" then t.transport = smtp.sink {}:transport() end
            local receipt, err = safe.send(t)
            if not receipt then
               assert.is_true(safe.is_error(err))
               assert.truthy(#tostring(err) < 1500 and not tostring(err):find("\n"), name)
            end
         end
      end)
   end

   it("is no sink's option either", function()
      for _, value in ipairs { 7, "x", { [trap] = 1 }, false } do
         local _, err = safe.sink(value)
         assert.equal("usage", err.kind)
      end
   end)
end)

local script = talk.script

local message = { from = "ann@me.example", to = "bob@there.example", raw = "x" }

local function connect(transcript, more)
   local options = { from = false, to = false, raw = false }
   for name, value in pairs(more or {}) do options[name] = value end
   local peer = talk.peer(script([[
      <hello>
      <transcript>
   ]], { transcript = transcript }))
   return safe.connect(talk.options(options, peer)), peer
end

-- Every call says so, and never that the connection is busy.
local function is_broken(connection, kind, reason)
   for _, name in ipairs { "noop", "reset", "send", "capabilities" } do
      local result, err = connection[name](connection, message)
      assert.is_nil(result)
      assert.same({ kind, reason }, { err.kind, err.reason }, tostring(err))
      assert.is_nil(tostring(err):find("busy", 1, true))
   end
   assert.is_false(connection.alive)
   assert.is_true(connection:quit())
   assert.is_true(connection:close())
end

describe("a trace that raises", function()
   -- After so many lines.
   local function failing(count, cause)
      return function()
         count = count - 1
         if count == 0 then error(cause or "no more paper", 0) end
      end
   end

   it("ends the connection with an error of its own, wherever it does so", function()
      local dialogue = script([[
         <hello>
         <talk>
      ]], { talk = talk.accepted:gsub("MESSAGE", "C: x\nC: .") })
      for count = 1, 14 do
         for _, mode in ipairs { "whole", "bytes", "halves" } do
            local peer = talk.peer(dialogue, mode)
            local receipt, err = safe.send(talk.options({ raw = "x", trace = failing(count) }, peer))
            assert.is_true(peer.closed)
            if not receipt then
               assert.same({ "source", "trace", "no more paper", "no more paper" },
                  { err.kind, err.reason, err.cause, err.text })
               assert.truthy(err.recipients == nil or err.sent == "no" or err.retry == "doubt")
            else
               assert.truthy(count >= 12, count) -- only QUIT was left
            end
         end
      end
   end)

   it("leaves a connection broken, and not busy", function()
      local cause = { "mine" }
      local connection = connect([[
         C: MAIL FROM:<ann@me.example>
         S: 250 ok
         C: RCPT TO:<bob@there.example>
      ]], { trace = failing(6, cause) })
      local receipt, err = connection:send(message)
      assert.is_nil(receipt)
      assert.equal(cause, err.cause)
      is_broken(connection, "source", "trace")
   end)

   it("raises an error object where errors are raised", function()
      local peer = talk.peer(script "<hello>")
      local fine, err = pcall(smtp.send, talk.options({ trace = failing(1) }, peer))
      assert.is_false(fine)
      assert.truthy(safe.is_error(err, safe.SourceError))
   end)

   it("is an error of smtp.connect, smtp.probe and of each message in send_many", function()
      local options = { from = false, to = false, raw = false }
      options.trace = failing(2)
      local connection, err = safe.connect(talk.options(options, talk.peer(script "<hello>")))
      assert.same({ nil, "trace" }, { connection, err.reason })
      for count = 1, 3 do
         options.trace = failing(count)
         local report
         report, err = safe.probe(talk.options(options, talk.peer(script [[
            <hello>
            <bye>
         ]])))
         assert.same({ nil, "trace" }, { report, err and err.reason })
      end
      options.trace = failing(4)
      local summary = safe.send_many(talk.options(options, talk.peer(script [[
         <hello>
         C: MAIL FROM:<ann@me.example>
      ]])), { message })
      assert.same({ "source", "trace" }, { summary.results[1].kind, summary.results[1].reason })
   end)
end)
