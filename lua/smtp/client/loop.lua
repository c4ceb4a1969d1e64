--- The one loop: ask the session what it needs, do it, report back. It keeps the deadline.
--
-- Lua 5.1 cannot yield across a C boundary, and a transport may yield anywhere. So in here, and in
-- all that calls it, there is no pcall, no metamethod and no iterator that may yield; a failure is
-- returned, and a function of the caller's runs in a coroutine of its own, its yields passed on.
-- @module smtp.client.loop

local core = require "smtp.core"
local memory = require "smtp.client.memory"
local tls = require "smtp.client.tls"

local ending = require("smtp.ground.resources").late "smtp.client.ending" -- send_many has it

local loop = {}

local now = core.now

local PIECE = 65536      -- bytes heard at once

-- ---- time ----

-- How many seconds the next wait may take, by the one rule of the core.
local function patience(conversation)
   return conversation.session:patience(conversation.deadline, conversation.server.reply_timeout,
      conversation.moved)
end

local function set_patience(conversation)
   local ms = math.max(0, math.ceil(patience(conversation) * 1000))
   conversation.sock:settimeouts(ms, ms, ms)
   return ms
end

-- ---- what was said and heard ----

-- An observer that fails ends the conversation.
local function check_observer(conversation, ok)
   if ok then return end
   local observer = conversation.observer
   conversation:fail(observer.failed, observer.cause)
end

--- The session hears what has arrived, and so does the observer.
---@param data string
local function hear(conversation, data)
   local observer = conversation.observer
   if not observer then return conversation.session:heard(data) end
   check_observer(conversation, observer:heard(conversation, data))
end
loop.hear = hear

local function sent(conversation, count)
   local observer = conversation.observer
   if not observer then return conversation.session:sent(count) end
   check_observer(conversation, observer:sent(conversation, count))
end

-- What has arrived already. -> why there is no more of it
local function drain(conversation)
   local sock, session = conversation.sock, conversation.session
   sock:settimeouts(0, 0, 0)
   while session:wants() ~= "nothing" do
      local data, why, text = sock:receiveany(PIECE)
      if not data then return why, text end
      hear(conversation, data)
   end
end

-- The words of a transport for which the session has a trouble of its own.
local troubles = {
   timeout = { "timeout", "timeout" }, protocol = { "protocol", "tls_flood" },
   system = { "system", "resources" },
}

local function lost(conversation, why, text)
   local session = conversation.session
   if session:wants() == "nothing" then return end
   local trouble = troubles[why]
   if why == "raised" then
      local failed = conversation.sock:trouble()
      conversation:fail(failed.reason, failed.cause, text)
   elseif trouble then
      session:broken(trouble[1], trouble[2], why ~= "protocol" and text or "")
   elseif tostring(why):find("^tls:") then -- TLS 1.3 refuses a client after the handshake
      conversation.tls_trouble = tls.trouble(why, text)
      session:broken("tls", "handshake", "")
   else
      session:broken("disconnected", "closed", text or why or "")
   end
end

-- Nothing was received, and not because it is not there yet.
local function not_received(conversation, why, text)
   if why == "closed" then conversation.session:heard("") end
   lost(conversation, why, text)
end

-- ---- what a session may need ----

local doing = {}

-- -> why nothing was received
local function receive(conversation)
   local session = conversation.session
   local data, why, text = conversation.sock:receiveany(PIECE)
   if not data then return why or "closed", text end
   local replies = session:replies()
   hear(conversation, data)
   if session:replies() ~= replies then conversation.moved = now() end
end

function doing.recv(conversation)
   set_patience(conversation)
   local why, text = receive(conversation)
   if why and why ~= "again" then not_received(conversation, why, text) end
end

-- More is to be sent, but there is something to hear first. It may be a record of TLS without data:
-- so nothing waits for a reply here.
local function hear_first(conversation)
   local ms = set_patience(conversation)
   conversation.sock:settimeouts(ms, ms, 0)
   local why, text = receive(conversation)
   if not why or why == "again" or why == "timeout" and ms > 0 then return end
   not_received(conversation, why, text)
end

-- Bytes were sent, not all that were to be. -> may the rest be sent, because a server that takes
-- something in time is only slow?
local function moves(conversation, why)
   conversation.moved = now()
   return why == "timeout" and patience(conversation) > 0
end

function doing.send(conversation)
   local bytes, goes_on = conversation.session:output()
   if not goes_on then conversation.moved = now() end
   set_patience(conversation)
   local count, why, text, partly = conversation.sock:send(bytes)
   if why == "again" then count = partly or 0 end
   -- A transport that cannot tell how much has left may have sent all of it.
   local left = count or partly or #bytes
   sent(conversation, left)
   if left > 0 and left < #bytes and moves(conversation, why) then return end
   if count == nil then
      drain(conversation) -- the kernel may still hold what the server said before it hung up
      lost(conversation, why, text)
   elseif count < #bytes and why ~= "again" then
      hear_first(conversation)
   end
end

local function check_deadline(conversation, text)
   if now() >= conversation.deadline then lost(conversation, "timeout", text) end
end

function doing.body(conversation)
   local sock = conversation.sock
   local trouble, text, len = conversation.body:give(conversation.session)
   if len and sock.pace then sock:pace(len) end
   if trouble then
      conversation:fail(trouble.reason, trouble.cause, text)
   else
      check_deadline(conversation, "the message's source was too slow")
   end
