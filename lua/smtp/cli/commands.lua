--- The commands of lua-smtp, in the order of the help. `run` of the module smtp.cli.NAME gets the
-- options, and whether to print JSON.
--
-- Fields of a command, beside its name, its synopsis and a sentence (`text`), perhaps two (`more`):
--    place          the flag, or the option, that an argument without a flag is a value of
--    own_arguments  `run` gets the list of arguments in place of the options
--    arguments      what such a command takes, as { "-i", "a sentence" }
--    has_letters    its flags have their letters nevertheless
--    common         the groups whose flags its short help shows
-- @module smtp.cli.commands

return {
   { name = "send", synopsis = "-f FROM -t TO [flags] [TO ...]", text = "Send one message.",
      place = "to",
      more = "Without --text, --html, --calendar or --raw, standard input is the text." },
   { name = "probe", synopsis = "HOST[:PORT] [flags]", place = "place",
      text = "Show what a server offers, and which options to use.",
      more = "Without a port it looks at 465, 587 and 25. With credentials it logs in." },
   { name = "sendmail", synopsis = "[flags] [-t] [-i] [-f FROM] [-F NAME] [TO ...]",
      text = "Send the message on standard input, as the program sendmail does.",
      more = "A link with its name does so, too. Its other settings (-oem) have no effect.",
      own_arguments = true, arguments = {
         { "-t", "The header names recipients: To, Cc and Bcc." },
         { "-i", "A line that is one dot does not end the message." },
         { "-f ADDRESS", "The sender; \"\" is the null reverse path." },
         { "-F NAME", "The author's name, where there is no From." },
         { "-N WORD,...", "The same as --dsn-notify." },
         { "-R WORD", "The same as --dsn-ret." },
         { "-V TEXT", "The same as --dsn-envid." },
         { "-v", "The same as --trace." },
      } },
   { name = "outbox", synopsis = "ACTION [ID] --store FILE [flags]",
      text = "Keep messages in a file, and deliver them even after a crash.",
      own_arguments = true, has_letters = true,
      common = { Outbox = true, Server = true, Authentication = true, Output = true },
      arguments = {
         { "put", "Accept a message (flags of send), and print its id." },
         { "run", "Deliver until SIGTERM; with --once, what is due." },
         { "list", "List messages: --state, --to, --limit, --after." },
         { "show ID", "Show a message and its attempts." },
         { "retry ID", "Send a message now." },
         { "cancel ID", "Do not send a message that waits." },
         { "resolve ID sent|unsent", "Settle a doubt." },
         { "stats", "Count messages; say why none is sent." },
      } },
   { name = "sink", synopsis = "[flags]", text = "Receive messages, print and store them." },
   { name = "completion", synopsis = "bash|zsh|fish", place = "shell",
      text = "Print the completion for a shell." },
}
