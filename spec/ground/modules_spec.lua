-- The C part is missing, or was built for another Lua: `require` says what to install, in one line.
local command = require "spec.tools.command"
local peer = require "spec.tools.peer"

local folder

local function required(cpath, name)
   local said = command.run(("sh -c \"LUA_CPATH='%s' exec %s -e 'print(select(2, pcall(require, [[%s]])))'\"")
      :format(cpath, peer.interpreter, name))
   return (said:gsub("\n$", ""))
end

local doors = { "smtp", "smtp.safe", "smtp.message", "smtp.dkim", "smtp.sink" }

describe("a module in C that cannot be loaded", function()
   setup(function()
      folder = os.tmpname()
      os.remove(folder)
   end)

   it("is not installed", function()
      for _, name in ipairs(doors) do
         local said = required("/nonexistent/?.so", name)
         assert.truthy(said:find("^smtp: the module smtp.core, which is written in C, is not installed for Lua[^:]*: "
            .. "run make install LUA=lua[^ ]*, or put its folder into package.cpath %(LUA_CPATH%)$"), said)
      end
   end)

   it("ends the command with one line", function()
      local said = command.run(("sh -c \"LUA_CPATH='/nonexistent/?.so' %s csrc/lua-smtp --help; echo status $?\"")
         :format(peer.interpreter):gsub("%$", "\\%0"))
      assert.truthy(said:find("^lua%-smtp: the module smtp.core, [^\n]*%(LUA_CPATH%)\nstatus 70\n$"), said)
   end)

   it("is said in one line where not even the modules in Lua are found", function()
      local said = command.run(("sh -c \"LUA_PATH='/nonexistent/?.lua' %s csrc/lua-smtp --help; echo status $?\"")
         :format(peer.interpreter):gsub("%$", "\\%0"))
      assert.matches("^lua%-smtp: [^\n]*'smtp.ground.modules' not found: put the folder [^\n]*\nstatus 70\n$", said)
   end)

   it("was built for another Lua", function()
      assert.equal("", command.run(("sh -c 'mkdir -p %s/smtp && cd %s && echo \"void other(void); "
         .. "void luaopen_smtp_core(void) { other(); }\" >core.c && gcc -shared -fPIC -o smtp/core.so core.c "
         .. "-Wl,-z,now'"):format(folder, folder)))
      for _, name in ipairs(doors) do
         local said = required(folder .. "/?.so", name)
         assert.truthy(said:find("^smtp: /[^:]*core%.so cannot be loaded by Lua[^:]*core%.so: undefined symbol: "
            .. "other%): build it for this Lua with make LUA=lua[^ ]*$"), said)
      end
      command.run("rm -r " .. folder)
   end)

   it("needs OpenSSL: the functions of smtp.safe return an error", function()
      local preload = package.preload["smtp.crypto"]
      local loaded = package.loaded["smtp.crypto"]
      package.loaded["smtp.crypto"] = nil
      package.preload["smtp.crypto"] = function()
         error("error loading module 'smtp.crypto' from file 'crypto.so':\n"
            .. "\t/lib/libcrypto.so.3: file too short", 0)
      end
      local _, why = require("smtp.ground.resources").load "smtp.crypto"
      package.loaded["smtp.crypto"], package.preload["smtp.crypto"] = loaded, preload
      assert.equal("OpenSSL 3 cannot be loaded (libcrypto.so.3: file too short): install it (Debian: libssl3)", why)
   end)
end)
