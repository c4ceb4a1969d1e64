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
      local function files()
         return (select(2, sh(("cd \"%s\" && find . -type f | sort"):format(root))))
      end
      local installed = files()
      for _, name in ipairs { "/bin/lua-smtp\n", "/smtp/types.lua\n", "/smtp/core.so\n", "/man/man1/lua-smtp.1\n",
         "/bash-completion/completions/lua-smtp\n", "/zsh/site-functions/_lua-smtp\n",
         "/fish/vendor_completions.d/lua-smtp.fish\n" } do
         assert.matches(name, installed, 1, true)
      end
      assert.is_nil(installed:find(".md", 1, true))
      make("uninstall", ("DESTDIR=\"%s\""):format(root))
      assert.equal("status 0\n", files())
   end)

   it("leaves the command of another Lua where it is", function()
      make("install", ("DESTDIR=\"%s\""):format(root))
      local other = interpreter == "lua5.4" and "lua5.1" or "lua5.4"
      local status, said = sh(("make -s LUA=%s uninstall DESTDIR=\"%s\""):format(other, root))
      assert.equal(0, status, said)
      assert.equal(0, (sh(("test -e \"%s/usr/local/bin/lua-smtp\""):format(root))))
   end)

   it("uninstalls from a PREFIX with a space, and leaves what is not its own", function()
      make("install", ("PREFIX=\"$PWD/%s\""):format(root))
      local status = sh(("touch \"%s/share/lua/%s/smtp/mine.lua\""):format(root, interpreter:match("[%d.]+") or "5.1"))
      assert.equal(0, status)
      make("uninstall", ("PREFIX=\"$PWD/%s\""):format(root))
      assert.matches("^[^\n]*/smtp/mine.lua\nstatus 0\n$", (select(2, sh(("find \"%s\" -type f"):format(root)))))
   end)
end)

-- ---- the rock ----

local function rockspec(path)
   local spec = {}
   local run = assert(loadfile(path, "t", spec))
   if setfenv then setfenv(run, spec) end -- luacheck: ignore 113
   run()
   return spec
end

describe("The rockspecs", function()
   it("differ in version and source alone", function()
      local scm, release = rockspec "lua-smtp-scm-1.rockspec", rockspec "lua-smtp-1.0.0-1.rockspec"
      local version = require("smtp.safe")._VERSION
      assert.same({ "scm-1", version .. "-1" }, { scm.version, release.version })
      assert.matches("/lua-smtp-" .. version .. ".tar.gz", release.source.url, 1, true)
      scm.version, scm.source, release.version, release.source = nil, nil, nil, nil
      assert.same(scm, release)
      for _, name in ipairs { "summary", "detailed", "homepage", "issues_url", "maintainer", "license" } do
         assert.equal("string", type(scm.description[name]), name)
      end
      assert.is_true(#scm.description.labels > 0)
   end)
end)

describe("make", function()
   it("says which headers are missing, and what has them", function()
      sh(("mkdir -p \"%s\" && cp -r Makefile csrc \"%s\""):format(root, root))
      local function build(settings)
         local status, said = sh(("cd \"%s\" && make -s %s 2>&1"):format(root, settings))
         assert.is_true(status ~= 0)
         return said
      end
      local said = build "LUA=lua5.1 LUA_INCDIR=/nonexistent"
      assert.matches("headers of Lua (lua.h) for LUA=lua5.1 are missing", said, 1, true)
      assert.matches("liblua5.1-0-dev)", said, 1, true)
      assert.matches("libluajit2-5.1-dev)", build "LUA=luajit LUA_INCDIR=/nonexistent", 1, true)
      assert.matches("libssl-dev)", build(([[LUA=%s CC="sh -c \"grep -q lua.h\""]]):format(interpreter)), 1, true)
      sh(("rm -rf \"%s\""):format(root))
   end)

   it("builds in a folder with a space", function()
      local status, said = sh(("mkdir -p \"%s\" && cp -r Makefile csrc \"%s\" && cd \"%s\" && "
         .. "make -s LUA=%s build/%s/obj/text/base64.o"):format(root, root, root, interpreter, interpreter))
      sh(("rm -rf \"%s\""):format(root))
      assert.equal(0, status, said)
   end)
end)
