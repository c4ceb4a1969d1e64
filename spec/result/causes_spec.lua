-- The table of the documented replies: each row decides its own sample.
local decision = require "smtp.result.decision"
local reasons = require "smtp.result.reasons"
local refusals = require "spec.tools.refusals"

local reply_of, stage_of, host_of = refusals.reply_of, refusals.stage_of, refusals.host_of

describe("The table of causes", function()
   it("decides the sample of each row by that row, in every stage where it applies", function()
      for i, row in ipairs(decision.rows()) do
         assert.is_table(reasons[row.reason], row.reason)
         assert.is_true(#row.source > 5)
         for at in (row.at or "hello mail rcpt message"):gmatch("%a+") do
            local found = decision.find(stage_of[at], reply_of(row.sample), { host = host_of(row), by = row.by })
            assert.equal(row, found, ("row %d at %s: %s"):format(i, at, row.sample))
         end
      end
   end)

   it("has rows for each of its words", function()
      for _, row in ipairs(decision.rows()) do
         assert.is_true(row.code ~= nil or row.status ~= nil or #row.words > 0, row.sample)
         for _, words in ipairs(row.words) do
            for _, word in ipairs(words) do assert.equal(word:lower(), word) end
         end
      end
   end)
end)
