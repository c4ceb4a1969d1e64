-- AUTH with the mechanisms of a real Dovecot, behind Postfix.
local safe = require "smtp.safe"
local servers = require "spec.live.servers"

describe("AUTH at Dovecot", function()
   local live = servers.during(setup, teardown, servers.start)

   local raw = servers.head "auth" .. "hello\n"

   local function options(more)
      local t = servers.options(live, live.submission_port, more)
      t.raw, t.username = t.raw or raw, t.username or "ann"
      return t
   end

   local function delivers(mechanism, more)
      local receipt, err = safe.send(options(more))
      assert(receipt, tostring(err))
      assert.same({ "authenticated", mechanism }, { receipt.auth.state, receipt.auth.mechanism })
      assert.same({ raw }, live.arrived("bob", 1))
   end

   local function is_rejected(more)
      local receipt, err = safe.send(options(more))
      assert.is_nil(receipt)
      assert.same({ "auth_rejected", 535, "never", "no", "auth" },
         { err.kind, err.code, err.retry, err.sent, err.stage })
      return err
   end

   for _, mechanism in ipairs { "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256" } do
      it("with " .. mechanism .. " and the right password delivers", function()
         delivers(mechanism, { password = "sesame", auth_mechanisms = { mechanism } })
      end)

      it("with " .. mechanism .. " and a wrong password is rejected", function()
         local err = is_rejected { password = "Sesame", auth_mechanisms = { mechanism } }
         assert.is_nil(err.challenge)
      end)
   end

   it("with SCRAM-SHA-256 and a user that does not exist is rejected", function()
      is_rejected { username = "nobody", password = "sesame", auth_mechanisms = "SCRAM-SHA-256" }
   end)

   it("with a password takes the best that is offered", function()
      delivers("SCRAM-SHA-256", { password = "sesame" })
   end)

   it("with SCRAM says if it could bind to the channel, and Dovecot, which cannot, lets it in", function()
      local said = {}
      delivers("SCRAM-SHA-256", { password = "sesame", transport = servers.transport(said) })
      assert.truthy(table.concat(said):find("AUTH SCRAM-SHA-256 " .. servers.binding_flag, 1, true),
         table.concat(said))
   end)

   it("after a rejected password does not try another mechanism", function()
      local said = {}
      is_rejected { password = "wrong", transport = servers.transport(said) }
      local _, count = table.concat(said):gsub("AUTH ", "")
      assert.equal(1, count)
   end)

   -- What Dovecot says of a token that it does not take.
   local challenges = { OAUTHBEARER = [[{"status":"invalid_token"}]],
      XOAUTH2 = [[{"status":"401","schemes":"bearer","scope":"mail"}]] }

   for mechanism, challenge in pairs(challenges) do
      it("with " .. mechanism .. " and a good token delivers", function()
         delivers(mechanism, { token = servers.token("ann", 600), auth_mechanisms = { mechanism } })
      end)

      for what, token in pairs {
         ["that another signed"] = function() return servers.token("ann", 600, "another key") end,
         ["that is over"] = function() return servers.token("ann", -600) end,
         ["of somebody else"] = function() return servers.token("bob", 600) end,
         ["that is none"] = function() return "no-token" end,
      } do
         it("with " .. mechanism .. " and a token " .. what .. " is rejected", function()
            local err = is_rejected { token = token(), auth_mechanisms = { mechanism } }
            assert.equal(challenge, err.challenge)
         end)
      end

      it("with " .. mechanism .. " asks for another token when the first is over", function()
         local heard = {}
         delivers(mechanism, { auth_mechanisms = { mechanism }, token = function(said)
            heard[#heard + 1] = tostring(said)
            return servers.token("ann", #heard == 1 and -600 or 600)
         end })
         assert.same({ "nil", challenge }, heard)
      end)

      it("with " .. mechanism .. " asks for one other token, and not for a third", function()
         local count = 0
         is_rejected { auth_mechanisms = { mechanism }, token = function()
            count = count + 1
            return servers.token("ann", -600)
         end }
         assert.equal(2, count)
      end)
   end

   it("with a token takes OAUTHBEARER", function()
      delivers("OAUTHBEARER", { token = servers.token("ann", 600) })
   end)
end)
