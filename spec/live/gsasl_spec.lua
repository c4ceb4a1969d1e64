-- Our side of SASL exchanges against GNU SASL's: the gsasl command is the server.
local core = require "smtp.core"
local sasl = require "smtp.client.sasl"

local function run(command)
   local pipe = io.popen(command)
   local said = pipe:read("*a")
   pipe:close()
   return said
end

-- Talks to `gsasl --server`: base64 lines on its standard output, and a fifo for its input, which we open for
-- reading as well: so neither opening nor writing waits for gsasl or breaks without it.
local function serve(mechanism, password, flags)
   assert(run("command -v gsasl") ~= "", "the gsasl command is missing: install the Debian package gsasl")
   local folder = run("mktemp -d"):gsub("%s+$", "")
   run("mkfifo " .. folder .. "/in")
   local pipe = io.popen(([[cd %s && timeout 20 gsasl --server --mechanism %s --password '%s' --application-data \
      %s <in 2>said; echo exit $?; cat said; rm -r %s]]):format(folder, mechanism, password, flags or "", folder))
   local input = assert(io.open(folder .. "/in", "r+"))
   local self = {}
   assert.equal(mechanism, pipe:read("*l"))
   function self.hear()
      local line = pipe:read("*l")
      line = line and line:gsub("Enter base64 encoded tls%-%l+ channel binding: ", "")
      return line and not line:find("^exit") and core.base64_decode(line) or nil, line
   end
   function self.say(bytes)
      input:write(core.base64(bytes), "\n")
      input:flush()
   end
   -- -> what else it said, on its standard error too
   function self.finish()
      input:close()
      local rest = pipe:read("*a")
      pipe:close()
      return rest
   end
   return self
end

local function step(exchange, challenge)
   local answer, more
   repeat answer, more = exchange:step(challenge) until answer or more ~= "again"
   return answer, more
end

