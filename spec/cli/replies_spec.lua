local errors = require "smtp.errors"
local safe = require "smtp.safe"
local replies = require "smtp.cli.replies"

local apply = errors.returning(function(options)
   replies.apply(options)
   return options
end)

local function read(list, is_lmtp)
   local options, err = apply { reply = list, lmtp = is_lmtp }
   return options and options.faults, err
end

local function say(faults, stage, what)
   return faults[stage](what)
end

describe("lua-smtp sink --reply", function()
   it("replaces the reply to a command", function()
      for name, stage in pairs { CONNECT = "connect", greeting = "connect", EHLO = "ehlo", LHLO = "ehlo",
         HELO = "helo", STARTTLS = "starttls", auth = "auth", MAIL = "mail", Rcpt = "rcpt", DATA = "data",
         BDAT = "data", ["."] = "final", END = "final", RSET = "rset", QUIT = "quit" } do
         local faults = read { name .. "=450 4.2.0 later = never" }
         assert.equal("450 4.2.0 later = never", say(faults, stage, nil))
         assert.is_nil(next(faults, stage))
      end
   end)

   it("is counted from 1", function()
      assert.equal("reply", select(2, read { "RCPT#0=450" }).option)
   end)

   it("may say something else than a reply", function()
      for text, fault in pairs { drop = "drop", close = "drop", silence = "silence", ["slow 2.5"] = "slow 2.5",
         ["550"] = "550" } do
         assert.equal(fault, say(read { "RCPT=" .. text }, "rcpt", "RCPT TO:<a@b.example>"))
      end
   end)

   it("may depend on the argument of the command", function()
      for pattern, matches in pairs {
         ["RCPT:bob@*"] = { "RCPT TO:<Bob@there.example> NOTIFY=NEVER", "RCPT TO:<rob@there.example>" },
         ["RCPT:a=5+?@B.Example"] = { "rcpt to: <a=5+x@b.example>", "RCPT TO:<a=5@b.example>" },
         ["RCPT:%a@[b]*"] = { "RCPT TO:<%a@[b]>", "RCPT TO:<xa@b>" },
         ["RCPT:jös*"] = { "RCPT TO:<jösé@b.example>", "RCPT TO:<j@b.example>" },
         ["MAIL:"] = { "MAIL FROM:<>", "MAIL FROM:<a@b.example>" },
         ["EHLO:me.*"] = { "EHLO me.example", "EHLO you.example" },
         ["AUTH:xoauth2"] = { "AUTH XOAUTH2 dXNlcg==", "AUTH PLAIN AGE=" } } do
         for _, fault in ipairs { "450 4.2.0 later", "drop" } do
            local faults = read { pattern .. "=" .. fault }
            local stage = pattern:match("^%a+"):lower()
            assert.equal(fault, say(faults, stage, matches[1]))
            assert.is_nil(say(faults, stage, matches[2]))
         end
      end
      local faults = read({ "END:bob@*=452 4.2.2 full" }, true)
      assert.same({ "452 4.2.2 full" }, { say(faults, "final", "bob@there.example"), (say(faults, "final", "c@d")) })
   end)

   it("may count: the first, or several of them", function()
      local faults = read { "RCPT:bob@*#1=450 4.2.0 later", "RCPT#3=drop", "RCPT:carol@*=550 5.1.1 unknown" }
      local list = {}
      for i, name in ipairs { "ann", "bob", "bob", "carol", "bob" } do
         list[i] = say(faults, "rcpt", ("RCPT TO:<%s@there.example>"):format(name)) or "usual"
      end
      assert.same({ "usual", "450 4.2.0 later", "drop", "550 5.1.1 unknown", "usual" }, list)
   end)

   it("offers what is refused", function()
      assert.is_nil(apply({}).capabilities)
      local options = apply { reply = { "STARTTLS=454 4.7.0 no", "AUTH=535 5.7.8 no" } }
      assert(safe.sink(options))
      assert.equal("STARTTLS AUTH PLAIN LOGIN", table.concat(options.capabilities, " ", #options.capabilities - 1))
      options = apply { reply = { "STARTTLS=454 4.7.0 no", "AUTH=535 5.7.8 no" }, tls = "starttls", auth = {} }
      assert.equal("DSN", options.capabilities[#options.capabilities])
   end)

   it("has to be written so that the sink understands it", function()
      for text, expected in pairs {
         ["RCPT"] = "has no reply%. Write %-%-reply 'RCPT:bob@%*=450 4%.2%.0 later'", [""] = "has no reply",
         ["RCTP=450 later"] = 'begins with "RCTP", which is not a command that the sink answers%. Did you mean RCPT%?',
         ["XYZZY=450 later"] = "Use one of AUTH, BDAT, CONNECT, ",
         ["RCPT=later"] = "has a reply that is not valid: it has no code from 200 to 599", ["RCPT="] = "it has no code",
         ["RCPT=45 later"] = "it has no code", ["RCPT=450later"] = "no space after the code",
         ["RCPT=slow"] = "slow SECONDS",
         ["QUIT:x=221 bye"] = "has a pattern, but QUIT has nothing to compare it with",
         ["END:bob@*=450 later"] = "with %-%-lmtp, END" } do
         local faults, err = read { text }
         assert.is_nil(faults)
         assert.same({ "usage", "reply" }, { err.kind, err.option })
         assert.matches(expected, tostring(err))
      end
   end)
end)
