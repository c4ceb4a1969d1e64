local checked = require "spec.tools.checked"
local command = require "spec.tools.command"
local peer = require "spec.tools.peer"
local safe = require "smtp.safe"
local smtp = require "smtp"
local user_call = require "smtp.options.user_call"

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
      it("is handled by smtp.safe: " .. name, function()
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

   it("is refused as an option of a sink", function()
      for _, value in ipairs { 7, "x", { [trap] = 1 }, false } do
         local _, err = safe.sink(value)
         assert.equal("usage", err.kind)
      end
   end)
end)

describe("A function of the caller", function()
   -- In a program of its own: busted gives Lua 5.1 the table.unpack of later versions.
   it("gets all of its arguments, and returns all of its results", function()
      assert.equal("true\t3\t1\tnil\t3\n", command.own(peer.interpreter .. " -e '"
         .. 'print(require("smtp.options.user_call").call(function(...) return select("#", ...), ... end, 1, nil, 3))'
         .. "'"))
   end)

   it("may be one of C, or a table that can be called", function()
      assert.same({ true, "5" }, { user_call.call(tostring, 5) })
      assert.same({ false, "no" }, { user_call.call(error, "no", 0) })
      assert.same({ true, 7 }, { user_call.call(setmetatable({}, { __call = function(_, n) return n end }), 7) })
   end)
end)
