local flag_table = require "smtp.cli.flag_table"
local names = require "smtp.options.names"
local sink_options = require "smtp.sink.options"

local function each_flag(fn)
   for _, command in ipairs(flag_table.commands) do
      for _, flag in ipairs(flag_table.flags(command.name)) do fn(command, flag) end
   end
end

describe("The table of flags", function()
   it("has a whole sentence for each command and each flag", function()
      for _, command in ipairs(flag_table.commands) do assert.matches("^[A-Z].*%.$", command.text) end
      each_flag(function(_, flag)
         if not flag.alias then assert.matches("^[A-Za-z].*[.]", flag.text, flag.name) end
      end)
   end)

   it("has each name and each letter once in a command", function()
      local seen = {}
      each_flag(function(command, flag)
         for _, name in ipairs { flag.name, flag.short } do
            local key = command.name .. " " .. name
            assert.is_nil(seen[key], key)
            seen[key] = true
         end
      end)
   end)

   it("has no flag that is the negative form of another one", function()
      each_flag(function(_, flag) assert.is_nil(flag.name:find("^no%-")) end)
   end)

   it("reaches every option of smtp.send but those that are functions", function()
      local other = { attachments = "attach", headers = "header", extensions = "extension", dsn = "dsn-notify",
         envelope = "envelope-from", eightbit = "raw", size = "raw" } -- what --raw reads is wholly in memory
      local functions = { transport = true, observe = true, keepalive = true, loop = true }
      local flags = {}
      for _, flag in ipairs(flag_table.flags "send") do flags[flag.name] = true end
      for _, name in ipairs(names.all) do
         assert.is_true(functions[name] or flags[other[name] or name:gsub("_", "-")], name)
      end
   end)

   it("has the words that the options have", function()
      for _, flag in ipairs(flag_table.flags "send") do
         local option = names.connection.by_name[flag.name:gsub("-", "_")]
            or names.message.by_name[flag.name:gsub("-", "_")]
         if option and option.words then assert.same(option.words, flag.words, flag.name) end
      end
      assert.is_truthy(sink_options.read { tls = "implicit" })
   end)

   it("has few flags that a help shows first", function()
      for name, expected in pairs {
         send = "from to cc bcc subject text attach raw dry-run host port service tls account username password-env "
            .. "trace json help",
         probe = "host port service tls account username password-env trace json help",
         sendmail = "store host port service tls account username password-env trace json help",
         outbox = "store id once from to cc bcc subject text attach raw host port service tls account username "
            .. "password-env trace json help",
         sink = "host port socket lmtp tls tls-cert tls-key user password-env password-file maildir eml reply count "
            .. "once ready-fd trace json help",
         completion = "json help",
      } do
         local list = {}
         for _, flag in ipairs(flag_table.flags(name)) do
            if flag.common then list[#list + 1] = flag.name end
         end
         assert.equal(expected, table.concat(list, " "))
      end
   end)

   it("finds a command by its name", function()
      assert.equal("probe", flag_table.command("probe").name)
      assert.is_nil(flag_table.command "prob")
   end)
end)
