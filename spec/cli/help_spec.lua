local command = require "spec.tools.command"
local flag_table = require "smtp.cli.flag_table"
local help = require "smtp.cli.help"

local function lines_of(text)
   local list = {}
   for line in text:gmatch("([^\n]*)\n") do list[#list + 1] = line end
   return list
end

describe("lua-smtp --help", function()
   it("fits on one screen of 80 columns and 24 lines with the prompt after it, for each command", function()
      local texts = { help.overview() }
      for _, one in ipairs(flag_table.commands) do texts[#texts + 1] = help.of_command(one) end
      for _, text in ipairs(texts) do
         local lines = lines_of(text)
         assert.is_true(#lines <= 23, text)
         for _, line in ipairs(lines) do assert.is_true(#line <= 80, line) end
      end
   end)

   it("shows the defaults, and with =all every flag and the exit statuses", function()
      for _, one in ipairs(flag_table.commands) do
         local text, status = command.smtp(one.name .. " --help=all")
         assert.equal(0, status)
         for _, line in ipairs(lines_of(text)) do assert.is_true(#line <= 80, line) end
         local words = text:gsub("%s+", " ")
         for _, flag in ipairs(flag_table.flags(one.name)) do
            if not flag.alias then
               assert.matches(help.form(flag), words, 1, true)
               assert.matches(flag.text, words, 1, true)
               if flag.takes and flag.default then assert.matches("default: " .. flag.default, words, 1, true) end
            end
         end
         assert.matches("Exit status", text, 1, true)
      end
   end)

   it("puts a sentence beside its flag as long as two blanks are between them", function()
      local one = { name = "probe", synopsis = "", text = "", arguments = { { ("a"):rep(24), "beside" },
         { ("b"):rep(25), "below" } } }
      local lines = lines_of(help.of_command(one))
      assert.same({ "  " .. ("a"):rep(24) .. "  beside", "  " .. ("b"):rep(25), (" "):rep(28) .. "below" },
         { lines[3], lines[4], lines[5] })
   end)

   it("is printed by all its forms", function()
      for _, one in ipairs(flag_table.commands) do
         local text = help.of_command(one)
         for _, form in ipairs { "%s --help", "%s -h", "help %s" } do
            local said, status = command.smtp(form:format(one.name))
            assert.same({ text, 0 }, { said, status }, form)
         end
         assert.equal(help.of_command(one, true), (command.smtp("help " .. one.name .. " --all")))
      end
      for _, form in ipairs { "--help", "-h", "help" } do
         local said, status = command.smtp(form)
         assert.same({ help.overview(), 0 }, { said, status })
      end
      assert.equal(help.overview(true), (command.smtp("--help=all")))
   end)

   it("is printed as JSON", function()
      assert.matches('^{"commands":%[{"flags":%[{.*"exit_statuses":%[{"status":0,', (command.smtp "--help --json"))
      assert.matches('"default":"standard input","group":"Message","name":"text","takes":"TEXT"',
         (command.smtp "send --json --help"), 1, true)
      assert.matches('^{"version":"[%d.]+"}\n$', (command.smtp "--version --json"))
   end)

   it("shows a flag that is on with its negative form", function()
      assert.equal("--no-tls-verify", help.form { name = "tls-verify", default = "yes" })
      assert.equal("-t, --to ADDRESS ...", help.form { name = "to", short = "t", takes = "ADDRESS", list = true })
   end)
end)
