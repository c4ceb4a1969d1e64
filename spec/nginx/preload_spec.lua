-- No request waits in nginx while a file of this library is read.
local preload = require "smtp.runtime.nginx.preload"

describe("in nginx", function()
   it("all that a message may need is loaded with the library", function()
      for _, name in ipairs(preload.names) do assert.is_table(package.loaded[name], name) end
   end)
end)
