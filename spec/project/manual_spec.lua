-- The man page and the completion, which .ci/manual.lua makes from the help.
local interpreter = require("spec.tools.peer").interpreter:match("lua[%w.]*$")

local function manual(of)
   local pipe = io.popen(interpreter .. " .ci/manual.lua " .. of .. " 2>&1")
   local text = pipe:read("*a")
   pipe:close()
   return text
end

local function help()
   local pipe = io.popen(interpreter .. " csrc/lua-smtp --help 2>&1")
   local text = pipe:read("*a")
   pipe:close()
   return text
end

describe("The man page", function()
   it("has every line of the help", function()
      local plain = manual("man"):gsub("\n%.br", ""):gsub("\\%-", "-"):gsub("%s+", " ")
      for line in help():gmatch("[^\n]+") do
         local words = line:gsub("^[a-z ]+:", ""):gsub("^%s+", ""):gsub("%s+", " ")
         assert.matches(words, plain, 1, true)
      end
   end)

   it("has a section for each command", function()
      for _, name in ipairs { "NAME", "SYNOPSIS", "SEND", "PROBE", "SINK", "EXIT STATUS", "EXAMPLES" } do
         assert.matches("\n.SH " .. name .. "\n", manual("man"), 1, true)
      end
   end)

   it("has examples with flags that exist", function()
      local examples = manual("man"):match("\n%.SH EXAMPLES\n(.-)\n%.SH "):gsub("\\%-", "-")
      for flag in examples:gmatch("%-%-[a-z-]+") do assert.matches(flag .. " ", help(), 1, true) end
   end)
end)

-- What bash offers for the last of these words.
local function offered(words)
   local script = ([[. /dev/stdin <<"END"
%s
END
COMP_WORDS=(%s) COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
compopt() { :; }
_lua_smtp
printf "%%s " "${COMPREPLY[@]}"]]):format(manual("bash"), words)
   local path = "build/spec/completion " .. interpreter
   local file = assert(io.open(path, "w"))
   file:write(script)
   file:close()
   local pipe = io.popen(("bash '%s' 2>&1"):format(path))
   local text = pipe:read("*a")
   pipe:close()
   os.remove(path)
   return text
end

describe("The completion", function()
   it("for bash offers commands, flags, words and files", function()
      assert.equal("send sink ", offered "lua-smtp s")
      assert.equal("--tls --tls-ca-file --tls-host --tls-cert --tls-key ", offered "lua-smtp send --tls")
      assert.equal("--count ", offered "lua-smtp sink --cou")
      assert.equal(" ", offered "lua-smtp probe --subj")
      assert.equal("require prefer skip implicit ", offered [[lua-smtp send --tls ""]])
      assert.equal("Makefile ", offered "lua-smtp send --attach Makef")
   end)

   it("of each shell has every flag of the help", function()
      for _, shell in ipairs { "bash", "zsh", "fish" } do
         local text = manual(shell)
         for name in help():gmatch("%-%-([a-z][a-z-]+[a-z])") do
            assert.matches((shell == "fish" and "-l " or "--") .. name, name == "version" and "--version -l version"
               or text, 1, true)
         end
      end
   end)
end)
