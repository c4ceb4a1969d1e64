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
         ["send --no-subject"] = "%-%-subject takes a value", ["send hello"] = '"hello" is not an address: it has no @',
         ["send -f a@x -- -t"] = '"%-t" is not an address', ["outbox put bob"] = '"bob" is not an address',
         ["probe 2526"] = "2526 is a port%? Write localhost:2526",
         ["sink 2525"] = '"2525" is an argument too many%. lua%-smtp sink takes only flags',
         ["outbox stats extra"] = '"extra" is an argument too many%. lua%-smtp outbox stats takes only flags',
         ["outbox show a b"] = '"b" is an argument too many%. lua%-smtp outbox show takes ID and flags',
         ["send --smtp://ann:sesame-arg@host"] = "a URL is given without %-%-url",
         ["send --envelope x"] = "%-%-envelope%-from ADDRESS" } do
         local text, status = command.smtp(line)
         assert.equal(64, status, line)
         assert.matches(said, text, line)
         assert.equal(1, select(2, text:gsub("\n", "")), text)
      end
   end)
end)

describe("A flag of another action of lua-smtp outbox", function()
   local function hint_of(action, name)
      local _, err = errors.returning(unknown_flag.refuse)("--" .. name, name, { name = "outbox", action = action })
      return err.what .. " " .. err.hint
   end

   it("is answered with the action that has it", function()
      for name, action in pairs { once = "run", limit = "list", id = "put", at = "put", keep = "run",
         ["state"] = "list", ["attach"] = "put", ["recipients"] = "put", ["no-raw"] = "put", ["no-once"] = "run" } do
         assert.equal(("outbox stats has no flag --%s It belongs to lua-smtp outbox %s"):format(name, action),
            hint_of("stats", name))
      end
      assert.matches("It belongs to lua-smtp outbox put and list", hint_of("run", "to"), 1, true)
      assert.matches("It belongs to lua-smtp outbox run, list, show, stats, retry, cancel and resolve",
         hint_of("put", "doubt"), 1, true)
      assert.matches("It belongs to lua-smtp send", hint_of("put", "dry-run"), 1, true)
      for line, said in pairs { ["run -f a@x"] = "outbox run has no flag -f. It belongs to lua-smtp outbox put",
         ["put --lease 5 -t a@x"] = "outbox put has no flag --lease. It belongs to lua-smtp outbox run" } do
         assert.matches(said, (command.smtp("outbox " .. line)), 1, true)
      end
   end)

   it("is one that this action has not, and no other", function()
      for _, row in ipairs(flag_table.command("outbox").arguments) do
         local action, own = row[1]:match("^[a-z]+"), {}
         for _, flag in ipairs(flag_table.flags("outbox", action)) do own[flag.name] = true end
         for _, flag in ipairs(flag_table.flags "outbox") do
            if not own[flag.name] then assert.matches("lua-smtp outbox ", hint_of(action, flag.name), 1, true) end
         end
         assert.is_true(own.store and own.host and own.account and own.json)
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
