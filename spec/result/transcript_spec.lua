-- A server that repeats a secret, in any form and place, long enough that what is shown of it is cut.
local core = require "smtp.core"
local safe = require "smtp.safe"
local talk = require "spec.tools.talk"

local script = talk.script

-- No eight characters of it come twice.
local function secret_of(length)
   local parts, number = {}, 7
   for i = 1, length do
      number = (number * 1103515245 + 12345) % 2147483648
      local at = math.floor(number / 65536) % 62 + 1
      parts[i] = ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"):sub(at, at)
   end
   return table.concat(parts)
end

local function forms_of(secret)
   local list = { secret, core.base64(secret), core.base64("\0ann\0" .. secret),
      core.base64("user=ann\1auth=Bearer " .. secret .. "\1\1"),
      core.base64("n,a=ann,\1host=mx.example\1port=25\1auth=Bearer " .. secret .. "\1\1") }
   for before = 1, 3 do
      list[#list + 1] = core.base64(("x"):rep(before) .. secret .. ("y"):rep(before))
      list[#list + 1] = core.base64(("x"):rep(before) .. "\0ann\0" .. secret)
   end
   return list
end

-- Everything that is said of it.
local function collect(value, list)
   if type(value) == "string" then
      list[#list + 1] = value
   elseif type(value) == "table" then
      for name, inner in pairs(value) do
         collect(name, list)
         collect(inner, list)
      end
   end
   return list
end

-- What of each form is the secret's alone: eight of its characters in a row.
local function leak(texts, secret)
   local all = table.concat(texts, "\n")
   for before = -1, 2 do
      local form = before < 0 and secret or core.base64(("\0"):rep(before) .. secret)
         :sub(math.ceil(before * 4 / 3) + 1, math.floor((before + #secret) * 4 / 3))
      local width = math.min(8, #form)
      for at = 1, #form - width + 1, width do
         local found = all:find(form:sub(at, at + width - 1), 1, true)
         if found then return all:sub(math.max(1, found - 60), found + 100) end
      end
   end
end

local lengths = { 12, 1410 }

-- What the server says before it repeats what it was told.
local before_it = { "5.7.8 wrong: ", ("z"):rep(480), ("z"):rep(497) .. " ", ("z"):rep(990) .. " " }

local function check(length, kind, play)
   local secret = secret_of(length)
   for i, form in ipairs(forms_of(secret)) do
      for _, words in ipairs(before_it) do
         if #words + #form < 12000 then
            local lines = {}
            local login = { host = "masking.example", username = "ann", [kind] = secret, auth_plaintext = true,
               trace = function(_, line) lines[#lines + 1] = line end }
            local value, err = play(login, secret, words .. form .. " so there")
            local texts = collect({ value or {}, err or {}, lines, err and tostring(err) or "" }, {})
            local found = leak(texts, secret)
            assert(not found, ("%s of %d octets, form %d behind %d: %s"):format(kind, length, i, #words,
               tostring(found)))
         end
      end
   end
end

local function login_by(kind, secret)
   local line = kind == "password" and core.base64("\0ann\0" .. secret)
      or core.base64("user=ann\1auth=Bearer " .. secret .. "\1\1")
   local name = kind == "password" and "PLAIN" or "XOAUTH2"
   if #line + #name + 6 > 510 then return script([[
      <hello AUTH $name>
      C: AUTH $name
      S: 334\x20
      C: $line
   ]], { name = name, line = line }) end
   return script([[
      <hello AUTH $name>
      C: AUTH $name $line
   ]], { name = name, line = line })
end

-- The transcript up to where the server repeats it, and how it does.
local places = {
   ["refuses AUTH"] = function(said) return script([[
      S: 535 $said
      <bye>
   ]], { said = said }) end,
   ["refuses MAIL"] = function(said) return script([[
      S: 235 ok
      C: MAIL FROM:<ann@me.example>
      S: 550 $said
      <bye>
   ]], { said = said }) end,
   ["refuses MAIL in lines"] = function(said)
      return script([[
         S: 235 ok
         C: MAIL FROM:<ann@me.example>
         S: 550-first
         S: 550-$said
         S: 550 last
         <bye>
      ]], { said = said })
   end,
   ["refuses RCPT"] = function(said)
      return script([[
         S: 235 ok
         C: MAIL FROM:<ann@me.example>
         S: 250 ok
         C: RCPT TO:<bob@there.example>
         S: 550 $said
         <bye>
      ]], { said = said })
   end,
   ["accepts RCPT and the message"] = function(said)
      return script([[
         S: 235 ok
         C: MAIL FROM:<ann@me.example>
         S: 250 ok
         C: RCPT TO:<bob@there.example>
         S: 250 $said
         C: DATA
         S: 354 $said
         MESSAGE
         S: 250 $said
         <bye>
      ]], { said = said })
   end,
   ["ends with 421"] = function(said) return script([[
      S: 235 ok
      C: MAIL FROM:<ann@me.example>
      S: 421 $said
      CLOSE
   ]], { said = said }) end,
   ["ends within a line"] = function(said)
      return script([[
         S: 235 ok
         C: MAIL FROM:<ann@me.example>
         S~ 550 $said
         CLOSE
      ]], { said = said:sub(1, -30) })
   end,
   ["ends within a line of 421"] = function(said)
      return script([[
         S: 235 ok
         C: MAIL FROM:<ann@me.example>
         S~ 421 $said
         CLOSE
      ]], { said = said:sub(1, -30) })
   end,
   ["sends what is not SMTP"] = function(said) return script([[
      S: 235 ok
      C: MAIL FROM:<ann@me.example>
      S: $said
   ]], { said = said }) end,
}

describe("a secret that the server repeats is masked where it", function()
   for place, play in pairs(places) do
      for _, kind in ipairs { "password", "token" } do
         it(place .. ", a " .. kind, function()
            for _, length in ipairs(lengths) do
               if kind == "token" or length <= 4096 then
                  check(length, kind, function(login, secret, said)
                     local peer = talk.peer(login_by(kind, secret) .. play(said))
                     local receipt, err = safe.send(talk.options(login, peer))
                     assert(not peer.failure, peer.failure)
                     return receipt, err
                  end)
               end
            end
         end)
      end
   end

   it("spreads it over lines of a reply, or repeats a part of it", function()
      local function lines_of(said)
         local lines = {}
         for i = 1, #said, 97 do lines[#lines + 1] = "S: 550-" .. said:sub(i, i + 96) .. "\n" end
         return table.concat(lines)
      end
      local ways = {
         lines_of,
         function(said) return "S: 550-" .. said:sub(1, 700) .. "\n" end,
         function(said) return "S: 550-no " .. said:sub(-700) .. "\n" end,
         function(said) return "S: 550-no " .. said:sub(300, 900) .. " so there\n" end,
      }
      for _, way in ipairs(ways) do
         check(1410, "token", function(login, secret, said)
            local peer = talk.peer(script([[
               <login_by>
               S: 235 ok
               C: MAIL FROM:<ann@me.example>
            ]], { login_by = login_by("token", secret) }) .. way(said) .. script [[
               S: 550 last
               <bye>
            ]])
            local receipt, err = safe.send(talk.options(login, peer))
            assert(not peer.failure, peer.failure)
            return receipt, err
         end)
      end
   end)

   it("challenges an OAuth token with it, in the clear or in base64", function()
      for _, length in ipairs { 40, 1410, 5500 } do
         for _, coded in ipairs { true, false } do
            check(length, "token", function(login, secret, said)
               local challenge = coded and core.base64('{"status":"401","x":"' .. said .. '"}') or said:gsub(" ", "_")
               if #challenge >= 12000 then return nil end
               return safe.send(talk.options(login, talk.peer(script([[
                  <login_by>
                  S: 334 $challenge
                  C:
                  S: 535 no
                  <bye>
               ]], { login_by = login_by("token", secret), challenge = challenge }))))
            end)
         end
      end
   end)

   it("greets with it, before it was told again", function()
      check(1410, "password", function(login, _, said)
         return safe.send(talk.options(login, talk.peer(script([[
            S: 554 $said
            <bye>
         ]], { said = said }))))
      end)
      check(1410, "token", function(login, _, said)
         return safe.send(talk.options(login, talk.peer(script([[
            S: 220 hi
            C: EHLO me.example
            S: 550 $said
            <bye>
         ]], { said = said }))))
      end)
   end)

   it("answers a question, or speaks to smtp.probe", function()
      check(1410, "password", function(login, secret, said)
         login.from, login.to, login.raw = false, false, false
         local connection = safe.connect(talk.options(login, talk.peer(script([[
            <login_by>
            S: 235 ok
            C: NOOP
            S: 250 $said
            C: RSET
            S: 250 $said
         ]], { login_by = login_by("password", secret), said = said }))))
         local report, err = safe.probe(talk.options(login, talk.peer(script([[
            <login_by>
            S: 535 $said
            <bye>
         ]], { login_by = login_by("password", secret), said = said }))))
         return { connection:noop(), connection:reset(), report }, err
      end)
   end)
end)

describe("masking", function()
   local function text_of(password, said)
      local login = { host = "masking.example", username = "ann", password = password, auth_plaintext = true }
      local _, err = safe.send(talk.options(login, talk.peer(script([[
         <login_by>
         S: 535 $said
         <bye>
      ]], { login_by = login_by("password", password), said = said }))))
      return err.text
   end

   it("leaves what is around the secret", function()
      assert.equal("no [secret], [secret] or [secret]!",
         text_of("sesame", "no sesame, c2VzYW1l or AGFubgBzZXNhbWU=!"))
   end)

   it("is done before the text is cut, so that what follows is shown", function()
      local secret = secret_of(1410)
      assert.equal("no [secret], sorry", text_of(secret, "no " .. secret .. ", sorry"))
      local receipt, err = safe.send(talk.options({ host = "masking.example", username = "ann", password = secret,
         auth_plaintext = true }, talk.peer(script([[
            <login_by>
            S: 235 ok
            C: MAIL FROM:<ann@me.example>
            S: 250 ok
            C: RCPT TO:<bob@there.example>
            S: 550 5.7.1 no $coded, sorry
            <bye>
         ]], { login_by = login_by("password", secret), coded = core.base64(secret) }))))
      assert.is_nil(receipt)
      assert.equal("no [secret], sorry", err.text)
      assert.equal("no [secret], sorry", err.recipients[1].text)
   end)

   it("does not cut what was cut before once more", function()
      local _, err = talk.send({ host = "masking.example" }, script([[
         <hello>
         C: MAIL FROM:<ann@me.example>
         S: 250 ok
         C: RCPT TO:<bob@there.example>
         S: 550 $repeated
         <bye>
      ]], { repeated = ("z"):rep(600) }))
      assert.equal(("z"):rep(506) .. " [cut]", err.text)
      assert.equal(("z"):rep(506) .. " [cut]", err.recipients[1].text)
   end)

   it("takes the beginning of a secret for one only where the text was cut", function()
      assert.equal("the open door", text_of("doorstep", "the open door"))
      assert.equal("the open door", text_of("open sesame", "the open door"))
      local long = ("z"):rep(501) .. " sesame-street"
      assert.equal(("z"):rep(501) .. "  [cut]", text_of("sesame-street", long))
      local one = require("smtp.result.transcript").new()
      one:hide("sesame-street", {})
      assert.equal("no [secret] [cut]", one:mask("no sesame-str [cut]"))
      assert.equal("no sesame-str", one:mask("no sesame-str"))
      assert.equal("no [secret]", one:mask("no sesame-str", true))
   end)

   it("knows a password as it is shown", function()
      assert.equal("no [secret]", text_of("a\tb\27c def", "no a\\tb\\x1Bc def"))
   end)

   it("takes time in proportion to the text", function()
      local transcript = require "smtp.result.transcript"
      local function seconds(count)
         local one = transcript.new()
         one:hide(("a"):rep(count) .. "b", {})
         local started = os.clock()
         one:mask(("a"):rep(count) .. " [cut]")
         one:mask(("aaac"):rep(256)) -- no longer line is kept
         return os.clock() - started
      end
      local few, many = seconds(1600), seconds(16000)
      assert(many < math.max(0.2, 20 * few), ("%.3f s, and for ten times the text %.3f s"):format(few, many))
   end)
end)
