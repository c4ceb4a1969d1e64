local checked = require "spec.tools.checked"
local composing = require "spec.tools.composing"
local dates = require "smtp.options.dates"

local refused = composing.refused

local function field(name, options)
   return ("\r\n" .. composing.bytes(options)):match("\r\n" .. name:gsub("%-", "%%-") .. ": ([^\r\n]*)")
end

-- By the text that is given: the field Date.
local texts = {
   ["Tue, 24 Nov 2026 12:00:00 +0100"] = "Tue, 24 Nov 2026 12:00:00 +0100",
   ["Wed, 4 Nov 2026 12:00:00 +0100"] = "Wed, 4 Nov 2026 12:00:00 +0100",
   ["Wed, 04 Nov 2026 12:00:00 -0930"] = "Wed, 04 Nov 2026 12:00:00 -0930",
   ["Tue, 24 Nov 2026 12:00:00 +0100 (CET)"] = "Tue, 24 Nov 2026 12:00:00 +0100 (CET)",
   ["Tue, 24 Nov 2026 12:00:00 -0000"] = "Tue, 24 Nov 2026 12:00:00 -0000",
   ["24 Nov 2026 12:00:00 +0100"] = "Tue, 24 Nov 2026 12:00:00 +0100",
   ["Tue, 24 Nov 2026 12:00 +0100"] = "Tue, 24 Nov 2026 12:00:00 +0100",
   ["24 Nov 2026 12:00 +0100"] = "Tue, 24 Nov 2026 12:00:00 +0100",
   ["4 Nov 2026 12:00 GMT"] = "Wed, 4 Nov 2026 12:00:00 +0000",
   ["24 Nov 2026 12:00 UT"] = "Tue, 24 Nov 2026 12:00:00 +0000",
   ["24 Nov 2026 12:00:00 utc"] = "Tue, 24 Nov 2026 12:00:00 +0000",
   ["24 Nov 2026 12:00:00 Z"] = "Tue, 24 Nov 2026 12:00:00 +0000",
   ["24 Nov 2026 12:00:00 EST"] = "Tue, 24 Nov 2026 12:00:00 -0500",
   ["24 Nov 2026 12:00:00 EDT"] = "Tue, 24 Nov 2026 12:00:00 -0400",
   ["24 Nov 2026 12:00:00 CST"] = "Tue, 24 Nov 2026 12:00:00 -0600",
   ["24 Nov 2026 12:00:00 CDT"] = "Tue, 24 Nov 2026 12:00:00 -0500",
   ["24 Nov 2026 12:00:00 MST"] = "Tue, 24 Nov 2026 12:00:00 -0700",
   ["24 Nov 2026 12:00:00 MDT"] = "Tue, 24 Nov 2026 12:00:00 -0600",
   ["24 Nov 2026 12:00:00 PST"] = "Tue, 24 Nov 2026 12:00:00 -0800",
   ["24 Nov 2026 12:00:00 PDT (Pacific)"] = "Tue, 24 Nov 2026 12:00:00 -0700 (Pacific)",
   ["tue, 24 NOV 2026 12:00:00 +0100"] = "Tue, 24 Nov 2026 12:00:00 +0100",
   ["Tue,24 Nov 2026 12:00:00 +0100"] = "Tue, 24 Nov 2026 12:00:00 +0100",
   [" Tue,\t24  Nov 2026\r\n 12:00:00 +0100 "] = "Tue, 24 Nov 2026 12:00:00 +0100",
   ["Sat, 31 Dec 2016 23:59:60 +0000"] = "Sat, 31 Dec 2016 23:59:60 +0000",
   ["Thu, 29 Feb 2024 00:00:00 +0000"] = "Thu, 29 Feb 2024 00:00:00 +0000",
   ["Tue, 29 Feb 2000 00:00:00 +0000"] = "Tue, 29 Feb 2000 00:00:00 +0000",
   ["Mon, 1 Jan 1900 00:00:00 +0000"] = "Mon, 1 Jan 1900 00:00:00 +0000",
   ["Wed, 31 Dec 1969 23:59:59 +0000"] = "Wed, 31 Dec 1969 23:59:59 +0000",
   ["Fri, 31 Dec 9999 23:59:59 +0000"] = "Fri, 31 Dec 9999 23:59:59 +0000",
}