-- A whole exchange. `server` and `client`: the password on either side. `meddle`: what becomes of a challenge.
-- `asked`: what gsasl is told where it asks for the channel's bindings, the one that we say or, if we say that
-- we could bind, tls-exporter's and then tls-unique's.
-- -> what our last step returned, did gsasl trust us, what our side said
local function play(mechanism, t)
   local server = serve(mechanism, t.server, t.flags)
   local exchange = sasl.exchange(sasl.mechanisms[mechanism])
   local said, result = {}, {}
   local function say(bytes)
      said[#said + 1] = bytes
      server.say(bytes)
   end
   local initial = exchange:start { username = t.username or "ann", password = t.client, authzid = t.authzid,
      iterations = { 4096, 200000 }, nonce = sasl.nonce(), plus_offered = mechanism:find("-PLUS$") ~= nil,
      binding_type = t.binding_type, binding = t.binding }
   local challenge, line = server.hear()
   if initial then
      assert.equal("", challenge)
      say(initial)
      for _, binding in ipairs(t.asked or {}) do server.say(binding) end
      challenge, line = server.hear()
   end
   while challenge and challenge ~= "" do
      if t.meddle then challenge = t.meddle(challenge) end
      local answer, more = step(exchange, challenge)
      result = { answer or "none", more }
      if not answer then break end
      say(answer)
      challenge, line = server.hear()
      -- It has nothing more to say and waits for a line, where SMTP has the 235.
      if challenge == "" then say "" end
   end
   local rest = (line or "") .. "\n" .. server.finish()
   return result, rest:find("client trusted", 1, true) ~= nil and rest:find("exit 0\n", 1, true) ~= nil, said, rest
end

describe("GNU SASL", function()
   for _, mechanism in ipairs { "SCRAM-SHA-1", "SCRAM-SHA-256" } do
      it("and we trust each other after " .. mechanism, function()
         local result, trusted, said, rest = play(mechanism, { server = "sesame", client = "sesame" })
         -- The last step found the server's signature right, and has nothing to add.
         assert.same({ "", true }, result)
         assert.is_true(trusted, rest)
         assert.same({ 3, "n,," }, { #said, said[1]:sub(1, 3) })
      end)

      it("does not trust us after " .. mechanism .. " with a wrong password", function()
         local result, trusted, said, rest = play(mechanism, { server = "sesame", client = "Sesame" })
         -- Our proof was said, and no signature came back.
         assert.equal(2, #said)
         assert.is_false(result[2])
         assert.is_false(trusted)
         assert.truthy(rest:find("Error authenticating user", 1, true), rest)
      end)

      it("is not trusted after " .. mechanism .. " with another signature", function()
         local result, _, said = play(mechanism, { server = "sesame", client = "sesame",
            meddle = function(challenge)
               -- Another first letter, and still base64 of as many octets.
               return (challenge:gsub("^v=(.)", function(c) return "v=" .. (c == "A" and "B" or "A") end))
            end })
         assert.same({ "none", "server_not_authentic" }, result)
         assert.equal(2, #said)
      end)

      it("takes a client that could bind in " .. mechanism .. ", where it could not itself", function()
         local result, trusted, said, rest = play(mechanism, { server = "sesame", client = "sesame",
            binding_type = "tls-exporter", binding = "bytes", asked = { "", "" } })
         assert.same({ "", true }, result)
         assert.is_true(trusted, rest)
         assert.equal("y,,", said[1]:sub(1, 3))
      end)

      it("sees in " .. mechanism .. " that its -PLUS was hidden from us", function()
         local _, trusted, said, rest = play(mechanism, { server = "sesame", client = "sesame",
            binding_type = "tls-exporter", binding = "bytes", asked = { "bytes" } })
         assert.is_false(trusted)
         assert.equal(1, #said)
         assert.truthy(rest:find("Error authenticating user", 1, true), rest)
      end)

      for _, binding_type in ipairs { "tls-exporter", "tls-unique" } do
         local plus = mechanism .. "-PLUS"
         it("and we trust each other after " .. plus .. " with " .. binding_type, function()
            local result, trusted, said, rest = play(plus, { server = "sesame", client = "sesame",
               binding_type = binding_type, binding = "bytes\0\255", asked = { "bytes\0\255" } })
            assert.same({ "", true }, result)
            assert.is_true(trusted, rest)
            assert.equal("p=" .. binding_type .. ",,", said[1]:match("^[^,]*,,"))
         end)

         it("does not trust us after " .. plus .. " on another " .. binding_type .. " channel", function()
            local _, trusted, said, rest = play(plus, { server = "sesame", client = "sesame",
               binding_type = binding_type, binding = "bytes\0\255", asked = { "bytes\0\254" } })
            assert.is_false(trusted)
            assert.equal(2, #said)
            assert.truthy(rest:find("Error authenticating user", 1, true), rest)
         end)
      end

      it("prepares passwords as we do in " .. mechanism, function()
         -- A no-break space becomes a space, a soft hyphen nothing (RFC 4013 2.1); and NFKC: one letter is
         -- the other with its ring apart.
         local result, trusted, _, rest = play(mechanism, { server = "a b\195\165c",
            client = "a\194\160b\194\173a\204\138c" })
         assert.same({ "", true }, result)
         assert.is_true(trusted, rest)
      end)

      it("reads names with commas and equals signs in " .. mechanism, function()
         local result, trusted, _, rest = play(mechanism, { server = "sesame", client = "sesame",
            username = "a,b=c", authzid = "d=e,f" })
         assert.same({ "", true }, result)
         assert.is_true(trusted, rest)
      end)

      it("asks for too few iterations in " .. mechanism .. " and gets no proof", function()
         local result, trusted, said = play(mechanism, { server = "sesame", client = "sesame",
            flags = "--iteration-count 4095" })
         assert.same({ "none", "iterations" }, result)
         assert.is_false(trusted)
         assert.equal(1, #said)
      end)
   end

   it("trusts us after CRAM-MD5", function()
      local result, trusted, said, rest = play("CRAM-MD5", { server = "sesame", client = "sesame" })
      assert.is_true(result[2])
      assert.is_true(trusted, rest)
      assert.truthy(said[1]:find("^ann %x+$"))
   end)

   it("does not trust us after CRAM-MD5 with a wrong password", function()
      local _, trusted, said, rest = play("CRAM-MD5", { server = "sesame", client = "Sesame" })
      assert.is_false(trusted)
      assert.equal(1, #said)
      assert.truthy(rest:find("Error authenticating user", 1, true), rest)
   end)
end)
