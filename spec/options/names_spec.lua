-- The table of options, and other lists of them that must agree with it.
local names = require "smtp.options.names"
local request = require "smtp.client.request"

describe("the table of options", function()
   it("names each option of a set once", function()
      for _, set in ipairs { names.connection, names.message } do
         local count = 0
         for name, option in pairs(set.by_name) do
            assert.equal(name, option[1])
            count = count + 1
         end
         assert.equal(count, #set.list)
      end
   end)

   it("has options that are used as they are, and not copied", function()
      local function sorted(set)
         local list = {}
         for name in pairs(set) do list[#list + 1] = name end
         table.sort(list)
         return table.concat(list, " ")
      end
      assert.equal("auth_mechanisms loop transport", sorted(names.connection.objects))
      assert.equal("bcc cc dkim from reply_to to", sorted(names.message.objects))
      local all = {}
      for i, name in ipairs(names.all) do all[i] = name end
      assert.equal(#names.connection.names + #names.message.names, #all)
   end)

   it("lets smtp.probe recommend options that are neither secrets nor objects", function()
      local t = { domain = "me.example", username = "ann", password = "sesame", token = "t", transport = {},
         auth_mechanisms = { "PLAIN" }, tls_cert = "c.pem", trace = print, keepalive = { idle = 1 }, port = 25 }
      local carried = request.carried(t)
      assert.same({ domain = "me.example", auth_mechanisms = { "PLAIN" }, tls_cert = "c.pem" }, carried)
      assert.is_not.equal(t.auth_mechanisms, carried.auth_mechanisms)
      assert.same({}, request.carried { auth_mechanisms = { { name = "X", start = print, step = print } } })
   end)
end)
