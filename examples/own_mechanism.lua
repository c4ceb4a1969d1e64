-- AUTH by a mechanism of one's own. GSSAPI, NTLM or DIGEST-MD5 would be written the same way, with
-- a library that knows them; this one, X-RIDDLE, is simple enough to read: the server asks, and
-- only those who know the answer come in. Base64, limits and clean logs are the library's.
--
--    lua examples/own_mechanism.lua           against a sink in this process
--
-- From the project's folder after `make`, the modules are found in lua/ and build/.
local folder = rawget(_G, "jit") and "luajit" or _VERSION:lower():gsub(" ", "")
package.path = "lua/?.lua;" .. package.path
package.cpath = "build/" .. folder .. "/?.so;" .. package.cpath

local smtp = require "smtp"

local riddle = {
   name = "X-RIDDLE",
   plaintext = false, -- what it says is of no use to those who listen: it may do without TLS

   -- `self` is this exchange's own. info: host, port, username, password, authzid, tls, nonce, …
   start = function(self, info)
      if not info.username then return false, "it wants a username" end -- the next one is tried
      self.user = info.username
      return self.user                        -- the initial response
   end,

   step = function(_, challenge)
      local a, b = challenge:match("^what is (%d+) times (%d+)%?$")
      if not a then return nil, "that is no riddle: " .. challenge end -- cancels the exchange
      return ("%d"):format(a * b), true       -- true: 235 may come now
   end,
}

-- The other side of it.
local sink = smtp.sink { require_auth = true, auth = { mechanisms = { {
   name = "X-RIDDLE",
   run = function(exchange, ask)
      local user = exchange.initial or ask ""
      local answer = ask "what is 6 times 7?"
      if answer == "42" then return user end
   end,
} } } }

local receipt = smtp.send {
   transport = sink:transport(), tls = "skip",
   username = "ann", password = "not needed", auth_mechanisms = { riddle },
   trace = function(direction, line) print(direction .. ": " .. line) end,
   from = "ann@example.org", to = "bob@example.net", subject = "Hello", text = "Hi Bob\n",
}
print(("%s by %s: %s"):format(receipt.auth.state, receipt.auth.mechanism, receipt.reply.text))
assert(sink.messages[1].authenticated == "ann")
