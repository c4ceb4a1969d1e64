--- Options with credentials, and what mechanisms say with them.

local core = require "smtp.core"
local talk = require "spec.tools.talk"

local logins = {}

local function overlay(options, more)
   for key, value in pairs(more or {}) do
      if value == "none" then value = nil end
      options[key] = value
   end
   return options
end

--- A password that may travel in clear text, under this word of `auth`; "none" leaves an option out.
function logins.login(auth, more)
   return overlay({ auth = auth, username = "ann", password = "sesame-0", auth_plaintext = true }, more)
end

--- The same with another password, and without a word of `auth`.
function logins.with(more)
   return overlay({ username = "ann", password = "sesame-1", auth_plaintext = true }, more)
end

--- A token in place of the password.
function logins.with_token(more)
   return overlay(logins.with { password = "none", token = "to.ken-1", port = 25 }, more)
end

--- What the token becomes, and how a server answers one that is over.
logins.XOAUTH2 = core.base64("user=ann\1auth=Bearer to.ken-1\1\1")
logins.OAUTHBEARER = core.base64("n,a=ann,\1host=mx.example\1port=25\1auth=Bearer to.ken-1\1\1")
logins.expired = core.base64('{"status":"invalid_token","scope":"mail"}')

--- A mechanism of the user's own: it says hello, and answers "riddle".
logins.own = { name = "X-OWN", plaintext = false,
   start = function(self, info)
      self.name_said = info.username
      return "hello " .. info.username
   end,
   step = function(self, challenge)
      if challenge == "riddle" then return self.name_said .. " knows", true end
      return nil, "that is no riddle"
   end }

--- How each mechanism is said to success, before the 235: { options, transcript }.
logins.spoken = {
   PLAIN = { logins.with(), "C: AUTH PLAIN " .. core.base64("\0ann\0sesame-1") .. "\n" },
   LOGIN = { logins.with(), talk.script [[
      C: AUTH LOGIN
      <challenge x>
      <answer ann>
      <challenge y>
      <answer sesame-1>
   ]] },
   XOAUTH2 = { logins.with_token(), "C: AUTH XOAUTH2 " .. logins.XOAUTH2 .. "\n" },
   OAUTHBEARER = { logins.with_token(), "C: AUTH OAUTHBEARER " .. logins.OAUTHBEARER .. "\n" },
   EXTERNAL = { { auth_mechanisms = "EXTERNAL" }, "C: AUTH EXTERNAL =\n" },
   ["CRAM-MD5"] = { { auth_mechanisms = "CRAM-MD5", username = "tim", password = "tanstaaftanstaaf" },
      [[
         C: AUTH CRAM-MD5
         S: 334 PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+
         C: dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw
      ]] }, -- RFC 2195 2
   ["X-OWN"] = { logins.with { auth_mechanisms = { logins.own } }, talk.script [[
      <auth X-OWN, hello ann>
      <challenge riddle>
      <answer ann knows>
   ]] },
}

return logins
