local checked = require "spec.tools.checked"
local safe = require "smtp.safe"

local base, refused = checked.base, checked.refused

describe("date", function()
   for _, date in ipairs { "Foo, 24 Nov 2026 12:00:00 +0000", "Tue, 99 Nov 2026 12:00:00 +0000",
      "Tue, 24 Nix 2026 12:00:00 +0000", "Tue, 24 Nov 2026 24:00:00 +0000", "Tue, 24 Nov 2026 12:00:61 +0000",
      0 / 0, 1 / 0, -1, 1e18, "2026-11-24", "Tue, 24 Nov 2026 12:00" .. ("z"):rep(1000),
      "Tue, 24 Nov 2026 12:00:00 +0000\r\nBcc: x", {}, false } do
      it("is refused where it is none: " .. tostring(date):sub(1, 30), function()
         assert.equal("date", refused({ date = date }).option)
      end)
   end

   it("is a time, fractions of a second left out, or a date of RFC 5322", function()
      for date, written in pairs { [0.5] = "Thu, 01 Jan 1970 00:00:00 +0000",
         [1764000000] = "Mon, 24 Nov 2025 16:00:00 +0000",
         ["Tue, 24 Nov 2026 12:00:00 +0100 (CET)"] = "Tue, 24 Nov 2026 12:00:00 +0100 (CET)",
         ["Tue, 4 Nov 2026 12:00 GMT"] = "Tue, 4 Nov 2026 12:00 GMT" } do
         local message = assert(safe.message { from = base.from, to = base.to, text = "", date = date })
         assert.truthy(tostring(message):find("Date: " .. written .. "\r\n", 1, true), tostring(message))
      end
   end)
end)

describe("what is sent", function()
   for _, name in ipairs { "X A", "X:A", "", "X\195\164" } do
      it(("refuses the header name '%s'"):format(name), function()
         assert.equal("headers", refused({ headers = { [name] = "x" } }).option)
      end)
   end

   it("has headers of options in those options only", function()
      for _, name in ipairs { "From", "TO", "bcc", "Subject", "Date", "Message-Id", "MIME-Version",
         "Content-Type" } do
         assert.equal("headers", refused({ headers = { [name] = "x" } }).option)
      end
   end)
end)
