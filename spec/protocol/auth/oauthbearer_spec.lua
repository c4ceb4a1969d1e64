local core = require "smtp.core"
local logins = require "spec.tools.logins"
local safe = require "smtp.safe"
local talk = require "spec.tools.talk"

local with, with_token, XOAUTH2 = logins.with, logins.with_token, logins.XOAUTH2
local OAUTHBEARER, expired = logins.OAUTHBEARER, logins.expired
local script = talk.script

describe("OAuth", function()
   for _, row in ipairs { { "XOAUTH2", XOAUTH2, "" }, { "OAUTHBEARER", OAUTHBEARER, "AQ==" } } do
      local name, first, dummy = row[1], row[2], row[3]
      local said = "C: AUTH " .. name .. " " .. first .. "\n"

      it(name .. ": an error challenge is answered, and its JSON is in the error, not in its line", function()
         local _, err = talk.send(with_token(), script([[
            <hello AUTH $name>
            <said>
            S: 334 $expired
            C: $dummy
            S: 535 5.7.8 no
            <bye>
         ]], { name = name, said = said, expired = expired, dummy = dummy }))
         assert.same({ "auth_rejected", "token_expired", 535 }, { err.kind, err.reason, err.code })
         assert.equal('{"status":"invalid_token","scope":"mail"}', err.challenge)
         assert.is_nil(tostring(err):find("invalid_token", 1, true))
      end)

      it(name .. ": 235 after an error challenge is not a success", function()
         local _, err = talk.send(with_token(), script([[
            <hello AUTH $name>
            <said>
            S: 334 $expired
            C: $dummy
            S: 235 welcome
            <bye>
         ]], { name = name, said = said, expired = expired, dummy = dummy }))
         assert.same({ "auth_rejected", "protocol" }, { err.kind, err.reason })
      end)

      it(name .. ": 454 after an error challenge is temporary", function()
         local _, err = talk.send(with_token(), script([[
            <hello AUTH $name>
            <said>
            S: 334 $expired
            C: $dummy
            S: 454 4.7.0 no
            <bye>
         ]], { name = name, said = said, expired = expired, dummy = dummy }))
         assert.equal("auth_temporary", err.kind)
      end)

      it(name .. ": a token that would make the command too long follows a challenge", function()
         local long = ("t"):rep(4000)
         local message = name == "XOAUTH2" and "user=ann\1auth=Bearer " .. long .. "\1\1"
            or "n,a=ann,\1host=mx.example\1port=25\1auth=Bearer " .. long .. "\1\1"
         talk.send(with_token { token = long }, script([[
            <hello AUTH $name>
            C: AUTH $name
            S: 334
            C: $coded
            S: 235 ok
            <accepted>
         ]], { name = name, coded = core.base64(message) }))
      end)

      -- Called a second time it is told why.
      local function renewing(second)
         local calls = {}
         return function(said_by_server)
            calls[#calls + 1] = said_by_server or false
            return #calls % 2 == 1 and "to.ken-1" or second
         end, calls
      end

      local function message_of(token)
         return name == "XOAUTH2" and core.base64("user=ann\1auth=Bearer " .. token .. "\1\1")
            or core.base64("n,a=ann,\1host=mx.example\1port=25\1auth=Bearer " .. token .. "\1\1")
      end

      for _, status in ipairs { '{"status":"invalid_token"}', '{"status" : "401","schemes":"bearer"}',
         '{ "status":400 }', "not JSON at all" } do
         it(name .. ": a token function is asked once more after " .. status, function()
            local token, calls = renewing "to.ken-2"
            local receipt = talk.send(with_token { token = token }, script([[
               <hello AUTH $name>
               <said>
               S: 334 $coded
               C: $dummy
               S: 535 5.7.8 no
               C: AUTH $name $message_of
               S: 235 ok
               <accepted>
            ]], {
               name = name, said = said, coded = core.base64(status), dummy = dummy,
               message_of = message_of "to.ken-2",
            }))
            assert.equal(name, receipt.auth.mechanism)
            assert.same({ false, status, false, status, false, status }, calls)
         end)
      end

      it(name .. ": a token function is asked once more after a bare 535, and never in a loop", function()
         local token, calls = renewing "to.ken-2"
         local _, err = talk.send(with_token { token = token }, script([[
            <hello AUTH $name>
            <said>
            S: 535 5.7.8 no
            C: AUTH $name $message_of
            S: 535 no
            <bye>
         ]], { name = name, said = said, message_of = message_of "to.ken-2" }))
         assert.equal("auth_rejected", err.kind)
         assert.same({ false, "", false, "", false, "" }, calls)
      end)

      for _, status in ipairs { "insufficient_scope", "invalid_request" } do
         it(name .. ": another token would not help after " .. status, function()
            local token, calls = renewing "to.ken-1"
            local _, err = talk.send(with_token { token = token }, script([[
               <hello AUTH $name>
               <said>
               S: 334 $coded
               C: $dummy
               S: 535 5.7.8 no
               <bye>
            ]], {
               name = name, said = said, coded = core.base64('{"status":"' .. status .. '"}'),
               dummy = dummy,
            }))
            assert.equal("auth_rejected", err.kind)
            assert.equal(3, #calls)
         end)
      end

      it(name .. ": a token that is a string is tried once", function()
         local _, err = talk.send(with_token(), script([[
            <hello AUTH $name>
            <said>
            S: 535 5.7.8 no
            <bye>
         ]], { name = name, said = said }))
         assert.equal("auth_rejected", err.kind)
      end)
   end

   it("never uses a password for a token, nor a token for a password", function()
      local _, err = talk.send(with(), script [[
         <hello AUTH XOAUTH2 OAUTHBEARER>
         <bye>
      ]])
      assert.equal("no_common_mechanism", err.reason)
      assert.equal("it needs a token", err.mechanisms.XOAUTH2)
      _, err = talk.send(with_token(), script [[
         <hello AUTH PLAIN LOGIN SCRAM-SHA-256>
         <bye>
      ]])
      assert.equal("no_common_mechanism", err.reason)
      assert.equal("it needs a password", err.mechanisms["SCRAM-SHA-256"])
   end)

   it("refuses a token that no token is", function()
      for _, bad in ipairs { "a b", "a\1b", "a\r\nb", "a\0b", "\195\164", ("k"):rep(9000) } do
         local _, err = safe.send { host = "mx.example", from = "a@x.example", to = "b@x.example",
            text = "x", username = "ann", token = bad }
         assert.same({ "usage", "token" }, { err.kind, err.option })
         assert.is_nil(tostring(err):find(bad, 1, true))
         local _, late = talk.send(with_token { token = function() return bad end }, script [[
            <hello AUTH XOAUTH2>
         ]])
         assert.equal("source", late.kind)
      end
   end)
end)
