-- Sends files: one by its path, one from a string, one made piece by piece while it is sent.
--
--    lua examples/attachment.lua           against a sink in this process
--
-- From the project's folder after `make`, the modules are found in lua/ and build/.
local folder = rawget(_G, "jit") and "luajit" or _VERSION:lower():gsub(" ", "")
package.path = "lua/?.lua;" .. package.path
package.cpath = "build/" .. folder .. "/?.so;" .. package.cpath

local smtp = require "smtp"

local sink = smtp.sink {}

-- A million lines would do as well: only one piece is in memory at a time.
local function numbers(count)
   local i = 0
   return function()
      i = i + 1
      if i <= count then return ("%d;%d\r\n"):format(i, i * i) end
   end
end

local receipt = smtp.send {
   transport = sink:transport(), tls = "skip",
   from = "Ann <ann@example.org>", to = "bob@example.net",
   subject = "The figures", text = "Hi Bob,\n\nthey are in the files.\n",
   attachments = {
      { path = "README.md" },                                       -- type and name from the path
      { content = "a;b\r\n1;2\r\n", filename = "übersicht.csv" },
      { source = numbers(1000), filename = "squares.csv", content_type = "text/csv" },
   },
}
print(receipt.reply.text)

local data = sink.messages[1].data
print(data:match("^(.-\r\n)\r\n"))
for head in data:gmatch("Content%-Disposition: ([^\r]+)") do print(head) end
assert(select(2, data:gsub("Content%-Disposition: attachment", "")) == 3)
