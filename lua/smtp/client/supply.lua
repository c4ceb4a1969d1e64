--- The messages that the caller of send_many gives: the next one, or as many as there is room for.
--
-- They are taken for an smtp.Queue: its `index` is that of the newest, and it has `ended` where
-- there are no more. It is `stopped` where a function of the caller's fails.
-- @module smtp.client.supply

local errors = require "smtp.errors"
local scheduler = require "smtp.runtime.scheduler"
local user_call = require "smtp.options.user_call"

local supply = {}

--- A function of the caller's failed: no further message is taken.
---@param queue table     smtp.Queue
---@param reason string   "messages" or "on_result"
---@param cause any       what it raised
function supply.stop(queue, reason, cause)
   queue.stopped = queue.stopped or errors.new("source", { reason = reason, cause = cause,
      what = ("send_many stopped: %s raised an error: %s"):format(reason, user_call.text(cause)) })
end

-- The next one of a table.
local function look_up(queue)
   local messages, index = queue.messages, queue.index + 1
   local ok, message = true
   if queue.is_list then
      message = messages[index]
   else
      ok, message = user_call.call(function() return messages[index] end)
   end
   queue.ended = not ok or message == nil
   if not ok then return supply.stop(queue, "messages", message) end
   if message ~= nil then queue.index = index end
   return message
end

-- Of a function of this library, which may have none yet. -> in how many seconds there may be more
local function gather_ours(queue, batch, room)
   local message, seconds
   while batch.count < room and not queue.stopped do
      message, seconds = queue.messages()
      if message == nil then
         queue.ended = not seconds
         return seconds
      end
      batch.count = batch.count + 1
      batch[batch.count] = message
   end
end

-- Of the caller's function. -> why it has no more
local function gather(queue, batch, room)
   local messages = queue.messages
   while batch.count < room and not queue.stopped do
      local message, why = messages()
      if message == nil then
         queue.ended = true
         return why
      end
      batch.count = batch.count + 1
      batch[batch.count] = message
   end
end

local function gather_safely(queue, batch, room)
   local ok, cause = user_call.call(gather, queue, batch, room)
   if ok and cause == nil then return end
   queue.ended = true
   supply.stop(queue, "messages", cause)
end

--- Is another job in the function that gives the messages?
---@param queue table   smtp.Queue
---@return boolean
function supply.is_asking(queue)
   local thread = queue.asking
   if thread and thread ~= true and not scheduler.is_alive(thread) then queue.asking = false end
   return queue.asking ~= nil and queue.asking ~= false
end

--- The next messages of a function, which may yield: it is not called a second time meanwhile.
---@param queue table      smtp.Queue
---@param batch table      a list: they are put in it, and its `count` is how many there are
---@param room number      up to so many
---@return number          how many
---@return number|nil      in how many seconds there may be more
function supply.take_some(queue, batch, room)
   local gather_some, seconds = queue.settings.ready and gather_ours or gather_safely, nil
   batch.count = 0
   if not queue.ended then
      queue.asking = coroutine.running() or true
      seconds = gather_some(queue, batch, room)
      queue.asking = false
   end
   queue.index = queue.index + batch.count
   return batch.count, seconds
end

-- The next one of the caller's function.
local function ask(queue)
   queue.asking = coroutine.running() or true
   local ok, message, why = user_call.call(queue.messages)
   queue.asking = false
   queue.ended = not ok or message == nil
   if not ok then
      supply.stop(queue, "messages", message)
      return nil
   end
   if message ~= nil then
      queue.index = queue.index + 1
   elseif why ~= nil then
      supply.stop(queue, "messages", why)
   end
   return message
end

--- The next message; nil where there is none, or none yet.
---@param queue table   smtp.Queue
---@return any
---@return number|nil   then, in how many seconds
function supply.take(queue)
   if queue.ended then return nil end
   if type(queue.messages) == "table" then return look_up(queue) end
   if not queue.settings.ready then return ask(queue) end
   local batch = {}
   local _, seconds = supply.take_some(queue, batch, 1)
   return batch[1], seconds
end

return supply
