-- Every text that people read follows a few rules that a program can check. `lua5.4 .ci/texts.lua` prints them all.
local command = require "spec.tools.command"
local interpreter = require("spec.tools.peer").interpreter
local texts = require "spec.tools.texts"

-- Places for values, and what the case at hand puts there.
local function without_places(text)
   return (text:gsub("{%a+|([^}]*)}", "%1"):gsub("{%a+}", ""):gsub("%%[-%d.]*%a", ""))
end

-- { what is wrong, pattern, texts that may have it }
local avoided = {
   { "two blanks", "%S  +%S" }, { "a line break", "[\r\n]" }, { "two dots", "[^.]%.%.%f[^.]" },
   { "what is no X", "%f[%a]is no [^l]", "there is no " }, { "what is none", "%f[%a]is none%f[%A]" },
   { "nobody", "%f[%a][Nn]obody%f[%A]" }, { "somebody", "%f[%a][Ss]omebody%f[%A]" },
   { "anybody", "%f[%a][Aa]nybody%f[%A]" }, { "whoever", "%f[%a][Ww]hoever%f[%A]" },
   { "who", "%f[%a]who%f[%A]" }, { "stands", "%f[%a]stands?%f[%A]" }, { "told", "%f[%a]told%f[%A]" },
   { "wants", "%f[%a]wants?%f[%A]" }, { "wanted", "%f[%a]wanted%f[%A]" }, { "behind", "%f[%a]behind%f[%A]" },
   { "in vain", "in vain" }, { "for want of", "for want of" }, { "octets", "%f[%a]octets?%f[%A]" },
   { "nil", "%f[%a]nil%f[%A]", "nil at the end", "or nil", "Leave nil out", "got nil" },
   { "what the README says", "README says what it takes" },
}

local function is_allowed(rule, text)
   for i = 3, #rule do
      if text:find(rule[i], 1, true) then return true end
   end
   return false
end

local function doubled(text)
   local before
   for word in text:gmatch("%S+") do
      if word == before and word:find("^%a+$") then return word end
      before = word
   end
end

-- A command of the shell, the name of a media type, a header, and a line of a transcript.
local function is_code(text)
   for _, part in ipairs { "openssl req", "MIME-Version: ", "application/octet-stream", " bytes of the message)\n",
      "esac", "ON CONFLICT", "UNION ALL SELECT" } do
      if text:find(part, 1, true) then return true end
   end
end

local function faults(text)
   local list = {}
   for _, rule in ipairs(avoided) do
      if text:find(rule[2]) and not is_allowed(rule, text) then list[#list + 1] = rule[1] end
   end
   if #without_places(text) > 300 then list[#list + 1] = "more than 300 characters" end
   if doubled(text) then list[#list + 1] = "a doubled word" end
   return list
end

describe("Every text that people read", function()
   it("is in plain English, short, and in one line", function()
      local wrong = {}
      for _, entry in ipairs(texts.list()) do
         local list = not is_code(entry.text) and faults(entry.text) or {}
         if list[1] then
            wrong[#wrong + 1] = ("%s: %s: %q"):format(entry.path, table.concat(list, ", "), entry.text)
         end
      end
      assert.equal("", table.concat(wrong, "\n"))
   end)

   it("is found: this spec would see what is wrong", function()
      assert.same({ "what is no X", "nobody", "octets" }, faults("it is no word, and nobody sends 3 octets"))
      assert.same({ "two blanks", "a doubled word" }, faults("this  has two the the same"))
      assert.same({ "more than 300 characters" }, faults(("word and so "):rep(26)))
      assert.same({}, faults("{name|a name}: %s is not valid; there is no other"))
      assert.truthy(#texts.list() > 900, #texts.list())
      assert.truthy(#texts.troubles() > 60, #texts.troubles())
   end)

   it("is in the list that a command prints", function()
      local printed = command.own(interpreter .. " .ci/texts.lua")
      for _, part in ipairs { "auth_unsupported helo_only: refused EHLO", "greylisted (server): defers",
         "lua/smtp/result/remedies.lua\n   ", "csrc/socket/fault.c\n   " } do
         assert.matches(part, printed, 1, true)
      end
   end)
end)
