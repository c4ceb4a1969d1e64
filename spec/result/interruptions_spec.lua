-- What was awaited, for how long, and which option decided that. spec/diagnosis/connection_spec.lua has the lines.
local core = require "smtp.core"
local interruptions = require "smtp.result.interruptions"

local function conversation(more)
   local server = { protocol = "smtp", tls = "require", timeout = 300, connect_timeout = 15, reply_timeout = 60 }
   for name, value in pairs(more or {}) do server[name] = value end
   return { server = server, deadline = core.now() + server.timeout }
end

local function describe_it(trouble, more, mail)
   interruptions.describe(conversation(more), trouble, mail)
   return trouble.sentence, trouble.option
end

local function timeout_at(stage, more, mail)
   return describe_it({ kind = "timeout", reason = "timeout", stage = stage }, more, mail)
end

describe("The sentence of a timeout", function()
   it("names the option that decided, and its time", function()
      assert.same({ "was not found by the resolver within 15 s (connect_timeout)", "connect_timeout" },
         { timeout_at "resolve" })
      assert.same({ "did not answer RCPT within 60 s (reply_timeout)", "reply_timeout" }, { timeout_at "rcpt" })
      assert.same({ "did not answer RCPT within 20 s (timeout)", "timeout" }, { timeout_at("rcpt", { timeout = 20 }) })
   end)

   it("has the time that the size of a message adds, but not to a time that the caller gave", function()
      local mail = { size = 131072 * 10 }
      assert.matches("within 310 s %(timeout%)", (timeout_at("final", {}, mail)))
      assert.matches("within 300 s %(timeout%)", (timeout_at("final", { timeout_given = true }, mail)))
   end)

   it("is about all of the time where that is over", function()
      local conv, trouble = conversation(), { kind = "timeout", reason = "timeout", stage = "mail" }
      conv.deadline = core.now() - 1
      interruptions.describe(conv, trouble)
      assert.equal("did not answer MAIL within 300 s (timeout)", trouble.sentence)
   end)

   it("names a proxy whose address has a zone", function()
      for _, kind in ipairs { "timeout", "connect" } do
         local trouble = { kind = kind, reason = "proxy_unreachable", stage = "connect" }
         local text = describe_it(trouble, { proxy = { place = "[fe80::1%lo]:1080" } })
         assert.truthy(text:find("the proxy [fe80::1%lo]:1080 ", 1, true), text)
      end
   end)
end)

describe("The sentence of a lost connection", function()
   local function closed_at(stage, more, idle)
      return (describe_it({ kind = "disconnected", reason = "closed", stage = stage, idle = idle }, more))
   end

   it("says what it came instead of", function()
      assert.equal("closed the connection instead of answering LHLO", closed_at("ehlo", { protocol = "lmtp" }))
      assert.equal("agreed to STARTTLS and then closed the connection", closed_at "tls")
      assert.equal("closed the connection in the TLS handshake", closed_at("tls", { tls = "implicit" }))
      assert.equal("closed the connection while it was idle", closed_at("mail", {}, true))
   end)

   it("stays where the core has said more", function()
      for _, kind in ipairs { "disconnected", "sender_refused" } do
         local trouble = { kind = kind, reason = "worn_out", stage = "mail", sentence = "kept" }
         assert.equal("kept", (describe_it(trouble)))
      end
   end)
end)

describe("The place of a reply that breaks the protocol", function()
   it("is the command, or the greeting", function()
      local server = { protocol = "smtp" }
      assert.equal(" (as its greeting)", interruptions.place(server, "greeting"))
      assert.equal(" (in reply to EHLO)", interruptions.place(server, "ehlo"))
      assert.equal(" (in reply to DATA)", interruptions.place(server, "final"))
      assert.equal("", interruptions.place(server, "ready"))
   end)
end)
