-- The file with the accounts: where it is looked for, when it is refused, and what it may do.
local account_file = require "smtp.cli.account_file"
local command = require "spec.tools.command"
local errors = require "smtp.errors"
local interpreter = require("spec.tools.peer").interpreter
local terminal = require "spec.tools.terminal"

local read = errors.returning(account_file.read)

describe("the file with the accounts", function()
   local folder, path
   before_each(function()
      folder = terminal.prepare()
      path = folder .. "/lua-smtp.lua"
   end)
   after_each(function() os.execute("rm -rf '" .. folder .. "'") end)

   local function write(text, mode)
      command.write(path, text)
      os.execute(("chmod %s %s"):format(mode or "600", path))
   end

   local function refused(text, mode)
      write(text, mode)
      local file, err = read(path)
      assert.is_nil(file)
      assert.same({ "usage", "accounts" }, { err.kind, err.option })
      return tostring(err)
   end

   it("is a program in Lua without functions", function()
      write [[
         local host = "mail.example.org" -- for both
         local list = {}
         for i = 1, 3 do list[i] = "a" .. i end
         return { accounts = { a = { host = host, list = list, port = 25, trace = true } } }]]
      assert.same({ path = path, others_read = false, table = { accounts = { a = { host = "mail.example.org",
         list = { "a1", "a2", "a3" }, port = 25, trace = true } } } }, read(path))
      write("\239\187\191return {\r\n}\r\n")
      assert.same({}, read(path).table)
      assert.equal("A", ("a"):upper())
   end)

   it("reaches nothing of this process", function()
      for _, text in ipairs { 'return { x = os.getenv("HOME") }', 'require "os"', 'return { x = ("x"):rep(3) }',
         'local s = "" return { x = s.dump }', "return _G.x", "error 'x'" } do
         assert.matches("lua%-smtp%.lua:1: attempt to .* The file has no functions", refused(text))
      end
      assert.matches("does not return a table", refused "accounts = {}")
      assert.is_nil(rawget(_G, "accounts"))
      assert.equal("xxx", ("x"):rep(3))
   end)

   it("names the line of a mistake", function()
      for text, wanted in pairs { ["return {\n\n  accounts = = 1 }"] = "lua%-smtp%.lua:3: unexpected symbol",
         ["return"] = "does not return a table", [""] = "does not return a table", ["return 1"] = "return a table",
         ["return { accounts = "] = "lua%-smtp%.lua:1: unexpected symbol",
         ["local x\nreturn x.y"] = "lua%-smtp%.lua:2: attempt to index" } do
         assert.matches(wanted, refused(text))
      end
   end)

   it("is not quoted in errors: a password may lack its quotes", function()
      for _, text in ipairs { '"sesame-8', "'sesame-8", "[[sesame-8", "12sesame", "sesame-8-x", '"a" "sesame-8"',
         "sesame 8", '"sesame-8"()', '("sesame-8").x.y', '"sesame-8" - 1', '"sesame-8" .. {}', 'a "sesame-8"',
         "'it's sesame-8'", 'a = "b" sesame = 8', "sesame[1]", "(function() goto sesame end)()",
         "(function() local sesame = 8 return sesame.x.y end)()" } do
         local said = refused("return { password = " .. text .. " }")
         assert.is_nil(said:find("sesame", 1, true), said)
         assert.matches("lua%-smtp%.lua:1: ", said)
      end
      assert.matches("near '='", refused "return { a = = 1 }", 1, true)
      assert.matches("'os'", refused "return os.x", 1, true)
   end)

   it("may not run for long, or be compiled", function()
      for _, text in ipairs { "while true do end", "local function f() return f() end return f()",
         "local x = 0 repeat x = x + 1 until x < 0", "for i = 1, 1e12 do local t = {} end" } do
         assert.matches("it does not end", refused(text))
      end
      for _, program in ipairs { string.dump(function() return {} end), "\239\187\191" .. string.dump(read), "\27" } do
         assert.matches("it is compiled Lua", refused(program))
      end
      assert.is_nil((debug.gethook()))
   end)

   it("contains plain values", function()
      for text, wanted in pairs { ["return { a = { b = { function() end } } }"] = "a%.b%[1%] is a function",
         ["local t = {} t.t = t return t"] = "too many tables in each other",
         ["return { [true] = 1 }"] = "a name in the file is a boolean",
         ["return { a = { [{}] = 1 } }"] = "a name in a is a table" } do
         assert.matches(wanted, refused(text))
      end
   end)

   it("is refused where other users may write it", function()
      for _, mode in ipairs { "620", "602", "622", "666" } do
         assert.matches("other users may write the file.*Run chmod go%-w " .. folder:gsub("%p", "%%%0"),
            refused("return {}", mode))
      end
      for mode, others_read in pairs { ["600"] = false, ["400"] = false, ["640"] = true, ["604"] = true } do
         write("return {}", mode)
         assert.equal(others_read, read(path).others_read)
      end
   end)

   it("is refused where it belongs to another user", function()
      write "return {}"
      local place, as = path, ""
      if command.run("id -u") == "0\n" then
         os.execute("chown 65534 " .. path)
      else
         place, as = "/etc/passwd", "unshare -r " -- where the user is root, and root is another user
      end
      command.write(folder .. "/read.lua", 'print(pcall(require("smtp.cli.account_file").read, arg[1]))')
      local said = terminal.sh(("%s%s %s/read.lua %s"):format(as, interpreter, folder, place))
      assert.matches("belongs to another user", said)
   end)

   it("is a regular file of some size, to which a link may lead", function()
      local _, err = read(folder)
      assert.matches("it is not a regular file", tostring(err))
      os.execute("mkfifo -m 600 " .. path)
      _, err = read(path)
      assert.matches("it is not a regular file", tostring(err))
      os.remove(path)
      assert.matches("it is larger than 256 KiB", refused((" "):rep(256 * 1024 + 1)))
      write((" "):rep(200000) .. "return {}")
      os.execute(("ln -s %s %s/link; ln -s loop %s/loop"):format(path, folder, folder))
      assert.same({}, read(folder .. "/link").table)
      _, err = read(folder .. "/loop")
      assert.matches("loop: .*Check the path after %-%-config", tostring(err))
      _, err = read(folder .. "/missing")
      assert.matches("missing: No such file", tostring(err))
      local odd = folder .. "/\255 '%1.lua"
      os.rename(path, odd)
      assert.same({}, read(odd).table)
   end)

   it("is the user's own, or else that of the machine", function()
      local places = [[XDG_CONFIG_HOME=%s/x HOME=%s
         XDG_CONFIG_HOME=relative HOME=%s
         -u XDG_CONFIG_HOME HOME=%s
         -u XDG_CONFIG_HOME -u HOME
         -u XDG_CONFIG_HOME HOME=
         XDG_CONFIG_HOME= HOME=%s]]
      os.execute(("mkdir %s/x %s/.config"):format(folder, folder))
      command.write(folder .. "/find.lua", [[
         local file = require "smtp.cli.account_file"
         file.SYSTEM_PATH = arg[1]
         local found, tried = file.read()
         print(found and found.path or table.concat(tried, " "))]])
      local function found(place)
         return (terminal.sh(("env %s %s %s/find.lua %s/system.lua"):format(place:gsub("%%s", folder),
            interpreter, folder, folder)):gsub(folder, ""))
      end
      local function all()
         local lines = {}
         for place in places:gmatch("[^\n]+") do lines[#lines + 1] = found(place) end
         return table.concat(lines)
      end
      assert.equal([[/x/lua-smtp.lua /system.lua
/.config/lua-smtp.lua /system.lua
/.config/lua-smtp.lua /system.lua
/system.lua
/system.lua
/.config/lua-smtp.lua /system.lua
]], all())
      for _, name in ipairs { "/system.lua", "/x/lua-smtp.lua", "/.config/lua-smtp.lua" } do
         path = folder .. name
         write "return {}"
      end
      assert.equal([[/x/lua-smtp.lua
/.config/lua-smtp.lua
/.config/lua-smtp.lua
/system.lua
/system.lua
/.config/lua-smtp.lua
]], all())
   end)

   it("takes ~ as the home directory", function()
      local home = os.getenv "HOME"
      assert.same({ home .. "/a", home, "~ann/a", "/~", "a~/b" }, { account_file.expand "~/a", account_file.expand "~",
         account_file.expand "~ann/a", account_file.expand "/~", account_file.expand "a~/b" })
      assert.equal("'a'\\''b c'", account_file.quoted "a'b c")
   end)
end)
