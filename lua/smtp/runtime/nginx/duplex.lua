--- Receives while a cosocket waits to send: a server that no longer reads may have refused the
-- message, and a server whose replies fill all buffers reads again after they are read.
--
-- The writer is a light thread. Only where it has to wait there is a second one, the reader, which
-- ends with the first data, and is not stopped before: to kill either ends the connection.
-- @module smtp.runtime.nginx.duplex

local load_semaphore = require("smtp.ground.resources").loader "ngx.semaphore"

local PIECE = 65536 -- bytes heard at once
local WAIT = 60     -- seconds at once; the cosocket's own timeouts end both

local Duplex = { __name = "smtp.Duplex" }
Duplex.__index = Duplex

--- A semaphore of nginx, which light threads wait for.
---@return table|nil   nil where nginx has none
local function new_semaphore()
   local semaphore = load_semaphore()
   return semaphore and semaphore.new()
end

--- For one cosocket.
---@return table|nil   nil where nginx has no semaphores
local function new(sock)
   local ended = new_semaphore()
   if not ended then return nil end
   return setmetatable({ sock = sock, ended = ended, writer = nil, reader = nil }, Duplex)
end

-- { thread =, data =, is_done =, result =, said = }
local function start(self, method, argument)
   local sock, ended, job = self.sock, self.ended, { data = argument, said = "closed" }
   job.thread = package.loaded.ngx.thread.spawn(function()
      job.result, job.said = sock[method](sock, argument)
      job.is_done = true
      ended:post()
   end)
   return job
end

-- A thread that ended must be waited for, or it stays in memory. Never for two at once: when the
-- second ends, nginx goes on with the waiting thread, whatever that waits for by then.
local function join(job)
   package.loaded.ngx.thread.wait(job.thread)
   job.is_done = true -- or it raised an error
end

-- Is the reader's result to be heard before anything else is sent?
local function has_heard(self)
   local reader = self.reader
   if not reader or not reader.is_done then return false end
   if reader.said ~= "timeout" then return true end
   join(reader)
   self.reader = nil
   return false
end

-- -> true | false: there is something to hear first | nil, what the cosocket said
local function finish(self, writer)
   while not writer.is_done do
      if has_heard(self) then return false end
      self.reader = self.reader or start(self, "receiveany", PIECE)
      self.ended:wait(WAIT)
   end
   join(writer)
   self.writer = nil
   if writer.result then return true end
   return nil, writer.said
end

--- Send. Where the server says something before all is sent, the count is less: hear it, and send
-- the rest. How much the server has by then is not known: of what was begun, all but the last byte
-- counts as sent, so that no reply answers what counts as unsent, and no message as ended too soon.
---@return number|nil count
---@return string|nil said   what the cosocket said
function Duplex:send(data)
   local begun = 0
   if self.writer then
      if data:byte() ~= self.writer.data:byte(-1) then return nil, "closed" end
      local ok, said = finish(self, self.writer)
      if not ok or #data == 1 then return ok and 1 or ok == false and 0 or nil, said end
      begun, data = 1, data:sub(2)
   end
   self.writer = start(self, "send", data)
   local ok, said = finish(self, self.writer)
   if ok == nil then return nil, said end
   return begun + #data - (ok and 0 or 1)
end

--- Receive: what the reader has heard, or will.
---@param ms number   how long it may take; a reader that waits already has no longer than this
function Duplex:receiveany(max, ms)
   local reader = self.reader
   if reader then
      if not reader.is_done and ms <= 1 then return nil, "timeout" end
      join(reader)
      self.reader = nil
      if reader.said ~= "timeout" then return reader.result, reader.said end
   end
   return self.sock:receiveany(max)
end

--- Is nothing being sent or received?
function Duplex:rests()
   return self.writer == nil and self.reader == nil
end

--- End what waits, because the connection is over.
function Duplex:kill()
   for _, job in next, { self.writer, self.reader } do
      if not job.is_done then package.loaded.ngx.thread.kill(job.thread) end
   end
end

return { new = new, new_semaphore = new_semaphore }
