local checked = require "spec.tools.checked"
local safe = require "smtp.safe"
local smtp = require "smtp"

local base, untouched, refused = checked.base, checked.untouched, checked.refused

describe("an option that belongs elsewhere", function()
   it("is told where", function()
      local _, err = safe.connect { host = "mx.example", subject = "x" }
      assert.truthy(err.hint:find("belongs to a message", 1, true))
      _, err = safe.message { from = base.from, to = base.to, text = "", host = "mx.example" }
      assert.truthy(err.hint:find("belongs to the connection", 1, true))
   end)
end)

describe("an error of the caller's", function()
   it("has a hint, be it only where to read", function()
      for _, more in ipairs { { port = "x" }, { timeout = "soon" }, { tls_verify = 1 }, { raw = 7, text = false },
         { attachments = { { path = "" } } }, { username = 7, password = "x" } } do
         if more.text == false then more.text = nil end
         local err = refused(more)
         assert.is_string(err.hint)
      end
   end)
end)

describe("a list with a hole", function()
   local a, b = "ann@me.example", "bob@there.example"
   for name, value in pairs { to = { a, [3] = b }, cc = { [2] = b }, bcc = { a, nil, b }, reply_to = { [0] = b, a },
      attachments = { { content = "x" }, [3] = { content = "y" } }, references = { "<a@b>", [3] = "<c@d>" },
      list_unsubscribe = { "https://me.example/", [3] = "mailto:off@me.example", one_click = true },
      auth_mechanisms = { "PLAIN", [3] = "LOGIN" }, dkim = { {}, [3] = {} } } do
      it("is refused, so that nothing after the hole is left out: " .. name, function()
         local err = refused { [name] = value }
         assert.equal(name, err.option)
         assert.truthy(err.what:find("is a list", 1, true), err.what)
      end)
   end

   for name, more in pairs { ["envelope.to"] = { envelope = { to = { a, [3] = b } } },
      ["dsn.notify"] = { dsn = { notify = { "failure", [3] = "delay" } } } } do
      it("is refused within an option: " .. name, function()
         assert.equal(name, refused(more).option)
      end)
   end

   it("of messages is refused before any is sent", function()
      local message = { from = a, to = b, text = "" }
      for _, messages in ipairs { { message, nil, message }, { message, [3] = message }, { message, x = message } } do
         local summary, err = safe.send_many({ host = "mx.example", tls = "skip", transport = untouched() }, messages)
         assert.is_nil(summary)
         assert.equal("messages", err.option)
      end
   end)
end)

describe("unknown options", function()
   for given, near in pairs { tls_verfy = "tls_verify", pasword = "password", hots = "host",
      Subject = "subject", usernme = "username", tsl = "tls", replyTo = "reply_to", [" host"] = "host" } do
      it(given .. " suggests " .. near, function()
         local err = refused { [given] = "x" }
         assert.equal(given, err.option)
         assert.equal("Did you mean " .. near .. "?", err.hint)
      end)
   end

   it("far from any name points to the list", function()
      assert.truthy(refused { xyzzyxyzzy = 1 }.hint:find("README", 1, true))
   end)

   it("of another function are unknown there", function()
      local _, err = safe.connect { host = "mx.example", subject = "x" }
      assert.equal("usage", err.kind)
   end)

   it("are tables only", function()
      local _, err = safe.send("mx.example")
      assert.equal("usage", err.kind)
      assert.has_error(function() smtp.send(nil) end)
   end)
end)