end

-- The caller may close the connection meanwhile.
doing["end"] = function(conversation)
   local session = conversation.session
   local allowed, why = ending.ask(conversation)
   if session:wants() ~= "end" then return end
   check_deadline(conversation, "the function before_end was too slow")
   if allowed then return session:end_allowed() end
   conversation:fail("withheld", why)
end

function doing.secret(conversation)
   conversation.login:give_secret(conversation)
end

function doing.answer(conversation)
   conversation.login:give_answer(conversation)
   check_deadline(conversation, "the AUTH mechanism was too slow")
end

-- The server has nothing to say before our ClientHello. What is there was put there in clear text.
local function is_injected(conversation)
   local sock = conversation.sock
   if not sock.duplex then return false end
   sock:settimeouts(0, 0, 0)
   local data = sock:receiveany(PIECE)
   if not data then return false end
   hear(conversation, data)
   return true
end

function doing.tls(conversation)
   if is_injected(conversation) then return end
   local ok, trouble = tls.handshake(conversation, patience(conversation))
   if ok then
      conversation.session:tls_started(conversation.tls.verified)
      local observer = conversation.observer
      if observer then check_observer(conversation, observer:follow(conversation)) end
      return
   end
   conversation.tls_trouble = trouble
   conversation.session:broken("tls", "handshake", "")
end

-- ---- the loop ----

--- Did the server fail at what followed the end of a message, or at the harmless chunk? Then it
-- counts for all conversations at once: called before anything that may yield, such as a pause or
-- the caller's on_result.
function loop.note_failure(conversation)
   local session = conversation.session
   if not conversation.record then return end
   if session:eager_failed() then memory.note_grade(conversation, "safe") end
   if session:chunk_failed() then memory.note_chunk_failed(conversation) end
end

local function act(conversation, want)
   doing[want](conversation)
   loop.note_failure(conversation)
end

-- What is work for this process. Some of it waits as well: then a turn is asked for too early.
local is_work = { body = true, answer = true, send = true }

-- Some hosts have other conversations to serve.
local function act_and_pace(conversation, want)
   local began = now()
   act(conversation, want)
   if is_work[want] then conversation.pace.work(now() - began) end
end

local is_flight = { send = true, recv = true }

-- -> the pipeline of a lane; can more be taken after the next step? A lane whose limits are not
-- known has sent nothing yet.
local function begin(lane)
   return lane.pipeline, lane.max and lane:feed()
end

--- The socket said "again": wait until it can go on.
function loop.wait(conversation)
   if conversation.record then loop.note_failure(conversation) end
   local sock = conversation.sock
   local failure = sock.wait and sock:wait()
   if failure then lost(conversation, "raised", failure) end
end

-- With a socket of this library, flights go to and fro in C. Where the socket would wait, others
-- have their turn; a socket that waits by itself says so after a signal only.
-- -> what is wanted; is it for this loop; how many messages were taken of what was offered
local function flights(conversation, io, once, pipeline)
   local session = conversation.session
   local reply_timeout = conversation.server.reply_timeout
   while true do
      local want, moved, is_ours, posted = session:flights(io, conversation.deadline,
         reply_timeout, conversation.moved, once, pipeline)
      conversation.moved = moved
      if is_ours ~= "again" or posted > 0 then return want, is_ours == true, posted end
      loop.wait(conversation)
   end
end

--- Drive the session until it rests ("ready") or is over ("nothing").
---@param lane? smtp.Lane   which may add more messages meanwhile: when one of its messages is over,
--   and after each step while it has more
---@return string
function loop.run(conversation, lane)
   local session, io, pace = conversation.session, conversation.io, conversation.pace
   local want, posted, pipeline, once
   if lane then pipeline, once = begin(lane) end
   while true do
      local is_ours = true
      if io then
         want, is_ours, posted = flights(conversation, io, once, pipeline)
         if posted > 0 then lane:note_posted(posted) end
         is_ours = is_ours or not is_flight[want]
      else
         want = session:wants()
      end
      if not doing[want] then break end
      if pace then
         act_and_pace(conversation, want)
      elseif is_ours then
         act(conversation, want)
      end
      once = lane and lane:feed()
   end
   conversation.is_over = want == "nothing"
   if conversation.is_over and conversation.record then loop.note_failure(conversation) end
   return want
end

-- In nginx a look takes a millisecond, and it listens by itself to what its pools keep.
local COSOCKET_IDLE = 0.05

local function can_look(conversation)
   local sock = conversation.sock
   return sock.duplex or sock.keep ~= nil and now() - conversation.moved > COSOCKET_IDLE
end

--- Hear what the socket has to say on an idle connection.
---@return boolean   can the session still be used?
function loop.look_on(conversation)
   local session = conversation.session
   local why, text = drain(conversation)
   if why and why ~= "timeout" and why ~= "again" then not_received(conversation, why, text) end
   conversation.idle = session:wants() == "nothing"
   conversation.is_over = conversation.idle
   return not conversation.idle
end

--- The connection was idle: hear what the server has said since, and whether it has closed, before
-- anything is sent.
---@return boolean   can the session still be used?
function loop.look(conversation)
   local session, io = conversation.session, conversation.io
   if io then
      local seen = session:look(io)
      if seen ~= false then return seen or false end
   elseif session:wants() ~= "ready" then
      return false
   elseif not can_look(conversation) then
      return true
   end
   return loop.look_on(conversation)
end

return loop
