--- How conversations in a worker of nginx take turns, with each other and with all else that the
-- worker does.
--
-- After some work a conversation waits for another turn of nginx's event loop. A timer of 0 seconds
-- begins that turn: nginx does not sleep before it, but does all else that is due. Then one
-- conversation goes on, the one that has waited longest.
-- @module smtp.runtime.nginx.pace

local core = require "smtp.core"

local pace = {}

local WORKED_MAX = 0.0003 -- seconds that all conversations together may work in a turn
local PAUSE = 0.001       -- seconds, where a conversation cannot wait for a turn
local LOST = 0.1          -- seconds without a turn after which its timer is taken to be dropped
local AHEAD = 0.002       -- seconds more for each that waits before this one

local worked = 0      -- seconds in this turn
local is_due = false  -- a timer will begin the next turn
local turns = 0       -- that have begun
local waiting         -- the semaphore of those that wait; false: this nginx has none

local function begin_turn()
   worked, is_due, turns = 0, false, turns + 1
   if waiting:count() < 0 then waiting:post(1) end
end

local function ask_for_turn()
   is_due = is_due or package.loaded.ngx.timer.at(0, begin_turn)
   return is_due
end

-- Where nginx has semaphores.
local has_semaphores = { rewrite = true, access = true, content = true, timer = true }

local function can_wait(ngx)
   if waiting == nil then
      local ok, semaphore = pcall(require, "ngx.semaphore")
      waiting = ok and semaphore.new() or false
   end
   return waiting and has_semaphores[ngx.get_phase()] and ask_for_turn()
end

-- Until this conversation may go on. A wait that ends while others have their turns keeps waiting.
-- -> false: no turn has begun for so long that its timer was dropped
local function wait_for_turn()
   local seen, is_woken
   repeat
      seen = turns
      is_woken = waiting:wait(LOST + AHEAD * math.max(0, -waiting:count()))
   until is_woken or seen == turns
   return is_woken
end

--- So many seconds were worked since the last call: waits for another turn where the time of this
-- one is used up.
function pace.work(seconds)
   worked = worked + seconds
   if worked < WORKED_MAX then return end
   local ngx = package.loaded.ngx
   if not can_wait(ngx) then
      worked = 0
      ngx.sleep(PAUSE)
   elseif not wait_for_turn() then
      worked, is_due = 0, false
   elseif waiting:count() < 0 then
      ask_for_turn() -- not in begin_turn: nginx would begin it before all else has had its chance
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
   if pace.can_pause() then pace.work(seconds) end
end

return pace
