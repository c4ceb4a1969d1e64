local certs = require "spec.tools.certs"
local command = require "spec.tools.command"
local safe = require "smtp.safe"
local tls_context = require "smtp.runtime.tls_context"
local tls_server = require "spec.tools.tls_server"
local tls = require "smtp.tls"

local cert = certs.make()
local send = tls_server.send

describe("the files of TLS", function()
   it("are read again where they have changed", function()
      local own = os.tmpname()
      local function trust(name)
         local from = assert(io.open((cert(name)), "rb"))
         local to = assert(io.open(own, "wb"))
         to:write(from:read("*a"))
         from:close()
         to:close()
      end
      trust "ca"
      assert((send("good", { tls_ca_file = own })))
      trust "self_signed"
      local _, err = send("good", { tls_ca_file = own })
      assert.equal("unknown_issuer", err.reason)
      trust "ca"
      assert((send("good", { tls_ca_file = own })))
      os.remove(own)
      _, err = safe.send { host = "localhost", port = 1, tls = "require", tls_ca_file = own, from = "a@b", to = "c@d",
         text = "" }
      assert.equal("tls_ca_file", err.option)
   end)
end)

describe("the stamp of the files of TLS", function()
   for _, option in ipairs { "tls_ca_file", "tls_cert", "tls_key" } do
      it("changes with " .. option .. ", be it that it is missing", function()
         local server = { tls_ca_file = os.tmpname(), tls_cert = os.tmpname(), tls_key = os.tmpname() }
         local before = tls_context.stamp(server)
         assert.equal(before, tls_context.stamp(server))
         command.write(server[option], "more")
         local after = tls_context.stamp(server)
         os.remove(server[option])
         local missing = tls_context.stamp(server)
         for _, path in pairs(server) do os.remove(path) end
         assert.not_equal(before, after)
         assert.not_equal(after, missing)
         assert.not_equal(before, missing)
      end)
   end
end)

-- A file with the CA of the specs that no other settings name: none of them were forgotten in the last minute.
local function own_ca()
   local path = os.tmpname()
   command.write(path, command.read((cert "ca")))
   return path
end

describe("the settings of TLS", function()
   local server = { tls_verify = true, tls_ca_file = own_ca() }

   it("are the same for the same options, until a handshake with them has failed", function()
      local first = assert(tls_context.get(server))
      local other = { tls_verify = true, tls_ca_file = server.tls_ca_file }
      assert.equal(first, tls_context.get(other))
      tls_context.forget(first)
      local second = assert(tls_context.get(server))
      assert.not_equal(first, second)
      assert.equal(second, tls_context.get(other))
      tls_context.forget(first) -- once more, and those of another host
      tls_context.forget {}
      assert.equal(second, tls_context.get(server))
   end)

   it("are forgotten once a minute, and leave no memory taken", function()
      local own = { tls_verify = true, tls_ca_file = own_ca() }
      local weak = setmetatable({ assert(tls_context.get(own)) }, { __mode = "v" })
      tls_context.forget(weak[1])
      local second = assert(tls_context.get(own))
      for _ = 1, 3 do collectgarbage() end
      assert.is_nil(weak[1])
      tls_context.forget(second)
      assert.equal(second, tls_context.get(own))
   end)

   it("are others after a handshake that a certificate has ended, for whatever reason", function()
      local made = 0
      local make = tls.context
      tls.context = function(options)
         made = made + (options.server and 0 or 1)
         return make(options)
      end
      local own = { tls_ca_file = own_ca() }
      send("good", own)
      send("good", own)
      local before = made
      send("expired", own)
      send("good", own)
      assert.equal(before, made) -- that is certain
      send("unknown_issuer", own)
      send("good", own)
      tls.context = make
      assert.equal(before + 1, made)
   end)
end)
