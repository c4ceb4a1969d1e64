local command = require "spec.tools.command"
local errors = require "smtp.errors"
local flag_table = require "smtp.cli.flag_table"
local unknown_flag = require "smtp.cli.unknown_flag"

describe("lua-smtp", function()
   it("names the nearest command or flag", function()
      for line, said in pairs { ["snd"] = 'no command "snd". Did you mean lua%-smtp send%?',
         ["prob x"] = "Did you mean lua%-smtp probe", ["xyzzy"] = "See lua%-smtp %-%-help",
         ["help snk"] = "Did you mean lua%-smtp sink", ["--helpp"] = "no command",
         ["send --sbject x"] = "no flag %-%-sbject%. Did you mean %-%-subject%?",
         ["send --atach=x"] = "Did you mean %-%-attach", ["send --no-tls-verfy"] = "Did you mean %-%-no%-tls%-verify",
         ["sink --prot 1"] = "Did you mean %-%-port", ["send --count 1"] = "It belongs to lua%-smtp sink",
         ["probe --subject x"] = "It belongs to lua%-smtp send", ["send --xyzzy"] = "See lua%-smtp send %-%-help",
         ["send --xyzzy --json=yes"] = '^{"error"',
         ["send -n=yes"] = "%-n takes no value", ["outbox lst"] = "Did you mean list",
         ["send -z"] = "no flag %-z%.", ["send -vz"] = "no flag %-z%.", ["send -from a@x"] = "Write %-%-from",
         ["send --no-subject"] = "%-%-subject takes a value", ["send hello"] = '"hello" is not a flag',
         ["sink 2525"] = '"2525" is not a flag',
         ["send --smtp://ann:sesame-arg@host"] = "a URL is given without %-%-url",
         ["send --envelope x"] = "%-%-envelope%-from ADDRESS" } do
         local text, status = command.smtp(line)
         assert.equal(64, status, line)
         assert.matches(said, text, line)
         assert.equal(1, select(2, text:gsub("\n", "")), text)
      end
   end)
end)

describe("A flag with a letter too many", function()
   it("is answered with the flag that was meant, also with no- before it", function()
      for _, one in ipairs(flag_table.commands) do
         for _, flag in ipairs(flag_table.flags(one.name)) do
            for _, name in ipairs { flag.name, not flag.takes and "no-" .. flag.name or nil } do
               local typed = name:gsub("[a-z]$", "%0%0")
               local _, err = errors.returning(unknown_flag.refuse)("--" .. typed, typed, one)
               local shown = "%-%-" .. name:gsub("%-", "%%%0") .. "[? ]"
               if #name > 3 then assert.truthy((err.hint .. " "):find(shown), err.hint) end
            end
         end
      end
   end)
end)
