local logins = require "spec.tools.logins"
local talk = require "spec.tools.talk"

local with_token = logins.with_token
local script = talk.script

describe("OAuth", function()
   it("escapes what separates fields in a user name", function()
      talk.send(with_token { username = "a,b=c" }, script [[
         <hello AUTH OAUTHBEARER>
         <auth OAUTHBEARER, n,a=a=2Cb=3Dc,\x01host=mx.example\x01port=25\x01auth=Bearer to.ken-1\x01\x01>
         S: 235 ok
         <accepted>
      ]])
   end)
end)
