local composing = require "spec.tools.composing"
local core = require "smtp.core"

local bytes, refused = composing.bytes, composing.refused

local function lines(...)
   return table.concat({ ... }, "\r\n") .. "\r\n"
end

-- The parameter method= and METHOD, see spec/compose/calendar_spec.lua.
describe("The type of an attached calendar", function()
   local invitations = {
      lines("BEGIN:VCALENDAR", "METHOD:REQUEST", "END:VCALENDAR"),
      "\239\187\191begin:vcalendar\nmet\n hod;x=\":\":\n\trequest\nend:vcalendar",
      lines("BEGIN:VCALENDAR", "METHOD:REQUEST", "END:VCALENDAR", "BEGIN:VCALENDAR", "METHOD:REQUEST", "END:VCALENDAR"),
   }
   local silent = lines("BEGIN:VCALENDAR", "BEGIN:VEVENT", "METHOD:CANCEL", "END:VEVENT", "END:VCALENDAR")
   local with_cancel = silent:gsub("BEGIN:VCALENDAR\r\n", "%0METHOD:CANCEL\r\n")

   local function part(options)
      options.filename = options.filename or "i.ics"
      local text = bytes { attachments = { options } }
      local field, coded = text:match("Content%-Type: [Tt]ext/[Cc]alendar(.-\r\n)Content.-\r\n\r\n(.-)\r\n%-%-=")
      return core.base64_decode((coded:gsub("[\r\n]", ""))), field
   end

   -- The same bytes as a string, as a file, and as a string whose type the name shows.
   local function each(content, content_type, act)
      act { content = content, content_type = content_type }
      composing.with_file(content, function(path) act { path = path, content_type = content_type } end)
      if content_type == "text/calendar" then act { content = content } end
   end

   it("has the method of the text, whose bytes stay as they are", function()
      for _, content in ipairs(invitations) do
         for _, one in ipairs { "text/calendar", "Text/Calendar; charset=utf-8", 'text/calendar; Method="Request"' } do
            each(content, one, function(options)
               local text, field = part(options)
               assert.equal(content, text)
               assert.equal(1, select(2, field:lower():gsub('method="?request', "")), field)
            end)
         end
      end
   end)

   it("has none where the text has none, or says several things, or is something else", function()
      for _, content in ipairs { silent, "", "x", lines("BEGIN:VCALENDAR", "METHOD:A", "END:VCALENDAR",
         "BEGIN:VCALENDAR", "METHOD:B", "END:VCALENDAR"), lines("BEGIN:VCALENDAR", "METHOD:", "END:VCALENDAR") } do
         each(content, "text/calendar", function(options)
            local text, field = part(options)
            assert.equal(content, text)
            assert.is_nil(field:find("method", 1, true))
         end)
      end
   end)

   it("gives its method to a text that has none", function()
      for _, one in ipairs { "text/calendar; method=CANCEL", 'text/calendar; METHOD="cancel"; charset=utf-8' } do
         each(silent, one, function(options) assert.equal(with_cancel, (part(options))) end)
      end
   end)

   it("is refused where it contradicts the text, or where there is no calendar", function()
      for _, content in ipairs(invitations) do
         each(content, "text/calendar; method=cancel", function(options)
            local err = refused { attachments = { options } }
            assert.equal("attachments[1].content_type", err.option)
            assert.truthy(tostring(err):find("CANCEL", 1, true))
            assert.truthy(tostring(err):find("METHOD:REQUEST", 1, true))
         end)
      end
      each("x", "text/calendar; method=cancel", function(options)
         assert.equal("attachments[1].content_type", refused({ attachments = { options } }).option)
      end)
   end)

   it("stays as it is where the bytes come from a function", function()
      local given = false
      local _, field = part { content_type = "text/calendar; method=CANCEL", source = function()
         if given then return nil end
         given = true
         return silent
      end }
      assert.truthy(field:find("method=CANCEL", 1, true))
   end)
end)
