-- A disk that becomes full, or that must not be written: a small tmpfs, in a namespace of its own.
local command = require "spec.tools.command"
local interpreter = require("spec.tools.peer").interpreter

local names = { put = "a message is put", mark = "a mark is stored", result = "a result is stored, for a while",
   doubt = "a result is stored, until the program ends" }

local function play(name)
   local folder = os.tmpname()
   os.remove(folder)
   return command.run(("mkdir %s; %s sh -c 'mount -t tmpfs -o size=256k tmpfs %s && "
      .. "setpriv --bounding-set -dac_override,-dac_read_search %s spec/live/outbox_disk.lua %s %s'; rmdir %s"):format(
      folder, command.namespace "m", folder, interpreter, folder, name, folder))
end

describe("An outbox loses nothing, and sends nothing twice, when the disk is full while", function()
   for name, moment in pairs(names) do
      it(moment, function() assert.equal("done\n", play(name)) end)
   end
end)

describe("An outbox that must not be written", function()
   it("says what to change, and goes on after that", function() assert.equal("done\n", play "readonly") end)
end)
