-- method= in the type and METHOD in the text are both there, and the same, or neither is (RFC 5545 3.7.2).
local calendar = require "smtp.compose.calendar"
local composing = require "spec.tools.composing"

local bytes, refused = composing.bytes, composing.refused

-- -> the text as it goes out, and the method of its type
local function sent(content, method)
   local text = bytes { calendar = { content = content, method = method } }
   return text:match("\r\n\r\n(.*)$"), text:match("\r\nContent%-Type: text/calendar; charset=utf%-8([^\r\n]*)")
end

local function lines(...)
   return table.concat({ ... }, "\r\n") .. "\r\n"
end

local plain = lines("BEGIN:VCALENDAR", "VERSION:2.0", "BEGIN:VEVENT", "UID:1", "END:VEVENT", "END:VCALENDAR")

-- What says METHOD:REQUEST.
local invitations = {
   ["a property"] = lines("BEGIN:VCALENDAR", "VERSION:2.0", "METHOD:REQUEST", "END:VCALENDAR"),
   ["a property after an event"] = lines("BEGIN:VCALENDAR", "BEGIN:VEVENT", "END:VEVENT", "METHOD:REQUEST",
      "END:VCALENDAR"),
   ["small letters"] = lines("begin:vcalendar", "method:request", "end:vcalendar"),
   ["letters of both kinds"] = lines("Begin:vCalendar", "Method:Request", "End:vCalendar"),
   ["lines that end in LF"] = "BEGIN:VCALENDAR\nMETHOD:REQUEST\nEND:VCALENDAR\n",
   ["lines that end in CR"] = "BEGIN:VCALENDAR\rMETHOD:REQUEST\rEND:VCALENDAR\r",
   ["lines that end in any way"] = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\nEND:VCALENDAR\r",
   ["no line end at its end"] = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR",
   ["a byte order mark"] = "\239\187\191BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n",
   ["a fold before its value"] = "BEGIN:VCALENDAR\r\nMETHOD:\r\n REQUEST\r\nEND:VCALENDAR\r\n",
   ["a fold in its name"] = "BEGIN:VCALENDAR\r\nMET\r\n HOD:REQUEST\r\nEND:VCALENDAR\r\n",
   ["a fold after its first letter"] = "B\r\n EGIN:VCALENDAR\r\nM\r\n\tETHOD:REQUEST\r\nEND:VCALENDAR\r\n",
   ["folds of LF and a TAB"] = "BEGIN:VCAL\n\tENDAR\nMETHOD\n\t:REQ\n\tUEST\nEND:VCALENDAR\n",
   ["parameters"] = lines("BEGIN:VCALENDAR", 'METHOD;X-A=b;X-B="c:d;e":REQUEST', "END:VCALENDAR"),
   ["blanks around its value"] = lines("BEGIN:VCALENDAR ", "METHOD: REQUEST ", "END:VCALENDAR"),
   ["two calendars"] = lines("BEGIN:VCALENDAR", "METHOD:REQUEST", "END:VCALENDAR", "BEGIN:VCALENDAR", "METHOD:request",
      "END:VCALENDAR"),
   ["the property twice"] = lines("BEGIN:VCALENDAR", "METHOD:REQUEST", "METHOD:REQUEST", "END:VCALENDAR"),
   ["another METHOD in a component"] = lines("BEGIN:VCALENDAR", "METHOD:REQUEST", "BEGIN:VEVENT", "METHOD:CANCEL",
      "BEGIN:VALARM", "METHOD:X", "END:VALARM", "METHOD:CANCEL", "END:VEVENT", "END:VCALENDAR"),
}

-- What says nothing of a method.
local silent = {
   ["nothing"] = plain,
   ["METHOD in a component"] = lines("BEGIN:VCALENDAR", "BEGIN:VEVENT", "METHOD:CANCEL", "END:VEVENT", "END:VCALENDAR"),
   ["METHOD in the description"] = lines("BEGIN:VCALENDAR", "X-NOTE:a", " METHOD:CANCEL", "METHODS:x", "METHOD-X:x",
      "X-METHOD:x", "END:VCALENDAR"),
   ["METHOD between two calendars"] = lines("BEGIN:VCALENDAR", "END:VCALENDAR", "METHOD:CANCEL", "BEGIN:VCALENDAR",
      "END:VCALENDAR"),
}