-- By the text that is given: what the error says.
local wrong = {
   ["Mon, 24 Nov 2026 12:00:00 +0100"] = "24 Nov 2026 is a Tue, not a Mon",
   ["wed, 24 Nov 2026 12:00 +0100"] = "24 Nov 2026 is a Tue, not a wed",
   ["Thu, 28 Feb 2024 00:00:00 +0000"] = "28 Feb 2024 is a Wed, not a Thu",
   ["Tuesday, 24 Nov 2026 12:00:00 +0100"] = "24 Nov 2026 is a Tue, not a Tuesday",
   ["31 Feb 2026 12:00:00 +0100"] = "Feb 2026 has no day 31",
   ["Tue, 31 Feb 2026 12:00:00 +0100"] = "Feb 2026 has no day 31",
   ["29 Feb 2026 12:00:00 +0100"] = "Feb 2026 has no day 29", ["29 Feb 2100 12:00:00 +0100"] = "Feb 2100 has no day 29",
   ["29 Feb 1900 12:00:00 +0100"] = "Feb 1900 has no day 29", ["31 Apr 2026 12:00:00 +0100"] = "Apr 2026 has no day 31",
   ["31 Jun 2026 12:00:00 +0100"] = "Jun 2026 has no day 31", ["31 Sep 2026 12:00:00 +0100"] = "Sep 2026 has no day 31",
   ["31 Nov 2026 12:00:00 +0100"] = "Nov 2026 has no day 31", ["32 Dec 2026 12:00:00 +0100"] = "Dec 2026 has no day 32",
   ["0 Nov 2026 12:00:00 +0100"] = "Nov 2026 has no day 0",
   ["24 Nov 2026 24:00:00 +0100"] = "there is no time 24:00:00", ["24 Nov 2026 12:60 +0100"] = "no time 12:60:00",
   ["24 Nov 2026 12:00:61 +0100"] = "no time 12:00:61",
   ["24 Nov 2026 12:00:00 CET"] = "the zone CET is not known", ["24 Nov 2026 12:00:00 A"] = "the zone A is not known",
   ["24 Nov 2026 12:00:00 +01"] = "the zone +01 is not known", ["24 Nov 2026 12:00:00 +0160"] = "zone +0160",
   ["24 Nov 2026 12:00:00 1000"] = "the zone 1000 is not known",
}

-- Other forms.
local forms = { "", "now", "2026-11-24", "2026-11-24 12:00:00 +0100", "24.11.2026 12:00", "11/24/2026 12:00 +0100",
   "24 November 2026 12:00:00 +0100", "Tuesday, 24 Nov 2026 12:00:00 +0100", "Tue 24 Nov 2026 12:00:00 +0100",
   "Foo, 24 Nov 2026 12:00:00 +0100", "24 Nix 2026 12:00:00 +0100", "24 Nov 26 12:00:00 +0100",
   "24 Nov 126 12:00:00 +0100", "24 Nov 1899 12:00:00 +0100", "24 Nov 2026 12:00:00", "24 Nov 2026 +0100",
   "24 Nov 2026 9:00:00 +0100", "24 Nov 2026 12:00: +0100", "24 Nov 2026 12:0 +0100", "24 Nov 2026 12:00:00:00 +0100",
   "24 Nov 2026 12:00:00.5 +0100", "124 Nov 2026 12:00:00 +0100", "24 Nov 2026 12:00:00 +01:00", "24 Nov 2026 12 +0100",
   "Tue, 24 Nov 2026 12:00:00 +0100 CET", "Tue, 24 Nov 2026 12:00:00 +0100 (CET",
   "Tue, 24 Nov 2026 12:00:00 +0100 (C\195)", "Tue, 24 Nov 2026 12:00:00 +0100 (C\r\nBcc: x)",
   "Tue, 24 Nov 2026 12:00:00 +0100\r\nBcc: x", "Tue, 24 Nov 2026\n12:00:00 +0100", "Tue Nov 24 12:00:00 2026",
   "Tue, 24 Nov 2026 12:00:00 +0100 (" .. ("x"):rep(200) .. ")", "24 Nov 2026 12:00 " .. ("A"):rep(200000) .. "\1",
   {}, true, false, 0 / 0, 1 / 0, -1, 1e18 }

