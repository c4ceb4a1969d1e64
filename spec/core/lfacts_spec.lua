local core = require "smtp.core"

describe("the capabilities of a server", function()
   it("are keywords in upper case with their parameters, those of a keyword said twice together", function()
      assert.same({ SIZE = "100", PIPELINING = "", AUTH = "PLAIN LOGIN CRAM-MD5", OK = "SESSIONID=<1>",
         ["8BITMIME"] = "" },
         core.capabilities("size 100 \nPIPELINING\nAUTH=PLAIN LOGIN\nauth \t CRAM-MD5\n =x\n\nOk SESSIONID=<1>\n"
         .. "8BitMime"))
      assert.same({}, core.capabilities(""))
      local long = ("x"):rep(600)
      assert.same({ [long:sub(1, 512):upper()] = long:sub(513) }, core.capabilities(long))
   end)
end)

describe("the limits of a server", function()
   it("are numbers also where they are larger than 32 bits have", function()
      local sessions = require "spec.tools.sessions"
      for digits, number in pairs { ["2147483647"] = 2 ^ 31 - 1, ["2147483648"] = 2 ^ 31, ["5000000000"] = 5e9 } do
         assert.equal(number, sessions.open(nil, "250-SIZE " .. digits .. "\r\n"):facts().size_max)
      end
   end)
end)

describe("what became of each mechanism", function()
   it("is a word for programs inside: session:mechanisms()", function()
      local session = core.session { domain = "me.example", auth = "require", username = "ann", host = "mx.example",
         mechanisms = { { name = "PLAIN" }, { name = "SCRAM-SHA-1-PLUS", binds = true } } }
      session:heard("220 hi\r\n")
      session:sent(#session:output())
      session:heard("250-mx\r\n250 AUTH PLAIN SCRAM-SHA-1-PLUS NTLM\r\n")
      local words = {}
      for i, one in ipairs(session:mechanisms()) do words[i] = one.name .. " " .. one.state end
      assert.same({ "PLAIN in_clear", "SCRAM-SHA-1-PLUS needs_tls", "NTLM unlisted" }, words)
   end)
end)

describe("what a server offers", function()
   local function offer(lines, known)
      local session = core.session { domain = "me.example" }
      session:heard("220 hi\r\n")
      session:sent(#session:output())
      session:heard(lines)
      return session:offer(known)
   end

   it("is one string, the same for the same: session:offer()", function()
      local one = offer "250-mx\r\n250 SIZE 1\r\n"
      assert.equal(one, offer "250-mx\r\n250 SIZE 1\r\n")
      assert.equal(one, offer("250-mx\r\n250 SIZE 1\r\n", one))
      for _, other in ipairs { "250-mx\r\n250 SIZE 12\r\n", "250-mx\r\n250 SIZE 2\r\n", "250-mx2\r\n250 SIZE 1\r\n",
         "250 mx\r\n" } do
         local found = offer(other, one)
         assert.not_equal(one, found)
         assert.equal(found, offer(other, found))
         assert.equal(found, offer(other, "x"))
      end
   end)
end)
