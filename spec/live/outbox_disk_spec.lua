-- A disk that becomes full: a small tmpfs, in a namespace of its own.
local command = require "spec.tools.command"
local interpreter = require("spec.tools.peer").interpreter

local names = { put = "a message is put", mark = "a mark is stored", result = "a result is stored, for a while",
   doubt = "a result is stored, until the program ends" }

describe("An outbox loses nothing, and sends nothing twice, when the disk is full while", function()
   for name, moment in pairs(names) do
      it(moment, function()
         local folder = os.tmpname()
         os.remove(folder)
         local said = command.run(("mkdir %s; %s sh -c 'mount -t tmpfs -o size=256k tmpfs %s && "
            .. "%s spec/live/outbox_disk.lua %s %s'; rmdir %s"):format(folder, command.namespace "m", folder,
            interpreter, folder, name, folder))
         assert.equal("done\n", said)
      end)
   end
end)
