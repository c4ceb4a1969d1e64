-- The option `service`: a provider by name, and what it adds to the other options.
local peer = require "spec.tools.peer"
local safe = require "smtp.safe"
local servers = require "smtp.options.server"
local services = require "smtp.options.services"
local smtp = require "smtp"

local function server(options)
   local s = servers.new(options)
   return { s.host, s.port, s.tls, s.username or "" }
end

describe("service", function()
   local places = {
      gmail = { "smtp.gmail.com", 465, "implicit" }, microsoft365 = { "smtp.office365.com", 587, "require" },
      icloud = { "smtp.mail.me.com", 587, "require" }, yahoo = { "smtp.mail.yahoo.com", 465, "implicit" },
      fastmail = { "smtp.fastmail.com", 465, "implicit" }, zoho = { "smtp.zoho.com", 465, "implicit" },
      sendgrid = { "smtp.sendgrid.net", 465, "implicit" }, mailgun = { "smtp.mailgun.org", 465, "implicit" },
      postmark = { "smtp.postmarkapp.com", 587, "require" }, brevo = { "smtp-relay.brevo.com", 465, "implicit" },
      mailjet = { "in-v3.mailjet.com", 465, "implicit" },
      ["ses:eu-west-1"] = { "email-smtp.eu-west-1.amazonaws.com", 465, "implicit" },
      ["ses:cn-north-1"] = { "email-smtp.cn-north-1.amazonaws.com.cn", 465, "implicit" },
   }
   for name, place in pairs(places) do
      it(name .. " supplies host, port and tls, verified", function()
         local s = servers.new { service = name, username = "ann@example.org", password = "x" }
         assert.same(place, { s.host, s.port, s.tls })
         assert.same({ true, "require", "ann@example.org" }, { s.tls_verify, s.auth, s.username })
         assert.is_table(services.of_host(s.host))
      end)
   end

   it("supplies the user name that is the same for all users", function()
      assert.same({ "smtp.sendgrid.net", 465, "implicit", "apikey" }, server { service = "sendgrid", password = "k" })
      assert.same({ "smtp.postmarkapp.com", 587, "require", "t" }, server { service = "postmark", password = "t" })
      assert.same({ "smtp.sendgrid.net", 465, "implicit", "u" },
         server { service = "sendgrid", user = "u", password = "k" })
      local _, err = safe.connect { service = "gmail", password = "k" }
      assert.equal("username", err.option)
   end)

   it("gives way to each other option", function()
      assert.same({ "smtp.zoho.eu", 465, "implicit", "" }, server { service = "zoho", host = "smtp.zoho.eu" })
      assert.same({ "smtp.zoho.eu", 465, "implicit", "" }, server { service = "zoho", server = "smtp.zoho.eu" })
      assert.same({ "smtp.gmail.com", 587, "require", "" }, server { service = "gmail", port = 587 })
      assert.same({ "smtp.gmail.com", 587, "require", "" }, server { service = "gmail", tls = "require" })
      assert.same({ "smtp.gmail.com", 465, "implicit", "" }, server { service = "gmail", port = "465" })
      assert.same({ "smtp.mail.me.com", 465, "implicit", "" }, server { service = "icloud", tls = "implicit" })
      assert.same({ "mx.example", 2525, "require", "ann" },
         server { service = "gmail", url = "smtp://ann:s@mx.example:2525" })
      assert.equal("/run/x", servers.new({ service = "gmail", socket = "/run/x", tls = "skip" }).socket)
   end)

   it("that is not known is a UsageError with the names", function()
      for _, value in ipairs { "gmial", "", "gmail:x", 5, {}, true, "ses:", "ses:a.b" } do
         local receipt, err = safe.send { service = value, from = "a@b.example", to = "c@d.example", text = "x" }
         assert.is_nil(receipt)
         assert.same({ "usage", "service" }, { err.kind, err.option })
         if value ~= "ses:" then assert.matches("microsoft365", tostring(err), 1, true) end
      end
      local _, err = safe.connect { service = "gmial" }
      assert.matches('Did you mean "gmail"?', err.hint, 1, true)
      _, err = safe.connect { service = "ses" }
      assert.matches("ses:eu-west-1", err.hint, 1, true)
      assert.has_error(function() smtp.send(setmetatable({}, { __index = { service = "gmail" } })) end)
   end)

   it("is an option of the command line", function()
      local pipe = io.popen(peer.interpreter
         .. " csrc/lua-smtp send --service gmial --from a@b.example --to c@d.example --text x 2>&1")
      assert.matches('Did you mean "gmail"?', pipe:read "*a", 1, true)
      pipe:close()
   end)

   it("changes no table of the caller's, and is remembered with the other options", function()
      local given = { service = "sendgrid", password = "k" }
      servers.new(given)
      assert.same({ service = "sendgrid", password = "k" }, given)
      local server_process = peer.start [[
         for i = 1, 2 do
            local sock = accept()
            sock:send("220 hi\r\n") line(sock) sock:send("250 mx\r\n")
            line(sock)
            sock:send("221 bye\r\n") sock:close()
         end
      ]]
      for _ = 1, 2 do
         local connection = assert(safe.connect { service = "gmail", host = "127.0.0.1", port = server_process.port,
            tls = "skip", domain = "me.example" })
         connection:quit()
      end
      server_process.finish()
   end)

   it("is recognised by the name of a server, in any case", function()
      local gmail = services.get "gmail"
      for _, host in ipairs { "smtp.gmail.com", "SMTP.Gmail.Com", "smtp-relay.gmail.com.", "gmail.com" } do
         assert.equal(gmail, services.of_host(host))
      end
      for _, host in ipairs { "notgmail.com", "gmail.com.example", "com", "127.0.0.1", "::1", "",
         "ec2-192-0-2-1.eu-west-1.compute.amazonaws.com", "vps-1.vps.ovh.net" } do
         assert.is_nil(services.of_host(host))
      end
      assert.is_nil(services.of_host(nil))
   end)

   it("is known for every provider of the table, each with what it expects", function()
      for name in pairs(places) do
         local provider = services.get(name:match("^%w+"))
         assert.is_true(#provider.login > 20 and #provider.login <= 200, name)
         for _, field in ipairs { "login", "sender" } do
            local text = provider[field] or ""
            for _, word in ipairs { "nobody", "wants", "%.%.", "  ", "nil" } do assert.is_nil(text:find(word), text) end
         end
      end
   end)
end)
