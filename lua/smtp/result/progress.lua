--- One line on a terminal that says how much is done, how fast, and how long the rest will take.
-- Elsewhere nothing is drawn.
-- @module smtp.result.progress

local core = require "smtp.core"

local progress = {}

local EVERY = 0.1              -- seconds between two drawings
local WIDTH_MIN = 5            -- cells of the bar
local WIDTH_MAX = 30
local WINDOW = 3               -- seconds; the rate is that of one to two windows
local LEFT_MAX = 360000        -- seconds; a longer estimate is of no use
local FRAME = "\r%s\27[K"      -- replaces the line; the rest of the old one is erased

local Bar = {}
Bar.__index = Bar
progress.Bar = Bar

--- A bar, or nil where standard error is not a terminal that can replace a line.
---@param total? number   the number of units in all, if it is known
---@param unit? string    "messages" or "bytes"
function progress.new(total, unit)
   local term = os.getenv "TERM" or ""
   if term == "" or term == "dumb" or not core.terminal() then return nil end
   local began = core.now()
   return setmetatable({ total = total, unit = unit, began = began, drawn_at = 0 }, Bar)
end

-- ---- numbers ----

local function with_commas(number)
   local text = ("%.0f"):format(number)
   repeat
      local changed
      text, changed = text:gsub("^(%d+)(%d%d%d)", "%1,%2")
   until changed == 0
   return text
end

-- Three digits, with a point whatever the locale: "1.43", "14.3", "143".
local function three_digits(number)
   local text = number < 9.995 and "%.2f" or number < 99.95 and "%.1f" or "%.0f"
   return (text:format(number):gsub(",", "."))
end

local sizes = { "KiB", "MiB", "GiB", "TiB" }

-- 1,500,000 -> 1048576, "MiB"
local function scale_of(bytes)
   local scale, at = 1024, 1
   while bytes / scale >= 999.5 and sizes[at + 1] do scale, at = scale * 1024, at + 1 end
   return scale, sizes[at]
end

--- "1.43 MiB", or "1.43 of 5.72 MiB" where the whole is known.
---@param between? string   in place of " of "
function progress.bytes(bytes, total, between)
   local scale, name = scale_of(total or bytes)
   local text = three_digits(bytes / scale)
   if total then text = text .. (between or " of ") .. three_digits(total / scale) end
   return text .. " " .. name
end

local function messages(done, total, between)
   local text = with_commas(done)
   if total then text = text .. (between or " of ") .. with_commas(total) end
   return between and text or text .. " messages"
end

local function clock(seconds)
   local minutes = math.floor(math.ceil(seconds) / 60)
   local hours = math.floor(minutes / 60)
   local rest = math.ceil(seconds) - 60 * minutes
   if hours == 0 then return ("%d:%02d"):format(minutes, rest) end
   return ("%d:%02d:%02d"):format(hours, minutes - 60 * hours, rest)
end

-- ---- the line ----

-- Units a second, of late: a server may take the first part at once and the rest slowly. At first
-- it is not known.
local function rate_of(self, done, seconds)
   local newest = self.newest or { done = 0, seconds = 0 }
   if seconds - newest.seconds >= WINDOW then
      self.oldest, newest = newest, { done = done, seconds = seconds }
   end
   self.newest = newest
   local from = self.oldest or newest
   local passed = seconds - from.seconds
   return passed >= EVERY and (done - from.done) / passed or nil
end

local function per_second(self, rate)
   if not rate or self.is_waiting then return nil end
   if self.unit == "bytes" then return progress.bytes(rate) .. "/s" end
   return (rate < 10 and three_digits(rate) or with_commas(rate)) .. "/s"
end

-- What the line says of time: "0:08 left".
local function time_of(self, done, seconds, rate)
   if self.is_over then return "in " .. clock(seconds) end
   if self.is_waiting then return "waiting for the reply" end
   local left = self.total and rate and rate > 0 and (self.total - done) / rate
   return left and left <= LEFT_MAX and clock(left) .. " left" or nil
end

-- The texts that lines are made of.
local function parts_of(self, done, failed, seconds)
   local total, of = self.total, self.unit == "bytes" and progress.bytes or messages
   local is_share = total and total > 0
   local rate = self.is_over and done / math.max(seconds, 0.001) or rate_of(self, done, seconds)
   return { amount = of(done, total), short = of(done, total, "/"),
      percent = is_share and math.floor(done / total * 100) .. "%" or nil,
      rate = per_second(self, rate),
      time = time_of(self, done, seconds, rate),
      failed = failed > 0 and with_commas(failed) .. " failed" or nil }
end

-- What a line consists of, the longest first, where its first part is known.
local forms = {
   { "percent", "amount", "rate", "time", "failed" }, { "amount", "rate", "time", "failed" },
   { "short", "rate", "time", "failed" }, { "percent", "rate", "time" }, { "percent", "time" },
   { "percent" }, { "short" },
}

local function joined(form, parts)
   local list = {}
   for _, name in ipairs(form) do list[#list + 1] = parts[name] end
   return table.concat(list, ", ")
end

--- One line for what is done so far, shorter than the terminal is wide: the cursor stays in it.
---@param done number
---@param failed number   of these
---@param seconds number  since the beginning
---@param columns number  of the terminal
function Bar:line(done, failed, seconds, columns)
   local parts = parts_of(self, done, failed, seconds)
   local text = joined(forms[1], parts)
   local width = math.min(WIDTH_MAX, columns - #text - 4)
   if parts.percent and width >= WIDTH_MIN then
      local filled = math.floor(done / self.total * width)
      return ("[%s%s] %s"):format(("="):rep(filled), (" "):rep(width - filled), text)
   end
   for _, form in ipairs(forms) do
      text = joined(form, parts)
      if parts[form[1]] and #text < columns then return text end
   end
   return ""
end

-- The window may have been resized since the last time, and is not ours in the background.
local function draw(self, now)
   local columns = core.terminal() or 0
   if columns == 0 then return end
   local line = self:line(self.sent + self.failed, self.failed, now - self.began, columns)
   io.stderr:write(FRAME:format(line))
   io.stderr:flush()
   self.is_shown = true
end

--- Show how many were sent, and how many failed.
function Bar:update(sent, failed)
   local now = core.now()
   self.sent, self.failed = sent, failed
   if now - self.drawn_at < EVERY and not self.is_waiting then return end
   self.drawn_at = now
   draw(self, now)
end

--- Say that all is sent and that the server has not replied.
function Bar:wait()
   self.is_waiting = true
   self:update(self.sent or 0, self.failed or 0)
end

--- Show the last state with the time that it took, and end the line.
function Bar:finish()
   self.is_over, self.is_waiting = true, false
   self.sent, self.failed = self.sent or 0, self.failed or 0
   draw(self, core.now())
   if self.is_shown then io.stderr:write("\n") end
end

--- Erase the line.
function Bar:clear()
   if self.is_shown then io.stderr:write(FRAME:format("")) end
end

return progress
