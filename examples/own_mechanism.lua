-- AUTH by a mechanism of your own. GSSAPI or NTLM is written the same way, with a library that
-- implements it. This one, X-RIDDLE, is short: the server asks, the client answers.
local smtp = require "smtp"

local riddle = {
   name = "X-RIDDLE",
   plaintext = false, -- it does not contain the secret, so it may be used without TLS

   -- info: host, port, username, password, authzid, tls, nonce, …
   start = function(self, info)
      if not info.username then return false, "it needs a username" end -- the next one is tried
      self.user = info.username
      return self.user                            -- the initial response
   end,

   step = function(_, challenge)
      local a, b = challenge:match("^what is (%d+) times (%d+)%?$")
      if not a then return nil, "not a riddle: " .. challenge end -- cancels the exchange
      return ("%d"):format(a * b), true           -- true: 235 may come now
   end,
}

-- A server that offers it.
local sink = smtp.sink { require_auth = true, auth = { mechanisms = { {
   name = "X-RIDDLE",
   run = function(exchange, ask)
      if ask "what is 6 times 7?" == "42" then return exchange.initial end
   end,
} } } }

local receipt = smtp.send {
   transport = sink:transport(), tls = "skip",
   username = "ann", auth_mechanisms = { riddle },
   from = "ann@example.org", to = "bob@example.net", subject = "Riddles", text = "Hi Bob\n",
}
print(receipt.auth.state .. " by " .. receipt.auth.mechanism)
