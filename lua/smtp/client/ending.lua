--- The end of a message: held back until a function of the caller's allows it.
--
-- A server has `ending` = { before_end = the function } for this. Before the octets that end a
-- message are given to the socket, before_end(ends) is called with a list of { index = the
-- message's, as on_result gets it, recipients = the addresses that the server has accepted }. It
-- returns true where they may all end; true and a table that has the reason why not at the places
-- of those that may not; or nil and the reason. So the caller can first store what is about to be
-- delivered: of a message for which it was not called, or did not return true, no server has the
-- end.
--
-- before_flight, if there is one, is called with the first and the last index of messages that
-- were posted (see smtp.client.lane), before their envelopes are sent. It returns the time until
-- which they may all end without before_end, seconds since 1970; or nil: before_end decides. Where
-- it returns a time, their chunks may go ahead of the answers to RCPT; if before_end has to decide
-- after all, recipients that are not answered yet count as accepted.
--
-- With `is_shared`, the connections of this server have their ends in one call where they are due
-- at the same time, and there is one call at a time. A message is asked for again after an attempt
-- that is known to have reached no server.
-- @module smtp.client.ending

local scheduler = require("smtp.ground.resources").late "smtp.runtime.scheduler" -- send_many has it
local user_call = require "smtp.options.user_call"

local ending = {}

local PAUSE = 0.001 -- seconds, while a call for others goes on

-- What is asked: which message is about to end, and for whom.
local function end_of(conversation)
   local subject = conversation.pipeline and conversation.pipeline:ending()
   return { index = type(subject) == "table" and subject.index or subject,
      recipients = conversation.session:ending() }
end

-- What was answered for the one at this place.
local function answer(batch, place)
   local why = batch.why
   if not batch.allowed then return false, why end
   if type(why) ~= "table" or why[place] == nil then return true end
   return false, why[place]
end

-- Calls before_end for all that are in the batch.
local function call(self, batch)
   local ok, allowed, why = user_call.call(self.before_end, batch)
   if not ok then allowed, why = nil, allowed end
   batch.allowed, batch.why, batch.is_answered = allowed == true, why, true
end

-- Others may join this batch before it is called, and while another one is.
local function call_for_all(self, batch)
   self.batch, batch.thread = batch, coroutine.running()
   scheduler.sleep(0)
   while scheduler.is_alive(self.caller) do scheduler.sleep(PAUSE) end
   self.batch, self.caller = nil, batch.thread
   call(self, batch)
   self.caller = nil
end

-- The job that calls for all of a batch may end by an error instead.
local function wait_for_answer(self, batch)
   while not batch.is_answered and scheduler.is_alive(batch.thread) do
      scheduler.sleep(self.caller and PAUSE or 0)
   end
   if batch.is_answered then return end
   batch.why, batch.is_answered = "before_end was not called", true
   if self.batch == batch then self.batch = nil end
end

--- Messages were posted in this pipeline: may they end without being asked for?
---@param server smtp.Server
---@param first integer   index
---@param last integer
function ending.ask_ahead(server, pipeline, first, last)
   local before_flight = server.ending and server.ending.before_flight
   local ends_before = before_flight and before_flight(first, last)
   if ends_before then pipeline:allow(first, last, ends_before) end
end

--- May the message end that this conversation holds back?
---@param conversation smtp.Conversation   whose server has `ending`
---@return boolean
---@return any why   not
function ending.ask(conversation)
   local self, pipeline = conversation.server.ending, conversation.pipeline
   if pipeline and pipeline:is_allowed() then return true end
   local batch = self.batch or {}
   local place = #batch + 1
   batch[place] = end_of(conversation)
   if not self.is_shared then
      call(self, batch)
   elseif place == 1 then
      call_for_all(self, batch)
   else
      wait_for_answer(self, batch)
   end
   return answer(batch, place)
end

return ending
