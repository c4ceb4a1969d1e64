local address = require "smtp.options.address"
local mime = require "smtp.compose.mime"

local returning = require("smtp.errors").returning

local parse = returning(address.parse)

describe("an address as people write it", function()
   for name, header in pairs {
      ["Ann"] = "Ann <a@b>", ["Ann, Dr."] = '"Ann, Dr." <a@b>', ['Ann "x"'] = '"Ann \\"x\\"" <a@b>',
      ["a@b"] = '"a@b" <a@b>', ["x <y>"] = '"x <y>" <a@b>',
      ["=?UTF-8?Q?x?="] = "=?UTF-8?B?PT9VVEYtOD9RP3g/PQ==?= <a@b>",
      ["A\226\128\168B"] = "=?UTF-8?B?QeKAqEI=?= <a@b>",
   } do
      it(("named %s is shown under that name"):format(name), function()
         assert.equal(header, mime.address(parse({ name = name, address = "a@b" }, "to")))
      end)
   end
end)
