local core = require "smtp.core"
local request = require "smtp.client.request"

local server = assert(request.connection { host = "mx.example", tls = "skip" })

-- Is it a date that short texts are composed with in one step?
local function is_short(date)
   return request.plain({ from = "a@x", to = "b@x", text = "hi", date = date }, server) ~= nil
end

describe("A date", function()
   local DAYS = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" }
   local MONTHS = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" }

   it("is the one that the system knows, on every day of 8,000 years", function()
      local time = 0
      while time < 253402300800 do
         local d = os.date("!*t", time)
         local want = ("%s, %02d %s %d %02d:%02d:%02d +0000"):format(DAYS[d.wday], d.day, MONTHS[d.month], d.year,
            d.hour, d.min, d.sec)
         if core.date(time) ~= want then assert.equal(want, core.date(time)) end
         if not is_short(want) then error(want) end
         time = time + (time < 1e10 and 86400 * 9 or 86400 * 89) + 3671
      end
   end)

   it("is written in seconds, and with four digits for the year", function()
      assert.equal("Thu, 01 Jan 1970 00:00:00 +0000", core.date(0.9))
      assert.equal("Thu, 29 Feb 2024 23:59:59 +0000", core.date(1709251199))
      assert.equal("Fri, 31 Dec 9999 23:59:59 +0000", core.date(253402300799))
      for _, time in ipairs { -1, 253402300800, 1 / 0, 0 / 0 } do assert.is_nil(core.date(time)) end
      assert.has_error(function() core.date("now") end)
   end)

   it("of another form, or of no day, is not one for short texts", function()
      assert.is_true(is_short "Tue, 24 Nov 2026 12:00:00 -0730")
      for _, date in ipairs { "", "Mon, 24 Nov 2026 12:00:00 +0000", "Tue, 31 Feb 2026 12:00:00 +0000",
         "Tue, 00 Nov 2026 12:00:00 +0000", "Tue, 24 Nov 2026 24:00:00 +0000", "Tue, 24 Nov 2026 12:60:00 +0000",
         "Tue, 24 Nov 2026 12:00:60 +0000", "Tue, 24 Nov 2026 12:00:00 +000x", "Tue, 24 Nov 2026 12:00:00 +0160",
         "Tue, 24 Nov 2026 12:00:00 00000",
         "Tue, 24 Nov 2026 12:00:00+00000", "Tue, 24 nov 2026 12:00:00 +0000", "Tue, 4 Nov 2026 12:00:00 +0000",
         "Tue, 24 Nov 2026 12:00:00 +0000 ", "Tue, 24 Nov 2026 12.00.00 +0000", "Wed, 24 Nov 1926 12:00:00 +0000",
         "Tue, -4 Nov 2026 12:00:00 +0000", "Tue, 24 Nov  026 12:00:00 +0000", "Tue; 24 Nov 2026 12:00:00 +0000",
         ("x"):rep(31), "\r\n" .. ("x"):rep(29) } do
         assert.is_false(is_short(date))
      end
   end)
end)
