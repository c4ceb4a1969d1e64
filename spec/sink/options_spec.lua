-- The options of a sink.
local safe = require "smtp.safe"
local sinks = require "spec.tools.sinks"

local send = sinks.send

describe("the sink", function()
   it("checks its options", function()
      for _, bad in ipairs { { prot = 1 }, { port = "x" }, { tls = "yes" }, { auth = true },
         { tls_max_version = "1.1" }, { protocol = "esmtp" }, { socket = "/tmp/x", port = 25 } } do
         local _, err = safe.sink(bad)
         assert.equal("usage", err.kind)
      end
   end)

   -- An option that has no effect would let a test pass for the wrong reason.
   for option, case in pairs {
      protcol = { { protcol = "lmtp" }, "protocol" }, fault = { { fault = {} }, "faults" },
      ["faults.rctp"] = { { faults = { rctp = "550 no" } }, "rcpt" },
      ["faults.lhlo"] = { { faults = { lhlo = "550 no" } }, "ehlo" },
      ["faults.Data"] = { { faults = { Data = "550 no" } }, "data" },
      ["faults.mail"] = { { faults = { mail = "dorp" } }, 'Did you mean "drop"' },
      ["auth.user"] = { { auth = { user = { ann = "x" }, users = {} } }, "users" },
      tls = { { tls = "starttsl" }, "starttls" }, host = { { host = "mail.example.org" }, "127.0.0.1" },
      port = { { port = 25.5 }, "65535" }, keep = { { keep = -1 }, "messages" },
      strict = { { strict = 1 }, "strict = true" },
      on_message = { { on_message = true }, "function" }, domain = { { domain = "a b" }, "sink.example" },
      socket = { { socket = "" }, "bytes" }, require_auth = { { require_auth = true }, "users" },
      tls_key = { { tls_key = "x" }, "tls_cert" }, capabilities = { { capabilities = { [2] = "DSN" } }, "hole" },
      ["capabilities[1]"] = { { capabilities = { "STARTTLS" } }, 'tls = "starttls"' },
      ["capabilities[2]"] = { { capabilities = { "SIZE 1", "AUTH PLAIN" } }, "users" },
      ["capabilities[3]"] = { { capabilities = { "DSN", "X", "SIZE many" } }, "SIZE 1000000" },
      ["capabilities[4]"] = { { capabilities = { "DSN", "X", "Y", "Z\r\n250 A" } }, "keyword" } } do
      it("has no use for a wrong " .. option, function()
         local sink, err = safe.sink(case[1])
         assert.is_nil(sink)
         assert.equal("usage", err.kind)
         assert.equal(option, err.option)
         assert(tostring(err):find(case[2], 1, true), tostring(err))
      end)
   end

   it("takes no reply that is not valid", function()
      for _, bad in ipairs { "", "no", "55 no", "5500 no", "650 no", "150 no", "550no", "550-no", "550 a\n550 b",
         "550-a\n551 b", "550-a\n550-b", "550 no\r\n", "550 \27[2J", "550-a\n", 550, true, {} } do
         local _, err = safe.sink { faults = { rcpt = bad } }
         assert.equal("usage", err and err.kind, tostring(bad))
         assert.equal("faults.rcpt", err.option)
         local sink = safe.sink { faults = { rcpt = function() return bad end } }
         local receipt
         receipt, err = send(sink)
         assert.is_nil(receipt)
         assert.same({ "source", "faults.rcpt" }, { err.kind, err.cause.option })
      end
      for _, good in ipairs { "550 5.7.1 no", "550", "421 bye", "550-5.7.1 a\n550 5.7.1 b", "571 no", "drop",
         "silence", false } do
         assert(safe.sink { faults = { rcpt = good } })
      end
   end)

   it("offers STARTTLS and AUTH in its capabilities where it can do them, once", function()
      for _, options in ipairs { { faults = { starttls = "454 4.7.0 not now" } }, { tls = "starttls" } } do
         options.capabilities = { "starttls", "DSN" }
         local client = safe.sink(options):transport()
         client:connect()
         client:send("EHLO x\r\n")
         local _, count = client:receiveany(65536):upper():gsub("STARTTLS", "")
         assert.equal(1, count)
      end
      assert(safe.sink { capabilities = { "AUTH PLAIN" }, faults = { auth = "454 4.7.0 not now" } })
      assert(safe.sink { port = "0", keep = "5" })
   end)

   it("say how the methods of a sink are called", function()
      local one = safe.sink {}
      for _, name in ipairs { "listen", "serve", "transport", "close" } do
         for _, wrong in ipairs { false, {} } do
            local result, err = one[name](wrong or nil)
            assert.is_nil(result)
            assert.same({ "usage", "sink" }, { err.kind, err.option })
            assert.truthy(tostring(err):find("sink:" .. name, 1, true))
         end
      end
   end)
end)
