local checked = require "spec.tools.checked"

local refused, server = checked.refused, checked.server

describe("the words of extensions", function()
   for keyword, near in pairs { chunkin = "chunking", ["8bit-mime"] = "8bitmime", DSN = "dsn",
      mtpriority = "mt-priority", deliver_by = "deliverby" } do
      it("are for the names in EHLO: " .. keyword .. " suggests " .. near, function()
         local err = refused { extensions = { [keyword] = "skip" } }
         assert.equal("extensions." .. keyword, err.option)
         assert.truthy(err.hint:find(near, 1, true) or keyword == "DSN")
      end)
   end

   it("leave STARTTLS and AUTH to tls and auth", function()
      assert.truthy(refused({ extensions = { starttls = "skip" } }).hint:find("option tls", 1, true))
      assert.truthy(refused({ extensions = { auth = "require" } }).hint:find("option auth", 1, true))
   end)

   it("are three, in a table", function()
      for _, bad in ipairs { "chunking", true, { "chunking" }, { chunking = true }, { chunking = "off" },
         { chunking = {} } } do
         assert.truthy(refused({ extensions = bad }).option:find("^extensions"))
      end
   end)

   it("promise REQUIRETLS or do not", function()
      assert.equal("extensions.requiretls", refused({ extensions = { requiretls = "prefer" } }).option)
      assert.is_table(server { extensions = { requiretls = "skip" } })
   end)

   it("for pipelining agree with the option", function()
      assert.same({ "off", "skip" }, { server({ extensions = { pipelining = "skip" } }).pipelining,
         server({ pipelining = "off" }).extensions.pipelining })
      assert.equal("eager", server({ pipelining = "eager", extensions = { pipelining = "require" } }).pipelining)
      assert.equal("off", server({ pipelining = "off", extensions = { pipelining = "skip" } }).pipelining)
      for option, word in pairs { off = "require", safe = "skip", eager = "skip" } do
         assert.equal("pipelining", refused({ pipelining = option, extensions = { pipelining = word } }).option)
      end
      refused { pipelining = "off", extensions = { pipelining = "prefer" } }
   end)

   it("do not skip what the message needs", function()
      local err = refused { to = "pel\195\169@there.example", extensions = { smtputf8 = "skip" } }
      assert.equal("extensions.smtputf8", err.option)
      assert.truthy(err.what:find("pel\195\169@there.example", 1, true))
   end)

   it("are copied", function()
      local given = { dsn = "prefer" }
      assert.is_not.equal(given, server({ extensions = given }).extensions)
   end)
end)
