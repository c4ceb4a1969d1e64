-- Sentences continue after the name of a server, and nothing in them is left open.
local sentences = require "smtp.result.sentences"

describe("A sentence", function()
   it("begins with a verb, and has only known places", function()
      for group, list in pairs(sentences) do
         for stage, text in pairs(list) do
            local name = group .. "." .. stage
            assert.truthy(text:find("^%l") and not text:find("[.:;,]$"), name)
            assert.equal("", (text:gsub("{verb}", ""):gsub("{limit}", ""):gsub("{proxy}", ""):gsub("[^{}]", "")), name)
            assert.equal(group == "timeout", text:find("{limit}", 1, true) ~= nil, name)
            assert.equal(stage == "other", text:find("{verb}", 1, true) ~= nil, name)
         end
      end
   end)
end)
