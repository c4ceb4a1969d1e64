local talk = require "spec.tools.talk"

local script = talk.snippets {
   in_one_flight = [[
      C: MAIL FROM:<ann@me.example>
      C: RCPT TO:<bob@there.example>
      C: DATA
      S: 250 ok
      S: 250 ok
      S: 354 go on
      MESSAGE
      S: 250 ok
      <bye>
   ]],
}

local function offering(lines, rest)
   return script([[
      S: 220 hi
      C: EHLO me.example
      <lines>
      <rest>
   ]], { lines = lines, rest = rest })
end

describe("the locale", function()
   it("does not change how keywords are read", function()
      local before = os.setlocale()
      for _, name in ipairs { "tr_TR.ISO-8859-9", "tr_TR.UTF-8", "de_DE.UTF-8", "C" } do
         os.setlocale(name)
         talk.send({}, offering([[
            S: 250-mx
            S: 250 pipelining
         ]], script.in_one_flight))
      end
      os.setlocale(before)
   end)
end)
