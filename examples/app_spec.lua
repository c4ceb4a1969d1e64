-- How to test code of yours that sends mail: busted app_spec.lua. No server, no port.
local smtp = require "smtp"

-- The code under test. It takes the server as an argument, so that a test can give another one.
local function welcome(server, user)
   local message = { from = "app@example.org", to = user.email,
      subject = "Welcome, " .. user.name, text = "Your account is ready.\n" }
   for option, value in pairs(server) do message[option] = value end
   local ok, result = pcall(smtp.send, message)
   if ok then return true end
   if result.concerns == "recipient" then return false, "please check your address" end
   error(result, 0)
end

local function server_of(sink)
   return { transport = sink:transport(), tls = "skip" }
end

describe("welcome", function()
   it("sends a message to the new user", function()
      local sink = smtp.sink {}
      assert.is_true(welcome(server_of(sink), { name = "Bob", email = "bob@example.net" }))
      assert.same({ "bob@example.net" }, sink.messages[1].to)
      assert.equal("Welcome, Bob", sink.messages[1].headers.subject)
   end)

   it("asks the user to check an address that does not exist", function()
      local sink = smtp.sink { faults = { rcpt = "550 5.1.1 unknown user" } }
      local ok, text = welcome(server_of(sink), { name = "Bob", email = "bbo@example.net" })
      assert.same({ false, "please check your address" }, { ok, text })
   end)
end)
