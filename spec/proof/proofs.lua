--- What this library promises, and what shows that. Each proof is { name, promise, how, command, pattern }: the
-- command fails where the promise is broken, and `pattern` finds how many cases its output reports (nil: the specs that
-- ran, and what they have passed to spec.tools.tally).

local specs = "busted --lua=lua5.4 --helper=spec/tools/recorder.lua -o plainTerminal -p _spec "

return {
   { "auth", "A server without AUTH is told apart from every other failure, and a message is sent without a login only "
      .. "where `auth = \"prefer\"` allows it.", "replies to EHLO and AUTH, before and after TLS; each mechanism",
      specs .. "spec/protocol/auth spec/protocol/auth_spec.lua spec/protocol/extensions_spec.lua "
      .. "spec/protocol/hello_spec.lua spec/client/login_spec.lua spec/client/mechanisms_spec.lua" },
   { "tls", "A password is sent only where TLS is verified, on loopback, or where you allow it. What was said before "
      .. "TLS is forgotten.", "certificates, names, versions, injected text, refused and missing STARTTLS",
      specs .. "spec/protocol/starttls_spec.lua spec/client/tls_spec.lua spec/socket/handshake_spec.lua "
      .. "spec/socket/certificate_spec.lua spec/socket/tls_spec.lua spec/diagnosis/tls_spec.lua" },
   { "cuts", "Wherever a connection ends or stalls, the receipt or the error says what happened.",
      "every byte of the dialogue, in both directions; SMTP, LMTP, DATA, BDAT, each `pipelining`; many messages over "
         .. "connections that break or stall; real sockets that stall, inside records of TLS too",
      "SEEDS=2000 STALLS=3 " .. specs .. "spec/client/cut_spec.lua spec/client/many_cut_spec.lua "
      .. "spec/client/eager_spec.lua spec/client/stall_spec.lua" },
   { "splits", "How replies arrive, in pieces or together, does not matter.",
      "each dialogue whole and byte by byte", specs .. "spec/protocol" },
   { "floods", "A peer that sends without end, or slowly, takes no memory and no more time than was given.",
      "endless replies, lines, drips and records of TLS",
      specs .. "spec/runtime/flood_spec.lua spec/protocol/linear_spec.lua spec/socket" },
   { "texts", "Text from outside adds no header, no recipient and no command.",
      "line ends and controls in each option of text; all short bodies",
      "EXHAUST=10 " .. specs .. "spec/compose/injection_spec.lua spec/exhaust spec/core/arguments_spec.lua" },
   { "fuzz", "No input makes a parser use memory that is not its own, hang, or differ from its model.",
      "libFuzzer with ASan and UBSan; parsers, whole dialogues", "spec/fuzz/run 3000000", "([%d]+) inputs" },
   { "options", "No option, of whatever type and value, raises, injects, or changes the caller's table.",
      "random tables of options for each door, beside a server that knows the grammar of commands; parsers in Lua",
      "CASES=50000 " .. specs .. "spec/fuzz" },
   { "peers", "It does what the tests of other libraries expect, or differs on purpose.",
      "curl, nodemailer, smtplib, MailKit, NO STARTTLS, MimeKit, dkimpy", specs .. "spec/peers" },
   { "ending", "A program that is killed knows whether it may have sent the end of a message.",
      "SIGKILL after each byte", "KILLS=1 " .. specs .. "spec/live/ending_spec.lua" },
   { "crashes", "A message that outbox:put has accepted is sent once, or has failed, or is in doubt.",
      "SIGKILL and power loss at each statement of the store and bytes of the dialogue",
      "KILLS=3 " .. specs .. "spec/live/outbox_crash_spec.lua" },
   { "failing", "On a machine that fails, what a send returns is true, and the next one works.",
      "each errno of each system call, allocations of C and Lua, interrupted calls, single bytes, another time of day; "
         .. "the command as well",
      "FAILING=40 " .. specs .. "spec/failing spec/ground/resources_spec.lua spec/live/outbox_disk_spec.lua "
      .. "spec/runtime/kept_socket_spec.lua" },
   { "secrets", "No secret is in an error, a trace or a log, nor in memory of C after its use.",
      "all specs, whose output is searched for all passwords", specs .. "$(.ci/specs)" },
   { "servers", "It works with the servers that people run.",
      "the same cases at twelve servers; Postfix, Exim, Dovecot, Haraka, OpenDKIM and GNU SASL in depth",
      "MATRIX=all " .. specs .. "spec/live" },
   { "hosts", "A message does not block the event loop that it is sent in.",
      "cqueues, lua-http, luv, Neovim, copas, Prosody, HAProxy and Apache: ticks, certificates, drips, 200 at once",
      "spec/hosts/run" },
   { "coverage", "The specs run every line, or a list says why they cannot.",
      "a line hook of Lua, gcov, spec/coverage/missed", "spec/coverage/run", "(%d+) of them have run" },
   { "mutants", "The specs find faults.", "300 places of the code are changed, one at a time",
      "MUTANTS=300 SEED=1 spec/mutants/run", "(%d+) changes" },
   { "build", "A build has the same bytes in any folder, and is hardened.",
      "two builds in different folders; RELRO, early binding, stack protector", "spec/proof/build", "(%d+) objects" },
}
