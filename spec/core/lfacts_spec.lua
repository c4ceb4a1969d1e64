describe("the capabilities of a server", function()
   it("are keywords in upper case with their parameters, those of a keyword said twice together", function()
      local core = require "smtp.core"
      assert.same({ SIZE = "100", PIPELINING = "", AUTH = "PLAIN LOGIN CRAM-MD5", OK = "SESSIONID=<1>",
         ["8BITMIME"] = "" },
         core.capabilities("size 100 \nPIPELINING\nAUTH=PLAIN LOGIN\nauth \t CRAM-MD5\n =x\n\nOk SESSIONID=<1>\n"
         .. "8BitMime"))
      assert.same({}, core.capabilities(""))
      local long = ("x"):rep(600)
      assert.same({ [long:sub(1, 512):upper()] = long:sub(513) }, core.capabilities(long))
   end)
end)
