--- Sessions of smtp.core led by hand, call by call: what no transcript can show.

local core = require "smtp.core"

local sessions = {}

--- What a session says until it wants something else.
function sessions.said(session)
   local parts = {}
   while session:wants() == "send" do
      local bytes = session:output()
      parts[#parts + 1] = bytes
      session:sent(#bytes)
   end
   return table.concat(parts)
end

--- A session that is ready. `capabilities`: the lines of the reply to EHLO between its first and its last one.
function sessions.open(options, capabilities)
   local all = { domain = "me.example" }
   for name, value in pairs(options or {}) do all[name] = value end
   local session = core.session(all)
   session:heard("220 hi\r\n")
   sessions.said(session)
   session:heard("250-mx\r\n" .. (capabilities or "250-PIPELINING\r\n250-CHUNKING\r\n") .. "250 HELP\r\n")
   return session
end

--- A transaction for one recipient whose message comes piece by piece.
function sessions.of_unknown_size()
   return core.transaction { from = "a@x", to = { "b@x" } }
end

--- The envelope of this transaction is said and accepted. -> the transaction
function sessions.begin(session, transaction, text)
   session:add(transaction, text)
   sessions.said(session)
   session:heard("250 ok\r\n250 ok\r\n")
   return transaction
end

return sessions
