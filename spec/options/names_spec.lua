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

describe("the mechanisms of this library", function()
   it("prove who the server is, bind to the channel, and need a secret by their names", function()
      local list = {}
      for i, one in ipairs(names.mechanisms) do
         list[i] = one.name
         assert.equal(one.name:find "^SCRAM" ~= nil, one.mutual == true, one.name)
         assert.equal(one.name:find "PLUS$" ~= nil, one.binds == true, one.name)
         assert.equal(({ OAUTHBEARER = "token", XOAUTH2 = "token", EXTERNAL = "none" })[one.name] or "password",
            one.secret or "none", one.name)
         assert.equal(one, names.mechanisms.by_name[one.name])
      end
      assert.equal("OAUTHBEARER XOAUTH2 SCRAM-SHA-512-PLUS SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS SCRAM-SHA-512 "
         .. "SCRAM-SHA-256 SCRAM-SHA-1 PLAIN LOGIN EXTERNAL CRAM-MD5", table.concat(list, " "))
   end)

   it("are used where they are not to be named, and have a field for authzid, but some", function()
      local named, bare = {}, {}
      for _, one in ipairs(names.mechanisms) do
         named[one.name], bare[one.name] = one.named, one.bare
      end
      assert.same({ EXTERNAL = true, ["CRAM-MD5"] = true }, named)
      assert.same({ OAUTHBEARER = true, XOAUTH2 = true, LOGIN = true, ["CRAM-MD5"] = true }, bare)
   end)
end)