describe("The text of a date", function()
   for given, want in pairs(texts) do
      it(("%q becomes a complete one"):format(given), function()
         assert.equal(want, field("Date", { text = "", date = given }))
         for _, name in ipairs { "Resent-Date", "expires", "Expiry-Date", "Reply-By", "Deferred-Delivery" } do
            assert.equal(want, field(name, { text = "", headers = { [name] = given } }))
            assert.equal(want, field(name, { text = "", headers = { { name, given } } }))
         end
      end)
   end

   for given, says in pairs(wrong) do
      it(("%q is refused, and the error says why"):format(given), function()
         for option, value in pairs { date = given, headers = { ["Resent-Date"] = given }, hold_until = given } do
            local err = refused { text = "", [option] = value }
            assert.equal(option, err.option)
            assert.truthy(tostring(err):find(says, 1, true), tostring(err))
            assert.is_string(err.hint)
         end
      end)
   end

   for i, given in ipairs(forms) do
      it(("in another form is refused: %d"):format(i), function()
         assert.equal("date", refused({ text = "", date = given }).option)
         assert.equal("headers", refused({ text = "", headers = { ["Resent-Date"] = given } }).option)
         assert.equal("hold_until", refused({ text = "", hold_until = given }).option)
      end)
   end

   it("that is right says so in any year", function()
      local before = os.setlocale(nil, "time")
      finally(function() os.setlocale(before, "time") end)
      os.setlocale("C", "time") -- of os.date: the library has names of its own
      for time = 0, 4e9, 86400 * 97 + 3601 do
         local text = dates.header(time)
         assert.equal(os.date("!%a, %d %b %Y %H:%M:%S +0000", time), text)
         assert.equal(text, dates.header(text))
         assert.equal(text, dates.header((text:gsub("^..., ", ""))))
         assert.equal(os.date("!%Y-%m-%dT%H:%M:%SZ", time), dates.parameter(text))
      end
   end)

   it("has no effect on other headers", function()
      assert.equal("31 Feb", field("X-Date", { text = "", headers = { ["X-Date"] = "31 Feb" } }))
   end)

   it("is in English whatever the locale", function()
      local before = os.setlocale()
      for _, name in ipairs { "de_DE.UTF-8", "tr_TR.UTF-8", "C" } do
         os.setlocale(name)
         assert.equal("Mon, 24 Nov 2025 16:00:00 +0000", dates.header(1764000000))
         assert.equal("Fri, 24 Jul 2026 16:00:00 +0000", dates.header("fri, 24 jul 2026 16:00 gmt"))
      end
      os.setlocale(before)
   end)
end)

describe("A number", function()
   it("is a time in each header that is a date", function()
      assert.equal("Mon, 24 Nov 2025 16:00:00 +0000", field("Resent-Date", { text = "",
         headers = { ["Resent-Date"] = 1764000000.5 } }))
   end)
end)

describe("hold_until", function()
   it("takes the dates of headers, dates without seconds, and leap seconds", function()
      for given, want in pairs { ["Tue, 24 Nov 2026 12:00:00 +0100"] = "2026-11-24T11:00:00Z",
         ["24 Nov 2026 12:00 EST"] = "2026-11-24T17:00:00Z", ["2026-11-24T12:00+01:00"] = "2026-11-24T11:00:00Z",
         ["2026-11-24 12:00Z"] = "2026-11-24T12:00:00Z", ["2016-12-31T23:59:60Z"] = "2017-01-01T00:00:00Z" } do
         local _, mail = checked.server { hold_until = given }
         assert.equal(want, mail.parameters.hold_until)
      end
   end)

   it("names what is wrong with a date", function()
      for given, says in pairs { ["2026-02-31T12:00:00Z"] = "Feb 2026 has no day 31",
         ["2026-13-01T12:00:00Z"] = "there is no month 13", ["2026-00-01T12:00:00Z"] = "there is no month 00",
         ["2026-11-24T25:00:00Z"] = "no time 25:00:00", ["2026-11-24T12:00:00+25:00"] = "the zone +25:00" } do
         local err = checked.refused { hold_until = given }
         assert.truthy(tostring(err):find(says, 1, true), tostring(err))
      end
   end)
end)
