local composing = require "spec.tools.composing"
local request = require "smtp.client.request"

local bytes = composing.bytes

describe("headers with options of their own", function()
   it("of a long thread come as one string as well", function()
      local one = ("<%s@somewhere.example>"):format(("x"):rep(40))
      local text = bytes { text = "", references = (one .. " "):rep(50) }
      assert.equal(50, select(2, text:gsub(one, "")))
   end)
end)

describe("The identifiers of a thread", function()
   local composing_refused = composing.refused

   -- -> the value of the field, without folds
   local function field(name, value)
      local text = bytes { text = "", [name] = value }
      local title = name == "references" and "References" or "In%-Reply%-To"
      return (text:match("\r\n" .. title .. ": (.-)\r\n[^ ]"):gsub("\r\n", ""))
   end

   local long = "<" .. ("x"):rep(890) .. "@a.b>"

   for what, row in pairs {
      ["several in a string"] = { "<a@b> <c@d>", "<a@b> <c@d>" },
      ["folds of CRLF"] = { "<a@b>\r\n <c@d>\r\n\t<e@f>", "<a@b> <c@d> <e@f>" },
      ["folds of LF"] = { "<a@b>\n <c@d>\n\t<e@f>", "<a@b> <c@d> <e@f>" },
      ["a fold before the first"] = { "\r\n <a@b>", "<a@b>" },
      ["TABs"] = { "<a@b>\t<c@d>\t\t<e@f>", "<a@b> <c@d> <e@f>" },
      ["commas"] = { "<a@b>,<c@d>, <e@f> ,\r\n <g@h>,", "<a@b> <c@d> <e@f> <g@h>" },
      ["nothing between them"] = { "<a@b><c@d>", "<a@b> <c@d>" },
      ["blanks at the edges"] = { " \t<a@b>  ", "<a@b>" },
      ["no @"] = { "<20261130.abc> <!&!AAAA>", "<20261130.abc> <!&!AAAA>" },
      ["an @ at an edge, or two"] = { "<@a> <a@> <a@b@c> <@>", "<@a> <a@> <a@b@c> <@>" },
      ["a literal, and odd characters"] = { '<a@[127.0.0.1]> <"a"@b> <a/b+c=$1:2,3;4@d>',
         '<a@[127.0.0.1]> <"a"@b> <a/b+c=$1:2,3;4@d>' },
      ["comments"] = { "<a@b> (Ann's message (of (Mon), 12:00)) <c@d>(x)", "<a@b> <c@d>" },
      ["duplicates"] = { "<a@b> <c@d> <a@b>", "<a@b> <c@d> <a@b>" },
      ["a list"] = { { "<a@b>", "<c@d>" }, "<a@b> <c@d>" },
      ["a list of what was received"] = { { "<a@b>,\r\n\t<c@d>", "", " <e> ", "\t" }, "<a@b> <c@d> <e>" },
      ["one that fills a line"] = { { "<a@b>", long }, "<a@b> " .. long },
      ["an entry that looks like an encoded word"] = { "<=?utf-8?q?a?=@b>", "<=?utf-8?q?a?=@b>" },
   } do
      it("may have " .. what .. ", and are kept as they are", function()
         for _, name in ipairs { "in_reply_to", "references" } do assert.equal(row[2], field(name, row[1])) end
      end)
   end

   for what, row in pairs {
      ["without brackets"] = { "<a@b> c@d <e@f>", "c@d" },
      ["without brackets, alone"] = { "c@d", "c@d" },
      ["that does not end"] = { "<a@b> <c@d", "<c@d" },
      ["that does not begin"] = { "<a@b> c@d>", "c@d>" },
      ["with a blank in it"] = { "<a@b> <c d@e>", "<c d@e>" },
      ["with a fold in it"] = { "<a@b> <c\r\n d@e>", "<c d@e>" },
      ["with nothing in it"] = { "<a@b> <>", "<>" },
      ["outside ASCII"] = { "<a@b> <gr\195\188n@b>", "gr\195\188n" },
      ["that is a word"] = { "Your message of Monday <a@b>", "Your" },
      ["after a colon"] = { "References: <a@b>", "References:" },
      ["in a list"] = { { "<a@b>", "<c@d> e" }, '"e"' },
      ["in a comment that does not end"] = { "<a@b> (x", "(x" },
      ["of a line of its own"] = { "<a@b>\r\nBcc: <c@d>", "\\r\\nBcc:" },
      ["that is a line break"] = { "<a@b>\n", '"\\n"' },
      ["too long for a line"] = { "<a@b> <" .. ("y"):rep(900) .. "@b>", "<yyyy" },
      ["that is a number"] = { { "<a@b>", 7 }, "7" },
      ["that is false"] = { false, "false" },
   } do
      it("are refused with one " .. what .. ", which the error names", function()
         for _, name in ipairs { "in_reply_to", "references" } do
            local err = composing_refused { [name] = row[1] }
            assert.equal(name, err.option)
            assert.truthy(tostring(err):find(row[2], 1, true), tostring(err))
            assert.truthy(err.hint:find("<left@right>", 1, true))
            assert.truthy(#tostring(err) < 300)
         end
      end)
   end

   it("are refused where there is none", function()
      for _, value in ipairs { "", " ", ",", "(x)", {}, { "" } } do
         assert.equal("references", composing_refused({ references = value }).option)
      end
   end)

   it("take time in proportion to their length", function()
      for _, piece in ipairs { "<a@b>", "<a@b>,\r\n ", "(a)", " ", "<", "(", "(<a@b>", "\r\n " } do
         local text = "<a@b>" .. piece:rep(100000)
         local started = os.clock()
         composing.message { text = "", references = text }
         assert.truthy(os.clock() - started < 2, piece)
      end
   end)
end)

describe("a text message", function()
   it("has an identifier of its own each time, at the sender's domain", function()
      local seen = {}
      for _ = 1, 100 do
         local _, mail = request.send { from = "a@me.example", to = "b@x.example", text = "" }
         assert.truthy(mail.message_id:find("^<%x+@me%.example>$"))
         assert.is_nil(seen[mail.message_id])
         seen[mail.message_id] = true
      end
   end)
end)
