--- The flags of an outbox, for the command outbox and for sendmail. What the fields mean is in
-- smtp.cli.flag_table.
-- @module smtp.cli.outbox_flags

return {
   { "Outbox", commands = "outbox sendmail",
      { "store", "The file of an outbox, which keeps the message.", takes = "FILE", file = true,
         common = true },
      { "name", "The name of the outbox.", takes = "NAME", default = "by the server" },
   },
   { "Outbox", commands = "outbox",
      { "id", "put: an id that is accepted once.", actions = "put", takes = "ID", common = true,
         default = "random" },
      { "at", "put: when to send it, in seconds since 1970.", actions = "put", takes = "SECONDS",
         default = "now" },
      { "once", "run: send what is due, and end.", actions = "run", default = "no", common = true },
      { "until-empty", "run: end when no message waits.", actions = "run", default = "no" },
      { "connections", "run: how many connections are open at once.", actions = "run", takes = "N",
         default = "2" },
      { "rate", "run: messages a second.", actions = "run", takes = "N" },
      { "doubt", "what to do where the server may have it.",
         actions = "run list show stats retry cancel resolve", takes = "WORD",
         words = { "keep", "resend" }, default = "keep" },
      { "lease", "run: seconds until others take over after a crash.", actions = "run",
         takes = "SECONDS", default = "120" },
      { "keep", "run: days for which to keep what is over.", actions = "run", takes = "DAYS",
         default = "7" },
      { "state", "list: only messages in this state.", actions = "list", takes = "WORD",
         words = { "queued", "claimed", "ending", "sent", "failed", "doubt", "cancelled" } },
      { "limit", "list: at most so many.", actions = "list", takes = "N", default = "100" },
      { "after", "list: only those after this number.", actions = "list", takes = "N" },
   },
}
