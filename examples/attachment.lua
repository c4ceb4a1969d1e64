-- Send files: one by its path, one from a string, one made piece by piece while it is sent.
local smtp = require "smtp.safe"

-- Only one piece is in memory at a time, even if there are a million lines.
local function squares(count)
   local i = 0
   return function()
      i = i + 1
      if i <= count then return ("%d;%d\r\n"):format(i, i * i) end
   end
end

local receipt, err = smtp.send {
   host = arg[1], port = arg[2],
   username = os.getenv "SMTP_USER", password = os.getenv "SMTP_PASSWORD",
   from = "Ann <ann@example.org>", to = "bob@example.net",
   subject = "The figures", text = "Hi Bob,\n\nthey are in the files.\n",
   attachments = {
      { path = arg[0] },                                   -- name and type from the path
      { content = "a;b\r\n1;2\r\n", filename = "übersicht.csv" },
      { source = squares(1000), filename = "squares.csv" },
   },
}
print(receipt and receipt.reply.text or tostring(err))
if not receipt then os.exit(1) end
