--- Dates as text: those of headers (RFC 5322 3.3), and those of parameters of MAIL (RFC 3339 5.6).
-- @module smtp.options.dates

local ascii = require "smtp.ground.ascii"
local core = require "smtp.core"

local dates = {}

-- ---- seconds since 1970 ----

local DAYS, MONTHS = "SunMonTueWedThuFriSat", "JanFebMarAprMayJunJulAugSepOctNovDec"

local SECONDS_IN_DAY, YEAR_10000 = 86400, 253402300800

local function name_of(names, number)
   return names:sub(3 * number - 2, 3 * number)
end

-- Days since 1970-01-01 in the Gregorian calendar. The calculation begins the year in March.
local function days(year, month, day)
   if month <= 2 then year, month = year - 1, month + 12 end
   return 365 * year + math.floor(year / 4) - math.floor(year / 100) + math.floor(year / 400)
      + math.floor((153 * (month - 3) + 2) / 5) + day - 719469
end

-- 1: Sunday
local function weekday_of(date)
   return (days(date.year, date.month, date.day) + 4) % 7 + 1
end

local function seconds_of(date)
   return days(date.year, date.month, date.day) * SECONDS_IN_DAY + date.hour * 3600
      + date.minute * 60 + date.second - date.offset
end

-- The fields of os.date for a time; nil where its year has not four digits, or is before 1970.
local function fields_of(time)
   if not (time >= 0 and time < YEAR_10000) then return nil end -- NaN neither
   return os.date("!*t", math.floor(time))
end

-- ---- reading ----

-- The number of a month whose name is in any case; nil where it is none.
local function month_of(name)
   local at = MONTHS:find(ascii.upper(name:sub(1, 1)) .. ascii.lower(name:sub(2)), 1, true)
   return #name == 3 and at and (at + 2) / 3 or nil
end

-- The zones that have names (RFC 5322 4.3). The letters of the military are ambiguous, except Z.
local zones = { UT = "+0000", UTC = "+0000", GMT = "+0000", Z = "+0000", EST = "-0500",
   EDT = "-0400", CST = "-0600", CDT = "-0500", MST = "-0700", MDT = "-0600", PST = "-0800",
   PDT = "-0700" }

-- "+0100" -> seconds; nil where it is not an offset
local function offset_of(zone)
   local sign, hours, minutes = zone:match("^([+-])(%d%d)(%d%d)$")
   if not sign or minutes > "59" then return nil end
   return (sign == "-" and -1 or 1) * (hours * 3600 + minutes * 60)
end

-- "12:00:00", "12:00" -> three texts of two digits; the third is nil where it is not a time of day
local function read_clock(text)
   local hour, minute, rest = text:match("^(%d%d):(%d%d)(.*)$")
   if rest == "" then return hour, minute, "00" end
   return hour, minute, rest and rest:match("^:(%d%d)$")
end

-- The fields of a date, given as texts.
local function new_date(day, month, year, clock, zone)
   local hour, minute, second = read_clock(clock)
   if not second or not month then return nil end
   return { day = tonumber(day), month = tonumber(month), year = tonumber(year),
      hour = tonumber(hour), minute = tonumber(minute), second = tonumber(second), zone = zone,
      offset = offset_of(zone) }
end

local TEXT_MAX = 200 -- bytes; no date is that long

