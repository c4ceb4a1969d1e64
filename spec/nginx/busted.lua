-- The content handler that runs busted. It ends the process as busted would.
local names = {}
for name in os.getenv("SPECS"):gmatch("%S+") do names[#names + 1] = name end
local arguments = { [-1] = "luajit", [0] = "busted", "--helper=spec/tools/recorder.lua", "-o",
   "plainTerminal", "-p", "_spec", "--filter-out=the sink over real TLS" }
for i = 1, #names do arguments[#arguments + 1] = names[i] end
rawset(_G, "arg", arguments)

local exit, code = os.exit, nil
os.exit = function(status) -- luacheck: ignore
   code = (status == nil or status == true) and 0 or status or 1
   error("busted is done", 0)
end
local ok, why = pcall(function() require("busted.runner")({ standalone = false }) end)
if code == nil then
   io.stderr:write(tostring(why), "\n")
   code = ok and 0 or 1
end
io.stdout:flush()
exit(code)
