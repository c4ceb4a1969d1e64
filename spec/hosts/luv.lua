-- The measurements in luv, and in Neovim, which has luv in it.

local measure = require "spec.hosts.measure"
local vim = vim
local uv = vim and vim.loop or require "luv"

local function check(ok, ...)
   if not ok then error(..., 0) end
end

measure.all {
   loop = "luv",
   spawn = function(fn) check(coroutine.resume(coroutine.create(fn))) end,
   after = function(seconds, fn)
      local timer = uv.new_timer()
      timer:start(math.max(0, math.ceil(seconds * 1000)), 0, function()
         timer:close()
         fn()
      end)
   end,
   run = function(main)
      main(function()
         if vim then vim.schedule(function() vim.cmd "qall!" end) end
      end)
      if not vim then uv.run() end
   end,
}
