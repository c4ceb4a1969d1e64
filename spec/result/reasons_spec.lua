-- The reasons of refusals: what they concern, and their words.
local decision = require "smtp.result.decision"
local reasons = require "smtp.result.reasons"
local refusal = require "smtp.result.refusal"
local refusals = require "spec.tools.refusals"

local reply_of, stage_of, host_of = refusals.reply_of, refusals.stage_of, refusals.host_of

-- By concern: the reasons of the contract.
local contract = {
   sender = { "sender_not_allowed", "sender_domain", "sender_syntax" },
   recipient = { "unknown_recipient", "recipient_domain", "mailbox_full", "recipient_disabled",
      "recipient_syntax" },
   client = { "blocked", "no_reverse_name", "helo", "rate_limited", "too_many_connections", "pipelining" },
   account = { "app_password_required", "browser_login_required", "auth_disabled", "token_required",
      "token_expired", "token_scope", "quota", "relay_denied", "rejected" },
   message = { "too_large", "spam", "unauthenticated_sender", "header", "eightbit" },
   server = { "greylisted", "temporary", "misconfigured" },
}

describe("The reasons", function()
   it("knows the reasons of the contract, each with what it concerns", function()
      local count = 0
      for concerns, names in pairs(contract) do
         for _, name in ipairs(names) do
            assert.equal(concerns, reasons[name].concerns, name)
            count = count + 1
         end
      end
      for _ in pairs(reasons) do count = count - 1 end
      assert.equal(0, count)
   end)
end)

local avoid = { "nobody", "somebody", "whoever", "who ", " in vain", "wants", "is no ", "nil", "%.%.", "  ", "\n",
   "octet", " told", "behind" }

describe("Sentence and hint of a reason", function()
   local function check(name, case)
      local reason = reasons[name]
      local text = refusal.explain("x", {}, case) or {}
      assert.is_table(text)
      for _, field in ipairs { "sentence", "means", "hint", "outside", "login" } do
         local words = reason[field]
         if words then
            for _, pattern in ipairs(avoid) do
               assert.is_nil(words:gsub("%b{}", "x"):find(pattern), ("%s.%s has %q"):format(name, field, pattern))
            end
            assert.is_nil(words:find("%f[%a](%a+) %1%f[%A]"), name .. "." .. field)
         end
      end
   end

   it("is plain, and at most 300 characters with what a provider adds", function()
      for name, reason in pairs(reasons) do
         check(name, refusal.case { host = "mail.example" })
         local longest = math.max(#reason.hint, #(reason.outside or ""), #(reason.login or ""))
         assert.is_true(#reason.sentence + longest <= 300, name)
      end
   end)

   it("fits with the words of each provider", function()
      for _, row in ipairs(decision.rows()) do
         local stage = stage_of[(row.at or "rcpt"):match("%a+")]
         local case = refusal.case({ host = host_of(row) or "mail.example" })
         case.by = row.by or "password"
         local meaning = refusal.explain(stage, reply_of(row.sample), case)
         local text = meaning.sentence .. ". " .. (meaning.hint or "")
         assert.is_true(#text:gsub("https://%S+", "") <= 320, text)
         assert.is_nil(text:find("[{}|]"), text)
         assert.is_nil(text:find("  ", 1, true), text)
      end
   end)
end)
