-- Runs the unit specs with the Lua that runs this script: `luarocks test`. The modules are those
-- that LUA_PATH and LUA_CPATH name, or else those that `luarocks make` or `make` left in build/.
-- Usage: LUA .ci/unit.lua [SPEC…]

local first = 0
while arg[first - 1] do first = first - 1 end
local interpreter = arg[first]

local function quoted(text)
   return "'" .. text:gsub("'", "'\\''") .. "'"
end

local function output_of(command)
   local pipe = assert(io.popen(command))
   local text = pipe:read("*a")
   pipe:close()
   return text
end

local here = output_of("pwd"):match("[^\n]+")
local name = package.loaded.jit and "luajit" or "lua" .. _VERSION:match("[%d.]+")

-- The folders of the modules here, each with ";"; "" where those on the paths load.
local function own_folders()
   if pcall(require, "smtp") and pcall(require, "smtp.core") then return "", "" end
   local given = package.cpath
   for _, each in ipairs { "rocks", name } do
      local modules = ("%s/build/%s/?.so;"):format(here, each)
      package.cpath = modules .. given
      if pcall(require, "smtp.core") then return here .. "/lua/?.lua;", modules end
   end
   io.stderr:write("The library is not built for this Lua: run `luarocks make` first.\n")
   os.exit(1)
end

local modules, core = own_folders()
local path = modules .. here .. "/?.lua;" .. (os.getenv "LUA_PATH" or ";")
local cpath = core .. (os.getenv "LUA_CPATH" or ";;")

local function has_store()
   if core == "" then return (pcall(require, "smtp.sqlite_store")) end
   local file = io.open((core:gsub("%?", "smtp/sqlite_store"):gsub(";$", "")))
   if file then file:close() end
   return file ~= nil
end

local specs = table.concat(arg, " ")
if specs == "" then
   -- Those of the project run make; those of exhaust and fuzz compile programs in C.
   specs = output_of(".ci/specs"):gsub("spec/project/[^\n]+", "")
      :gsub("spec/exhaust/[^\n]+", ""):gsub("\n", " ")
   if not has_store() then
      print "Without smtp.sqlite_store, which is a rock of its own, the specs of the outbox are left out."
      specs = specs:gsub("spec/outbox/[^ ]+", ""):gsub("spec/store/[^ ]+", "")
         :gsub("spec/doors/outbox_spec%.lua", "")
   end
end
local status = os.execute(("LUA_PATH=%s LUA_CPATH=%s exec busted --lua=%s "
   .. "--helper=spec/tools/recorder.lua -o plainTerminal -p _spec %s"):format(quoted(path),
   quoted(cpath), quoted(interpreter), specs))
os.exit((status == true or status == 0) and 0 or 1)
