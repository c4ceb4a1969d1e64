-- The least that a message costs from Lua: see floor.c. floor.lua send|post PORT COUNT FILE
local floor = require "floor"

local file = assert(io.open(arg[4], "rb"))
local data = file:read("*a")
file:close()
floor.open(tonumber(arg[2]))
local send = floor[arg[1]]
for _ = 1, tonumber(arg[3]) do
   send { from = "ann@me.example", to = "bob@there.example", data = data }
end
floor.close()
