--- How conversations in a worker of nginx take turns.
-- @module smtp.runtime.nginx.pace

local core = require "smtp.core"

local pace = {}

-- One budget for all conversations of a worker: after so many octets sent, or so many seconds
-- worked, others get their turn.
local SENT_MAX = 49152
local WORKED_MAX = 0.0003
local PAUSE = 0.001        -- seconds; 0 would starve timers on ngx_lua 0.10.23
local BACKLOG_MAX = 1      -- seconds of pauses that are lined up at most

local sent, worked = 0, 0 -- in this turn of the event loop
local tick = 0            -- nginx's time, in seconds; it moves only where the event loop turns
local slot = 0            -- when the newest pause ends; no two end together, so each has its turn

-- A new turn is a new budget: all others had their chance.
local function take_turn()
   local now = package.loaded.ngx.now()
   if now == tick then return false end
   tick, sent, worked = now, 0, 0
   return true
end

local function is_used_up()
   return sent >= SENT_MAX or worked >= WORKED_MAX
end

--- Before a wait, to be given to `waited` after it.
function pace.mark()
   return worked
end

--- There was a wait, as for a reply. If no job worked in it, all had their chance, though nginx's
-- time may show the same millisecond: a conversation of many short messages need not pause.
function pace.waited(mark)
   if worked == mark then sent, worked = 0, 0 end
end

--- So much was sent, and worked, since the last call: pauses where the budget of all conversations
-- is used up.
function pace.work(octets, seconds)
   if take_turn() then return end -- there was a wait in it
   sent, worked = sent + octets, worked + seconds
   if not is_used_up() then return end
   if slot > tick + BACKLOG_MAX then slot = tick end -- the system's clock was set back
   slot = math.max(tick, slot) + PAUSE
   package.loaded.ngx.sleep(slot - tick + PAUSE / 2) -- nginx cuts it to whole milliseconds
   -- The event loop was late, and this turn is another's: once more, and then it is ours.
   if not take_turn() and is_used_up() then
      package.loaded.ngx.sleep(PAUSE)
      take_turn()
   end
end

-- The phases in which nginx can pause.
local can_pause = { rewrite = true, access = true, content = true, timer = true, preread = true,
   server_rewrite = true, ssl_cert = true, ssl_session_fetch = true, ssl_client_hello = true }

--- Can ngx.sleep be called here? Some phases cannot pause, nor can a function that was called by
-- one of C, such as string.gsub.
---@return boolean
function pace.can_pause()
   return can_pause[package.loaded.ngx.get_phase()] and core.can_yield() or false
end

--- As pace.work, for work that is done anywhere.
function pace.breathe(seconds)
   if pace.can_pause() then pace.work(0, seconds) end
end

return pace
