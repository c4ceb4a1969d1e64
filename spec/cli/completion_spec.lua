local command = require "spec.tools.command"
local completion = require "smtp.cli.completion"
local flag_table = require "smtp.cli.flag_table"

-- What bash offers for the last of these words.
local function offered(words)
   local script = ([[. /dev/stdin <<"END"
%s
END
COMP_WORDS=(%s) COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
compopt() { :; }
_lua_smtp
printf "%%s " "${COMPREPLY[@]}"]]):format(completion.of "bash", words)
   return command.run_with("bash", script)
end

describe("lua-smtp completion", function()
   it("for bash offers commands, flags, words and files", function()
      assert.equal("send sendmail sink ", offered "lua-smtp s")
      assert.equal("--tls --tls-verify --tls-host --tls-ca-file --tls-ca-path --tls-cert --tls-key --tls-min-version "
         .. "--tls-pin ", offered "lua-smtp send --tls")
      assert.equal("--no-tls-verify ", offered "lua-smtp probe --no-t")
      assert.equal("--count ", offered "lua-smtp sink --cou")
      assert.equal(" ", offered "lua-smtp probe --subj")
      assert.equal(" ", offered [[lua-smtp send --subject ""]])
      assert.equal("implicit require prefer skip ", offered [[lua-smtp send --tls ""]])
      assert.equal("implicit require prefer skip ", offered "lua-smtp send --tls =")
      assert.equal("implicit ", offered "lua-smtp send --tls = im")
      assert.equal("starttls implicit ", offered [[lua-smtp sink --tls ""]])
      assert.equal("Makefile ", offered "lua-smtp send --attach Makef")
      assert.equal("Makefile ", offered "lua-smtp send -a Makef")
      assert.equal("send sendmail sink ", offered "lua-smtp help s")
      assert.equal("fish ", offered "lua-smtp completion f")
      assert.equal("retry resolve ", offered "lua-smtp outbox re")
      assert.equal("-t ", offered "lua-smtp sendmail -t")
   end)

   it("for each shell has every flag, and is printed by the command", function()
      for _, shell in ipairs { "bash", "zsh", "fish" } do
         local text, status = command.smtp("completion " .. shell)
         assert.equal(0, status)
         assert.equal(completion.of(shell), text)
         for _, one in ipairs(flag_table.commands) do
            for _, flag in ipairs(flag_table.flags(one.name)) do
               assert.matches((shell == "fish" and "-l " or "--") .. flag.name, text, 1, true)
               if flag.short then assert.matches("[ '|]%-s? ?" .. flag.short .. "[ :|]", text) end
            end
         end
      end
   end)

   it("for zsh and fish has the actions of outbox, and the letters of sendmail", function()
      assert.matches("(outbox:outbox) list=('put:Accept a message", completion.of "zsh", 1, true)
      local fish = completion.of "fish"
      assert.matches("_from outbox' -a resolve -d 'Settle a doubt.'", fish, 1, true)
      assert.matches("_from sendmail' -s t -d 'The header names", fish, 1, true)
      assert.matches("_from sendmail' -s F -x -d 'The author", fish, 1, true)
   end)

   it("is printed as JSON", function()
      assert.matches('^{"completion":"# Completion of lua%-smtp for bash.\\n.*","shell":"bash"}\n$',
         (command.smtp "completion bash --json"))
   end)

   it("refuses a shell that it does not know", function()
      local text, status = command.smtp "completion tcsh"
      assert.equal(64, status)
      assert.matches("Write lua-smtp completion bash, zsh or fish", text, 1, true)
      assert.equal(64, (select(2, command.smtp "completion")))
   end)
end)
