--- A bar on a terminal, with rate and remaining time. Elsewhere nothing is drawn.
-- @module smtp.result.progress

local core = require "smtp.core"

local progress = {}

local EVERY = 0.1       -- seconds between two drawings
local WIDTH_MIN = 5     -- cells of the bar
local WIDTH_MAX = 30

local Bar = {}
Bar.__index = Bar
progress.Bar = Bar

--- A bar, or nil if standard error is not a terminal.
---@param total? number   the number of units in all, if it is known
---@param unit? string    "messages"
function progress.new(total, unit)
   local columns = core.terminal()
   if not columns then return nil end
   local began = core.now()
   return setmetatable({ total = total, unit = unit or "messages", columns = columns,
      began = began, drawn_at = began }, Bar)
end

local function with_commas(number)
   local text = ("%d"):format(number)
   repeat
      local changed
      text, changed = text:gsub("^(%d+)(%d%d%d)", "%1,%2")
   until changed == 0
   return text
end

local function clock(seconds)
   local minutes = math.floor(math.ceil(seconds) / 60)
   local hours = math.floor(minutes / 60)
   local rest = math.ceil(seconds) - 60 * minutes
   if hours == 0 then return ("%d:%02d"):format(minutes, rest) end
   return ("%d:%02d:%02d"):format(hours, minutes - 60 * hours, rest)
end

-- Without the numbers of octets, where the terminal is narrow.
local function short(self, done, rest)
   local text = ("%d%%, "):format(math.floor(done / self.total * 100)) .. rest
   return text, self.columns - #text - 4
end

-- "20 of 100 messages", "5/s", "0:16 left", "1 failed"
local function numbers(self, done, failed, seconds)
   local rate = seconds > 0 and done / seconds or 0
   local parts = { with_commas(done) }
   if self.total then parts[1] = parts[1] .. " of " .. with_commas(self.total) end
   parts[1] = parts[1] .. " " .. self.unit
   parts[2] = with_commas(math.floor(rate)) .. "/s"
   if self.total and rate > 0 then
      parts[3] = clock((self.total - done) / rate) .. " left"
   end
   if failed > 0 then parts[#parts + 1] = with_commas(failed) .. " failed" end
   return parts
end

--- One line for what is done so far.
---@param done number
---@param failed number   of these
---@param seconds number  since the beginning
function Bar:line(done, failed, seconds)
   local parts = numbers(self, done, failed, seconds)
   local text = table.concat(parts, ", ")
   local room = self.columns - #text - 4
   if room < WIDTH_MIN and self.unit == "octets" and self.total and self.total > 0 then
      text, room = short(self, done, table.concat(parts, ", ", 2))
   end
   if not self.total or self.total == 0 or room < WIDTH_MIN then
      if #text < self.columns then return text end
      return (text:sub(1, self.columns - 1):gsub("[^ ]*$", "")) -- no number is cut
   end
   local width = math.min(WIDTH_MAX, room)
   local filled = math.floor(done / self.total * width)
   return ("[%s%s] %s"):format(("="):rep(filled), (" "):rep(width - filled), text)
end

--- Show how many were sent, and how many failed.
function Bar:update(sent, failed)
   local now = core.now()
   self.sent, self.failed = sent, failed
   if now - self.drawn_at < EVERY then return end
   self.drawn_at = now
   self.columns = core.terminal() or self.columns -- the window may have been resized
   io.stderr:write("\r\27[K", self:line(sent + failed, failed, now - self.began))
   io.stderr:flush()
end

--- Show the last state, and end the line.
function Bar:finish()
   self.drawn_at = 0
   self:update(self.sent or 0, self.failed or 0)
   io.stderr:write("\n")
end

local LARGE = 1048576 -- bytes; the bar of a smaller message would be gone at once

--- For a single message: a value for the option `observe` that draws a bar where the message is
-- large, and a function that ends the bar. Both are nil where standard error is not a terminal.
---@return function|nil observe
---@return function|nil finish
function progress.of_message()
   if not core.terminal() then return nil end
   local sent, bar = 0, nil
   local function observe(event)
      if event.name == "sent" and event.stage == "mail" then
         sent, bar = 0, nil
      elseif event.name == "message" then
         sent = sent + event.bytes
         local is_large = (event.size or sent) >= LARGE
         bar = bar or is_large and progress.new(event.size, "octets") or nil
         if bar then bar:update(event.size and math.min(sent, event.size) or sent, 0) end
      end
   end
   return observe, function()
      if bar and bar.sent then bar:finish() end
      bar = nil
   end
end

return progress