-- A date of RFC 5322. It may have folds, the name of a zone, and a comment at its end; the weekday
-- and the seconds may be missing. -> nil where the text has another form
local function read_rfc5322(text)
   text = text:gsub("\r?\n([ \t])", "%1"):gsub("[ \t]+", " "):gsub("^ ", ""):gsub(" $", "")
   if #text > TEXT_MAX or text:find("[^ -~]") then return nil end
   local comment = text:match(" ?%b()$") or ""
   text = text:sub(1, #text - #comment)
   local weekday, rest = text:match("^([A-Za-z]+), ?(.*)$")
   local day, month, year, clock, zone = (rest or text):match(
      "^(%d%d?) ([A-Za-z]+) (%d%d%d%d) ([%d:]+) ([A-Za-z0-9+-]+)$")
   if not day then return nil end
   local date = new_date(day, month_of(month), year, clock,
      zones[ascii.upper(zone)] or zone)
   if not date or date.year < 1900 then return nil end
   date.weekday, date.day_text, date.comment = weekday, day, comment
   return date
end

-- A date of RFC 3339. The seconds may be missing. -> nil where the text has another form
local function read_rfc3339(text)
   local year, month, day, clock, zone = text:match(
      "^(%d%d%d%d)%-(%d%d)%-(%d%d)[Tt ]([%d:.]+)([Zz+-].*)$")
   if not year then return nil end
   clock = clock:gsub("^(%d%d:%d%d:%d%d)%.%d+$", "%1")
   local hours, minutes = zone:match("^([+-]%d%d):(%d%d)$")
   if ascii.upper(zone) == "Z" then hours, minutes = "+00", "00" end
   if not hours then return nil end
   return new_date(day, month, year, clock, hours:sub(2) < "24" and hours .. minutes or zone)
end

-- ---- checking ----

-- What is wrong with a date, and a hint; nil if nothing is.
local function fault(date)
   local day, year, name = date.day, date.year, name_of(MONTHS, date.month)
   if date.month < 1 or date.month > 12 then
      return ("there is no month %02d"):format(date.month), "Months go from 01 to 12"
   end
   if day < 1 or day > days(year, date.month + 1, 1) - days(year, date.month, 1) then
      return ("%s %d has no day %d"):format(name, year, day), "Correct the day, or the month"
   end
   if date.hour > 23 or date.minute > 59 or date.second > 60 then -- 60: a leap second
      return ("there is no time %02d:%02d:%02d"):format(date.hour, date.minute, date.second),
         "Hours go from 00 to 23, minutes and seconds from 00 to 59"
   end
   local weekday = name_of(DAYS, weekday_of(date))
   if date.weekday and ascii.lower(date.weekday) ~= ascii.lower(weekday) then
      return ("%d %s %d is a %s, not a %s"):format(day, name, year, weekday, date.weekday),
         ('Write "%s, %d %s %d …", or leave out the day of the week'):format(weekday, day, name,
            year)
   end
   if not date.offset then
      return ("the zone %s is not known"):format(date.zone), 'Write its offset, such as "+0100"'
   end
end

-- ---- writing ----

--- The date of a header.
---@param value any      seconds since 1970, or a text as in RFC 5322
---@return string|nil    as RFC 5322 3.3 writes it, complete: a time in UTC, and in English whatever
--   the locale is
---@return string|nil    what is wrong with the date; nil where the value has another form
---@return string|nil    a hint
function dates.header(value)
   if type(value) == "number" then return core.date(value) end
   local date = type(value) == "string" and read_rfc5322(value)
   if not date then return nil end
   local what, hint = fault(date)
   if what then return nil, what, hint end
   return ("%s, %s %s %d %02d:%02d:%02d %s%s"):format(name_of(DAYS, weekday_of(date)),
      date.day_text, name_of(MONTHS, date.month), date.year, date.hour, date.minute, date.second,
      date.zone, date.comment)
end

--- The date of a parameter of MAIL.
---@param value any      seconds since 1970, or a text as in RFC 3339 or RFC 5322
---@return string|nil    as RFC 3339 writes it, in UTC, in whole seconds
---@return string|nil    what is wrong with the date; nil where the value has another form
---@return string|nil    a hint
function dates.parameter(value)
   if type(value) == "string" then
      local date = read_rfc3339(value) or read_rfc5322(value)
      if not date then return nil end
      local what, hint = fault(date)
      if what then return nil, what, hint end
      value = seconds_of(date)
   end
   local d = type(value) == "number" and fields_of(value)
   return d and ("%04d-%02d-%02dT%02d:%02d:%02dZ"):format(d.year, d.month, d.day, d.hour, d.min,
      d.sec)
end

return dates
