local command = require "spec.tools.command"
local one_port = require "smtp.cli.one_port"
local printed = require "spec.tools.printed"
local talk = require "spec.tools.talk"

local script = talk.snippets {
   tls = [[
      S: 220 hi
      C: EHLO me.example
      S: 250-mx
      S: 250 STARTTLS
      C: STARTTLS
      S: 220 go
      TLS
   ]],
   login = [[
      <tls>
      <ehlo AUTH PLAIN>
      C: AUTH PLAIN AGFubgBzZXNhbWU=
      S: $code ok
      <bye>
   ]],
}

-- -> what was printed, the status, the error
local function run(given, transcript, json)
   local peer = talk.peer(transcript)
   local t = { host = "mx.example", port = 587, domain = "me.example", transport = peer }
   for name, value in pairs(given) do t[name] = value end
   local text, status, err = printed(one_port.run, t, { "--password-env", "PW" }, t.password and "password", json)
   talk.finished(peer)
   return text, status, err
end

local login = { username = "ann", password = "sesame" }

describe("the report on one port", function()
   it("shows the fewest options, as flags and as Lua", function()
      local text, status = run(login, script("<login>", { code = 235 }))
      assert.equal(0, status)
      assert.matches("flags         --host mx.example --domain me.example --username ann --password-env PW\n", text, 1,
         true)
      assert.matches('Lua           { host = "mx.example", domain = "me.example", username = "ann", password = "…" }\n',
         text, 1, true)
   end)

   it("shows none where no options would send", function()
      local text, status = run(login, script("<login>", { code = 535 }))
      assert.equal(77, status)
      assert.matches("flags         none: see the first warning\n", text, 1, true)
      assert.is_nil(text:find("Lua  ", 1, true))
   end)

   it("ends with 0 where the flags that it prints send", function()
      local pipe, port = command.start_sink "--tls starttls --once"
      local place = ("localhost:%d --no-config"):format(port)
      local said, status = command.smtp("probe " .. place)
      assert.equal(0, status)
      assert.matches("--tls-pin (the key_pin above)", said, 1, true)
      local flags = said:match("\n   flags         ([^\n]*)\n")
      said, status = command.smtp("probe " .. place .. " --tls require")
      assert.equal(76, status)
      assert.matches("flags         none: see the first warning", said, 1, true)
      assert.equal(0, (select(2, command.smtp("send --no-config " .. flags .. command.message))))
      pipe:close()
   end)

   it("is one object in JSON", function()
      local text, status = run(login, script("<login>", { code = 235 }), true)
      assert.equal(0, status)
      assert.matches('^{.*"options":{.*}\n$', text)
      assert.is_nil(text:find("sesame", 1, true))
   end)

   it("is an error where there is nothing to report", function()
      local text, status, err = run({}, "CLOSE")
      assert.equal("", text)
      assert.is_nil(status)
      assert.equal("disconnected", err.kind)
   end)
end)
