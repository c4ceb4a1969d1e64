-- DKIM in smtp.crypto: the header DKIM-Signature, against the rules written once more in Lua.
local core = require "smtp.core"
local crypto = require "smtp.crypto"
local keys = require "spec.tools.dkim_keys"
local lower = require("smtp.ground.ascii").lower -- in any locale

local function canonical(raw, how)
   if how == "simple" then return raw end
   local name, value = raw:match("^([^:]*):(.*)$")
   value = value:gsub("\r\n", ""):gsub("[ \t]+", " "):gsub("^ ", ""):gsub(" $", "")
   return lower(name) .. ":" .. value .. "\r\n"
end

-- The list of pairs as the C function reads it.
local function rules_text(list)
   local text = ""
   for i = 1, #list, 2 do text = text .. list[i] .. ":" .. list[i + 1]:sub(1, 1) .. ":" end
   return text
end

-- The names of h=, and what is signed of the headers.
local function choose(signer, headers)
   local names, text = {}, ""
   for name, word in signer.rules:gmatch("([^:]*):([^:]*):") do
      local found = false
      for j = #headers, 1, -1 do
         if lower(headers[j][1]) == lower(name) then
            names[#names + 1], found = name, true
            text = text .. canonical(headers[j][2], signer.headers)
         end
      end
      if word == "a" or word == "p" and found then names[#names + 1] = name end
   end
   return names, text
end

local function expected(signer, headers, hash, time)
   local names, text = choose(signer, headers)
   local words = { "a=" .. signer.key:algorithm() .. ";", ("c=%s/%s;"):format(signer.headers, signer.body),
      "d=" .. signer.domain .. ";", "s=" .. signer.selector .. ";" }
   if signer.identity then words[#words + 1] = "i=" .. signer.identity .. ";" end
   words[#words + 1] = ("t=%d;"):format(time)
   if signer.expires then words[#words + 1] = ("x=%d;"):format(time + signer.expires) end
   words[#words + 1] = "h=" .. table.concat(names, ":") .. ";"
   words[#words + 1] = "bh=" .. core.base64(hash) .. ";"
   local lines = { "DKIM-Signature: v=1;" }
   for _, word in ipairs(words) do
      local space = " "
      for part in word:gmatch("[^:]+[:;]?") do
         if #(lines[#lines] .. space .. part) <= 78 then
            lines[#lines] = lines[#lines] .. space .. part
         else
            lines[#lines + 1] = " " .. part
         end
         space = ""
      end
   end
   local header = table.concat(lines, "\r\n") .. "\r\n b="
   local own = canonical(header .. "\r\n", signer.headers):sub(1, -3)
   local coded = core.base64(signer.key:sign(crypto.digest("SHA256", text .. own)))
   return header .. coded:gsub(("."):rep(72), "%0\r\n "):gsub("\r\n $", "") .. "\r\n"
end

local function field(name, value)
   return { name, name .. ":" .. value .. "\r\n" }
end

local headers = { field("From", " a"), field("TO", "b,\r\n\tc"), field("Subject", ""), field("to", " \t d \t "),
   field("X-Own", "\r\n e\r\n  f \r\n\t\r\n g"), field("Date", "x  y\t\tz"), field("X", " a\rb\nc \r d"),
   field("Subject", " \195\164\r \11 "), field("List-Id", ("x"):rep(300) .. " " .. ("y "):rep(800)) }

local lists = { { "From", "always" }, { "From", "always", "To", "present", "Cc", "always", "Reply-To", "present",
   "Subject", "", "Sender", "", "x-own", "present" },
   { "List-Id", "", "X", "always", "From", "always", ("Y-"):rep(60), "always", "subject", "always",
      "DATE", "present" } }

describe("the header DKIM-Signature", function()
   local hash = crypto.digest("SHA256", "body")
   local key = keys.make()

   it("is what the rules say, for all forms, headers and keys", function()
      for _, pem in ipairs { keys.rfc.ed25519, keys.rfc.rsa, (select(2, key("rsa"))) } do
         local private = assert(crypto.dkim_key(pem))
         for _, rules in ipairs(lists) do
            for _, form in ipairs { { "relaxed", "simple" }, { "simple", "relaxed" } } do
               for _, more in ipairs { {}, { expires = 1209600 }, { identity = "@a.example" } } do
                  local signer = { key = private, domain = "example.org", selector = "s", rules = rules_text(rules),
                     headers = form[1], body = form[2], expires = more.expires, identity = more.identity }
                  for time = 1796000000, 1796000002 do
                     assert.equal(expected(signer, headers, hash, time),
                        crypto.dkim_header(signer, headers, hash, time))
                  end
               end
            end
         end
      end
   end)

   it("does not depend on the case of any letter of a header's name", function()
      local private = crypto.dkim_key(keys.rfc.ed25519)
      local upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
      local signer = { key = private, domain = "example.org", selector = "s", headers = "relaxed", body = "relaxed",
         rules = rules_text { "From", "always", upper .. "-@[`{-" .. lower(upper), "present" } }
      local all = { field("From", " a"), field(upper .. "-@[`{-" .. upper, " b") }
      assert.equal(expected(signer, all, hash, 1796000000), crypto.dkim_header(signer, all, hash, 1796000000))
   end)

   it("is folded at every length of its words", function()
      local private = crypto.dkim_key(keys.rfc.ed25519)
      for len = 1, 120 do
         local signer = { key = private, domain = ("d"):rep(len), selector = ("s"):rep(121 - len), headers = "relaxed",
            body = "relaxed", rules = rules_text { "From", "always", ("N"):rep(len), "always", "To", "always" } }
         assert.equal(expected(signer, headers, hash, 5), crypto.dkim_header(signer, headers, hash, 5))
      end
   end)

   it("is made of valid arguments only", function()
      local signer = { key = crypto.dkim_key(keys.rfc.ed25519), domain = "d", selector = "s", headers = "simple",
         body = "simple", rules = rules_text(lists[1]) }
      local function with(name, value)
         local copy = {}
         for field_name, other in pairs(signer) do copy[field_name] = other end
         copy[name] = value
         return copy
      end
      for _, bad in ipairs { { nil, headers, hash, 1 }, { signer, nil, hash, 1 }, { signer, headers, "short", 1 },
         { signer, headers, hash, "x" }, { signer, { 1 }, hash, 1 }, { signer, { { "From" } }, hash, 1 },
         { signer, { { "From", "" } }, hash, 1 }, { signer, { { 1, 2 } }, hash, 1 },
         { with("key", 5), headers, hash, 1 },
         { with("key", nil), headers, hash, 1 }, { with("domain", nil), headers, hash, 1 },
         { with("selector", nil), headers, hash, 1 } } do
         assert.is_false((pcall(crypto.dkim_header, bad[1], bad[2], bad[3], bad[4])))
      end
   end)
end)