describe("An invitation with", function()
   for name, content in pairs(invitations) do
      it(name .. " has the method of its text", function()
         for _, method in ipairs { false, "REQUEST", "request" } do
            local text, type_ = sent(content, method or nil)
            assert.equal("; method=REQUEST", type_)
            local want = content:gsub("^\239\187\191", ""):gsub("\r\n", "\n"):gsub("\r", "\n"):gsub("\n+$", "")
            assert.equal(((want .. "\n"):gsub("\n", "\r\n")), text)
         end
      end)

      it(name .. " is refused with another method, and both are named", function()
         local err = refused { calendar = { content = content, method = "cancel" } }
         assert.equal("calendar", err.option)
         assert.truthy(tostring(err):find("CANCEL", 1, true))
         assert.truthy(tostring(err):find("METHOD:REQUEST", 1, true))
      end)
   end

   for name, content in pairs(silent) do
      it(name .. " has no method in its type, and gets one in both places", function()
         local text, type_ = sent(content)
         assert.same({ content, "" }, { text, type_ })
         text, type_ = sent(content, "publish")
         local want = content:gsub("BEGIN:VCALENDAR\r\n", "%0METHOD:PUBLISH\r\n")
         assert.same({ want, "; method=PUBLISH" }, { text, type_ })
      end)
   end

   it("a method that is added has it after the line BEGIN:VCALENDAR, which may be folded", function()
      for content, want in pairs {
         ["begin:vcalendar\nend:vcalendar\n"] = "begin:vcalendar\nMETHOD:ADD\nend:vcalendar\n",
         ["BEGIN\r\n\t:VCALENDAR\r\nEND:VCALENDAR"] = "BEGIN\r\n\t:VCALENDAR\r\nMETHOD:ADD\r\nEND:VCALENDAR",
         ["\r\n\n BEGIN:VCALENDAR\nEND:VCALENDAR\n"] = "BEGIN:VCALENDAR\nMETHOD:ADD\nEND:VCALENDAR\n",
         ["\239\187\191BEGIN:VCALENDAR\rEND:VCALENDAR\r"] = "BEGIN:VCALENDAR\rMETHOD:ADD\rEND:VCALENDAR\r",
         ["BEGIN:VCALENDAR\nEND:VCALENDAR\nBEGIN:VCALENDAR\nMETHOD:ADD\nEND:VCALENDAR\n"] =
            "BEGIN:VCALENDAR\nMETHOD:ADD\nEND:VCALENDAR\nBEGIN:VCALENDAR\nMETHOD:ADD\nEND:VCALENDAR\n",
      } do
         assert.same({ want, "ADD" }, { calendar.read(content, "add") })
      end
   end)

   it("a fold between two bytes of a character is well-formed", function()
      for _, line_end in ipairs { "\r\n", "\n" } do
         local content = ("BEGIN:VCALENDAR|SUMMARY:gr\195| \188n\226\130|\t\172|END:VCALENDAR|"):gsub("|", line_end)
         assert.truthy(sent(content):find("SUMMARY:gr\r\n =C3=BCn\r\n\t=E2=82=AC\r\n", 1, true))
      end
   end)

   it("a METHOD that is none is to be corrected in the text, whatever method says", function()
      for _, value in ipairs { "", "  ", "a b", "R\195\169Q" } do
         for _, method in ipairs { false, "REQUEST" } do
            local err = refused { calendar = { method = method or nil,
               content = lines("BEGIN:VCALENDAR", "METHOD:" .. value, "END:VCALENDAR") } }
            assert.truthy(err.hint:find("that line of the text", 1, true), tostring(err))
         end
      end
   end)

   for name, given in pairs {
      ["two methods"] = { content = lines("BEGIN:VCALENDAR", "METHOD:REQUEST", "METHOD:CANCEL", "END:VCALENDAR") },
      ["a method in each of its calendars"] = { content = lines("BEGIN:VCALENDAR", "METHOD:REQUEST", "END:VCALENDAR",
         "BEGIN:VCALENDAR", "METHOD:CANCEL", "END:VCALENDAR") },
      ["a method in its second calendar only"] = { content = lines("BEGIN:VCALENDAR", "END:VCALENDAR",
         "BEGIN:VCALENDAR", "METHOD:CANCEL", "END:VCALENDAR") },
      ["an empty METHOD"] = { content = lines("BEGIN:VCALENDAR", "METHOD:", "END:VCALENDAR") },
      ["a METHOD that is no word"] = { content = lines("BEGIN:VCALENDAR", "METHOD:a b", "END:VCALENDAR") },
      ["a METHOD too long for a line"] = { content = lines("BEGIN:VCALENDAR", "METHOD:" .. ("x"):rep(500),
         "END:VCALENDAR") },
      ["a method of two words"] = { content = plain, method = "a b" },
      ["an empty method"] = { content = plain, method = "" },
      ["another object first"] = { content = lines("BEGIN:VCARD", "END:VCARD") },
      ["an object after it"] = { content = plain .. lines("BEGIN:VCARD", "END:VCARD") },
      ["a line before it"] = { content = "VERSION:2.0\r\n" .. plain },
      ["a word of its own"] = { content = plain, methods = "REQUEST" },
      ["half a character"] = { content = "BEGIN:VCALENDAR\r\nX-A:\195\r\nEND:VCALENDAR\r\n" },
      ["a NUL"] = { content = "BEGIN:VCALENDAR\r\nX-A:\0\r\nEND:VCALENDAR\r\n" },
   } do
      it(name .. " is refused", function()
         local err = refused { calendar = given }
         assert.truthy(err.option:find("^calendar"))
         assert.is_string(err.hint)
         assert.truthy(#tostring(err) < 300)
      end)
   end

   it("any line takes time in proportion to its length", function()
      for _, line in ipairs { "METHOD:" .. (" "):rep(100000), "METHOD:" .. ("a "):rep(50000),
         ("METHOD:\r\n "):rep(10000),
         "METHOD;" .. ('"'):rep(100001), "METHOD" .. (";"):rep(100000), ("\r\n"):rep(50000), ("M\r\n "):rep(20000),
         ("BEGIN:X\r\n"):rep(10000), ("\195\r\n "):rep(20000), "METHOD:" .. ("\t"):rep(100000) .. "x" } do
         local started = os.clock()
         composing.message { calendar = "BEGIN:VCALENDAR\r\n" .. line .. "\r\nEND:VCALENDAR\r\n" }
         assert.truthy(os.clock() - started < 1, line:sub(1, 20))
      end
   end)

   it("a method that is not text is refused", function()
      for _, method in ipairs { 7, {}, true } do
         assert.equal("calendar.method", refused({ calendar = { content = plain, method = method } }).option)
      end
   end)
end)
