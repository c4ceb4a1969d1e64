-- A peer that keeps TLS busy without a byte of data: spec/tools/flood.c.
local certs = require "spec.tools.certs"
local command = require "spec.tools.command"
local core = require "smtp.core"
local peer = require "spec.tools.peer"
local safe = require "smtp.safe"

local path, key = certs.make()("good")

local program = "build/spec/flood"

local function build()
   local said = command.run(("cc -std=c11 -D_GNU_SOURCE -O2 -o %s.$$ spec/tools/flood.c -lssl -lcrypto "
      .. "&& mv %s.$$ %s"):format(program, program, program))
   assert.equal("", said)
end

local function line_of(kind, connections, port)
   return ("env -u LD_PRELOAD %s %s %s %s %d %s"):format(program, kind, path, key, connections, port or "")
end

-- -> what a function gets that sends to such a server
local function flooded(kind, connections, send)
   local pipe = assert(io.popen(line_of(kind, connections)))
   local started, began = core.now(), os.clock()
   local result, err = send({ host = "localhost", port = tonumber(pipe:read("*l")), tls = "implicit",
      tls_ca_file = "build/spec/certs/ca.pem", timeout = 20 })
   local took, worked = core.now() - started, os.clock() - began
   pipe:close()
   assert.truthy(took < 8 and worked < 4, ("%s: %.1f s, %.1f s of them work"):format(kind, took, worked))
   return result, err
end

local message = { from = "a@b.example", to = "c@d.example", raw = "x\r\n" }

local function send_one(options)
   for name, value in pairs(message) do options[name] = value end
   return safe.send(options)
end

local kinds = {
   hello_request = "tls", alert = "tls", empty = "tls", fragment = "tls", key_update = "greeting",
   answered = "greeting", ticket = "greeting", renegotiate = "greeting", ["final:key_update"] = "final",
}

describe("a server that floods", function()
   setup(build)

   for kind, stage in pairs(kinds) do
      it(("with %s ends the conversation"):format(kind), function()
         local _, err = flooded(kind, 1, send_one)
         local sent = stage == "final"
         assert.same({ "protocol", "tls_flood", stage, sent and "maybe" or "no", sent and "doubt" or "later" },
            { err.kind, err.reason, err.stage, err.sent, err.retry })
      end)
   end

   it("is reported by a probe, and by a connection", function()
      for _, call in ipairs { safe.probe, safe.connect } do
         local _, err = flooded("answered", 1, call)
         assert.same({ "protocol", "tls_flood" }, { err.kind, err.reason })
      end
   end)

   it("does not hold up many messages", function()
      for _, kind in ipairs { "hello_request", "key_update" } do
         local summary = flooded(kind, 8, function(options)
            return safe.send_many(options, { message, message, message, message }, { connections = 4 })
         end)
         assert.equal(4, summary.failed)
         for i = 1, 4 do assert.equal("tls_flood", summary.results[i].reason) end
      end
   end)

   -- Little at a time, and always something: the bound on all of it is far away.
   it("slowly does not extend the deadline", function()
      local other = peer.start [[
         local sock = accept()
         sock:receiveany(65536)
         for _ = 1, 4000 do -- 20 s
            if not sock:send("\22\3\3\0\4\0\0\0\0") then break end
            socket.wait({}, 5)
         end
      ]]
      local started = core.now()
      local _, err = send_one { host = "localhost", port = other.port, tls = "implicit", timeout = 0.4,
         tls_ca_file = "build/spec/certs/ca.pem" }
      local took = core.now() - started
      other.finish()
      assert.same({ "timeout", "tls" }, { err.kind, err.stage })
      assert.truthy(took < 10, took)
   end)
end)

-- Records of TLS that come while a message is sent, which is larger than what the kernel takes: the client has to hear
-- them, and may have to answer them, while it cannot send.
describe("a server that renews its keys or tickets while it takes a message", function()
   setup(build)

   local raw = ("Subject: x\r\n\r\n%s"):format((("x"):rep(70) .. "\r\n"):rep(80000))

   local function send_many(options)
      local large = { from = "a@b.example", to = "c@d.example", raw = raw }
      local summary = safe.send_many(options, { large, large }, { connections = 2 })
      return summary.sent == 2, summary.results[1]
   end

   local function send(options)
      options.raw, options.from, options.to = raw, "a@b.example", "c@d.example"
      return safe.send(options)
   end

   for _, kind in ipairs { "key_update", "answered", "ticket" } do
      for name, call in pairs { ["send"] = send, ["send_many"] = send_many } do
         it(("by %s is sent each message once, by %s"):format(kind, name), function()
            local connections = call == send and 1 or 2
            local pipe = assert(io.popen(line_of("during:" .. kind, connections)))
            local ok, err = call { host = "localhost", port = tonumber(pipe:read "*l"), tls = "implicit",
               tls_ca_file = "build/spec/certs/ca.pem", timeout = 30, reply_timeout = 10 }
            local said = pipe:read "*a"
            pipe:close()
            assert(ok, tostring(err))
            -- The two connections end in any order.
            local _, messages = said:gsub(("%d\n"):format(#raw + 3), "")
            local _, ends = said:gsub("QUIT\r\n", "")
            assert.same({ connections, connections }, { messages, ends }, said)
            assert.equal(#("%d\nQUIT\r\n"):format(#raw + 3) * connections, #said)
         end)
      end
   end
end)

describe("a client that floods", function()
   setup(build)

   for _, kind in ipairs { "hello_request", "fragment", "key_update", "answered" } do
      it(("with %s does not keep a sink from others"):format(kind), function()
         local other = peer.start(([[
            local sink = require("smtp.sink").new { tls = "implicit", tls_cert = %q, tls_key = %q }
            sink:listen(listener)
            sink:serve { connections = 3, timeout = 10 }
            print(#sink.messages, os.clock() < 4)
         ]]):format(path, key))
         local floods = {}
         for i = 1, 2 do floods[i] = io.popen(line_of(kind, 0, other.port)) end
         assert(send_one { host = "localhost", port = other.port, tls = "implicit", timeout = 5,
            tls_ca_file = "build/spec/certs/ca.pem" })
         for i = 1, 2 do floods[i]:close() end
         assert.equal("1\ttrue\n", other.finish())
      end)
   end
end)
