-- A small event loop: coroutines that wait for descriptors and for times, by one poller.
local core = require "smtp.core"
local socket = not package.loaded.ngx and require "smtp.socket"

local poll_loop = {}

-- -> a loop: run(functions) runs them as coroutines; wait, sleep and check are the option `loop`
function poll_loop.new()
   local self = {
      waits = 0, asked = {}, -- how often wait was called, and what with
      is_open = false,       -- coroutines may yield for others, too
   }
   local poller, by_fd, sleeping, ready = assert(socket.poller()), {}, {}, {}

   local function pause(seconds)
      local thread = assert(coroutine.running())
      sleeping[thread] = core.now() + seconds
      return coroutine.yield(self)
   end

   function self.wait(fd, events, seconds)
      self.waits, self.asked = self.waits + 1, { fd = fd, events = events, seconds = seconds }
      by_fd[fd] = coroutine.running()
      assert(poller:add(fd, events))
      local is_ready = pause(seconds)
      by_fd[fd] = nil
      return is_ready
   end

   function self.sleep(seconds)
      pause(seconds)
   end

   function self.check()
      local thread, is_main = coroutine.running()
      if not thread or is_main then return "Call it in the loop" end
   end

   local function resume(thread, value)
      sleeping[thread] = nil
      local ok, said = coroutine.resume(thread, value)
      if not ok then error(debug.traceback(thread, tostring(said)), 0) end
      local is_ours = said == self or self.is_open or coroutine.status(thread) == "dead"
      assert(is_ours, "a yield that is not of the loop")
   end

   local function step()
      local now, first = core.now(), math.huge
      for _, due in pairs(sleeping) do first = math.min(first, due) end
      for _, fd in ipairs(poller:wait(math.max(0, first - now))) do
         if by_fd[fd] and sleeping[by_fd[fd]] then ready[#ready + 1] = { by_fd[fd], true } end
      end
      now = core.now()
      for thread, due in pairs(sleeping) do
         if due <= now then ready[#ready + 1] = { thread, false } end
      end
      local list = ready
      ready = {}
      for _, one in ipairs(list) do
         if sleeping[one[1]] then resume(one[1], one[2]) end
      end
   end

   function self.spawn(fn)
      local thread = coroutine.create(fn)
      resume(thread)
      return thread
   end

   -- Until these functions have ended, not those that they spawned.
   function self.run(functions)
      local threads = {}
      for i = 1, #functions do threads[i] = self.spawn(functions[i]) end
      for i = 1, #threads do
         while coroutine.status(threads[i]) ~= "dead" do step() end
      end
   end

   return self
end

-- What fn returns, run in a new loop, while another coroutine counts its turns. -> { n =, … }, the loop, turns
function poll_loop.call(fn, ...)
   local own, args, result = poll_loop.new(), { n = select("#", ...), ... }, nil
   local turns = 0
   own.run {
      function()
         local function keep(...) result = { n = select("#", ...), ... } end
         keep(fn(own, (table.unpack or unpack)(args, 1, args.n))) -- luacheck: ignore
      end,
      function()
         while not result do
            own.sleep(0.002)
            turns = turns + 1
         end
      end,
   }
   return result, own, turns
end

return poll_loop
