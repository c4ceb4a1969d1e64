-- lua/README.md: its tables are those of types.lua and of the code, and it describes all of them.
local annotations = dofile ".ci/annotations.lua"
local command = require "spec.tools.command"
local errors = require "smtp.errors"
local interpreter = require("spec.tools.peer").interpreter
local reasons = require "smtp.result.reasons"

local read = command.read

local reference = read "lua/README.md"

-- The anchor that GitHub gives a heading.
local function anchor(heading)
   return (heading:lower():gsub("[^%w%- ]", ""):gsub(" ", "-"))
end

local function anchors_of(text)
   local list = {}
   for heading in ("\n" .. text):gmatch("\n##* ([^\n]*)") do list[anchor(heading)] = true end
   return list
end

describe("The reference", function()
   it("is current", function()
      assert.equal("", command.own(interpreter .. " .ci/reference.lua check"))
   end)

   it("is found not to be current where a table differs", function()
      local root = "build/spec/reference"
      command.run(("rm -rf %s && mkdir -p %s && cp -r .ci lua %s"):format(root, root, root))
      local path = root .. "/lua/README.md"
      local file = assert(io.open(path, "w"))
      file:write((reference:gsub("Sends one message over", "Sends two messages over")))
      file:close()
      local said = command.own(("sh -c 'cd %s && %s .ci/reference.lua check; echo $?'"):format(root, interpreter))
      command.run("rm -rf " .. root)
      assert.matches("is not current.*\n1\n$", said)
   end)

   it("has every class of types.lua that users meet", function()
      local left_out = { -- described by another class, or in a sentence
         ["smtp.Address"] = true, ["smtp.Options"] = true, ["smtp.SafeModule"] = true, ["smtp.SafeConnection"] = true,
         ["smtp.SafeOutbox"] = true, ["smtp.OutboxStores"] = true, ["smtp.SafeOutboxStores"] = true,
         ["smtp.DkimSigning"] = true, ["smtp.Reply"] = true, ["smtp.EnvelopeRecipient"] = true, ["smtp.Offer"] = true,
         ["smtp.Summary"] = true, ["smtp.Deferred"] = true, ["smtp.SinkMechanism"] = true,
      }
      for _, class in ipairs(annotations.read().classes) do
         local is_error = class.parents[1] and class.name:find("Error$")
         if not is_error and not left_out[class.name] then
            assert.truthy(reference:find("<!-- types: " .. class.name .. " -->", 1, true), class.name)
         end
      end
   end)

   it("names every class of errors, below its parent", function()
      for name, class in pairs(errors.classes) do
         if class.parent then
            assert.matches("`" .. name .. "` | `" .. class.kind .. "` |", reference, 1, true)
            local parent = annotations.read().by_name["smtp." .. name].parents[1]
            assert.equal("smtp." .. class.parent.name, parent)
         end
      end
   end)

   it("names every reason of a refusal", function()
      for name in pairs(reasons) do assert.matches("| `" .. name .. "` |", reference, 1, true) end
   end)

   it("has a target for each of its links", function()
      for _, path in ipairs { "README.md", "lua/README.md", "csrc/README.md", "spec/README.md", "examples/README.md",
         "examples/other-programs.md",
         "examples/password-reset/README.md", "examples/contact-form/README.md",
         "examples/outbox-nginx/README.md", "examples/metrics/README.md" } do
         local folder, text = path:match("^(.*/)") or "", read(path)
         for target in text:gmatch("%]%(([^)%s]+)%)") do
            local file, part = target:match("^([^#]*)#?(.*)$")
            if not file:find("^https?:") then
               local other = file == "" and text or nil
               local where = (folder .. file):gsub("[%w-]+/%.%./", "")
               if file ~= "" then
                  local there = io.open(where)
                  assert.truthy(there, path .. ": " .. target)
                  there:close()
                  if where:find("%.md$") then other = read(where) end
               end
               if part ~= "" then assert.truthy(anchors_of(other)[part], path .. ": " .. target) end
            end
         end
      end
   end)

   it("is not installed with the modules", function()
      local root = "build/spec/docs"
      command.run(("make -s LUA=%s install DESTDIR=%s"):format(interpreter:match("[^/]*$"), root))
      local found = command.run(("find %s -name README.md"):format(root))
      local modules = command.run(("find %s -name reasons.lua"):format(root))
      command.run("rm -rf " .. root)
      assert.equal("", found)
      assert.matches("result/reasons.lua", modules, 1, true)
   end)
end)
