-- What `make install` puts where, and that the command starts from there. Nothing outside build/ changes.
local interpreter = require("spec.tools.peer").interpreter:match("lua[%w.]*$")
local root = "build/spec/inst all " .. interpreter

local function sh(line)
   local pipe = io.popen("{ env -u LD_PRELOAD -u LUA_PATH -u LUA_CPATH sh -c '" .. line .. "'; } 2>&1; echo status $?")
   local text = pipe:read("*a")
   pipe:close()
   return tonumber(text:match("status (%d+)\n$")), text
end

local function make(target, settings)
   local status, said = sh(("make -s LUA=%s %s %s"):format(interpreter, target, settings))
   assert.equal(0, status, said)
end

describe("make install", function()
   before_each(function() sh(("rm -rf \"%s\""):format(root)) end)
   after_each(function() sh(("rm -rf \"%s\""):format(root)) end)

   it("writes the interpreter into the command, which then starts from any PREFIX", function()
      make("install", ("PREFIX=\"$PWD/%s\""):format(root))
      local file = assert(io.open(root .. "/bin/lua-smtp"))
      assert.equal("#!/usr/bin/env " .. interpreter, (file:read("*l")))
      file:close()
      local status, said = sh(("cd / && \"$OLDPWD/%s/bin/lua-smtp\" --version"):format(root))
      assert.equal(0, status, said)
      assert.matches("^lua%-smtp %d", said)
   end)

   it("takes a DESTDIR with a space, and make uninstall removes all files again", function()
      make("install", ("DESTDIR=\"%s\""):format(root))
      local function count()
         return tonumber((select(2, sh(("find \"%s\" -type f | wc -l"):format(root))):match("%d+")))
      end
      assert(count() > 40)
      make("uninstall", ("DESTDIR=\"%s\""):format(root))
      assert.equal(0, count())
   end)
end)

describe("make", function()
   it("builds in a folder with a space", function()
      local status, said = sh(("mkdir -p \"%s\" && cp -r Makefile csrc \"%s\" && cd \"%s\" && "
         .. "make -s LUA=%s build/%s/obj/text/base64.o"):format(root, root, root, interpreter, interpreter))
      sh(("rm -rf \"%s\""):format(root))
      assert.equal(0, status, said)
   end)
end)
