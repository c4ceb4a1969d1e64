-- The man page, which .ci/manual.lua makes from the tables of the flags.
local exit_status = require "smtp.cli.exit_status"
local flag_table = require "smtp.cli.flag_table"
local help = require "smtp.cli.help"
local interpreter = require("spec.tools.peer").interpreter:match("lua[%w.]*$")

local function manual(of)
   local pipe = io.popen(interpreter .. " .ci/manual.lua " .. of .. " 2>&1")
   local text = pipe:read("*a")
   pipe:close()
   return text
end

describe("The man page", function()
   it("has every sentence of the tables", function()
      local plain = manual("man"):gsub("\\%-", "-")
      for _, command in ipairs(flag_table.commands) do
         for _, flag in ipairs(flag_table.flags(command.name)) do
            if not flag.alias then assert.matches(flag.text, plain, 1, true) end
         end
      end
      for _, row in ipairs(exit_status.list) do assert.matches(row[2], plain, 1, true) end
   end)

   it("has a section for each command", function()
      local sections = { "NAME", "SYNOPSIS", "EXIT STATUS", "FILES", "EXAMPLES" }
      for _, command in ipairs(flag_table.commands) do sections[#sections + 1] = command.name:upper() end
      for _, name in ipairs(sections) do assert.matches("\n.SH " .. name .. "\n", manual("man"), 1, true) end
   end)

   it("has examples with flags that exist", function()
      local examples = manual("man"):match("\n%.SH EXAMPLES\n(.-)\n%.SH "):gsub("\\%-", "-")
      for flag in examples:gmatch("%-%-[a-z-]+") do assert.matches(flag .. " ", help.overview(true), 1, true) end
   end)

   it("is beside the completion, which the command prints too", function()
      assert.equal(require("smtp.cli.completion").of "zsh", manual "zsh")
      assert.matches("usage: ", manual "tcsh")
   end)
end)
