-- The hint for a name that no option has.
local checked = require "spec.tools.checked"
local safe = require "smtp.safe"

local base, refused = checked.base, checked.refused

describe("an unknown name", function()
   it("belongs to another call", function()
      local _, err = safe.connect { host = "mx.example", body = "x" }
      assert.equal('Write text = "…" (raw = … for a whole message with its header); it belongs to a message: '
         .. "smtp.send, connection:send or send_many", err.hint)
      _, err = safe.message { from = base.from, to = base.to, text = "", pass = "x" }
      assert.truthy(err.hint:find("^Write password = …; it belongs to the connection"), err.hint)
      assert.is_nil(tostring(err):find('"x"', 1, true))
   end)

   it("is given without a name", function()
      local err = refused { "bob@there.example" }
      assert.equal('Write each option with its name: { to = "bob@example.net" }', err.hint)
   end)

   it("is not taken for one that has little in common with it", function()
      for _, name in ipairs { "keep", "time", "id", "max", "once", "created", "at", "drat", "loop2x" } do
         local hint = refused({ [name] = 1 }).hint
         assert.is_true(hint == "lua/README.md lists all options" or hint == "Did you mean loop?", name .. ": " .. hint)
      end
      assert.matches("chunking", refused({ bdat = 1 }).hint)
      for name, meant in pairs { prot = "port", hots = "host", tsl = "tls", atachments = "attachments" } do
         assert.equal(("Did you mean %s?"):format(meant), refused({ [name] = 1 }).hint)
      end
      assert.matches("Write host = ", refused({ hostnname = 1 }).hint)
   end)

   it("is not known: the error lists short lists", function()
      assert.equal("The names are from and to", refused({ envelope = { xyzzyxyzzy = 1 } }).hint)
      assert.equal('lua/README.md lists all options', refused({ xyzzyxyzzy = 1 }).hint)
   end)
end)
