-- Every recipe runs unchanged, and does what it says.
local command = require "spec.tools.command"
local peer = require "spec.tools.peer"

local interpreter = peer.interpreter

local function status_of(said)
   return tonumber(said:match("status (%d+)\n$"))
end

local function run(recipe, prefix)
   return command.run(("%s LUA=%s examples/run %s; echo status $?"):format(prefix or "", interpreter, recipe))
end

-- What each prints, with the mail that arrives.
local recipes = {
   ["attachment.lua"] = { "name=\"?squares.csv",
      "filename%*=[Uu][Tt][Ff]%-8''%%C3%%BCbersicht.csv", "name=\"?attachment.lua" },
   ["calendar.lua"] = { "Content%-Type: text/calendar; charset=utf%-8; method=REQUEST" },
   ["connection.lua"] = { "bob\tqueued as 1", "dave\tqueued as 3", "to <carol@example.net>" },
   ["demo.lua"] = { "" },
   ["dkim.lua"] = { "^DKIM%-Signature: v=1; a=ed25519%-sha256", "Hello Bob" },
   ["gmail.lua"] = { "queued as 1", "authenticated as ann" },
   ["hosts.lua"] = { "sent by 127.0.0.1", "214 files" },
   ["proxy.lua"] = { "queued as 1", "Subject: Hello from inside", "authenticated as ann" },
   ["lmtp.lua"] = { "bob@example.net\taccepted\t250", "carol@example.net\taccepted\t250" },
   ["microsoft365.lua"] = { "queued as 1", "authenticated as ann" },
   ["newsletter.lua"] = { "3 sent, 0 failed", "DKIM%-Signature: ", "List%-Unsubscribe%-Post: ",
      "to <dave@example.net>" },
   ["own_mechanism.lua"] = { "authenticated by X%-RIDDLE" },
   ["prefer.lua"] = { "sent, logged in by PLAIN" },
   ["probe.lua"] = { "AUTH: authenticated PLAIN", "use auth = require" },
   ["relay.lua"] = { "queued as 1", "214 files" },
   ["retry.lua"] = { "queued as 1", "Subject: Once is enough" },
   ["send.lua"] = { "carol@example.net\taccepted", "the server said: queued as 1" },
   ["ses.lua"] = { "queued as 1", "X%-SES%-CONFIGURATION%-SET: news" },
   ["waterfall.lua"] = { "\nfinal +[0-9.]+ ms | *#+\n", "bytes sent, %d+ heard; sent to 1, refused for 0\n" },
   ["template.lua"] = { "your order 4711 costs", "Bob &amp; S" },
}

local compile = rawget(_G, "loadstring") or load
local has_close = compile("local x <close> = nil") ~= nil

describe("the recipe", function()
   for name, expected in pairs(recipes) do
      if name ~= "connection.lua" or has_close then
         it(name .. " does what it says", function()
            local said = run(name)
            assert.equal(0, status_of(said), said)
            for _, pattern in ipairs(expected) do assert.matches(pattern, said) end
         end)
      end
   end

   it("outbox.lua delivers a message once, as often as it runs", function()
      local outboxes = require "spec.tools.outboxes"
      local store = "MAIL_STORE=" .. outboxes.path()
      local said = run("outbox.lua", store)
      assert.equal(0, status_of(said), said)
      assert.matches("^order%-7\tsent\t\n1 sent, 0 failed, 0 in doubt\n", said)
      assert.matches("Subject: Your order", said)
      assert.matches("^0 sent, 0 failed, 0 in doubt\n", run("outbox.lua", store))
      outboxes.clean()
   end)

   it("outbox-redis.lua delivers a message, with a client of Redis", function()
      local folder = os.tmpname() .. ".redis"
      command.run("mkdir " .. folder)
      command.write(folder .. "/redis.lua", "return require 'spec.tools.redis_model'.new()")
      local said = run("outbox-redis.lua", ("LUA_PATH='%s/?.lua;./?.lua;;'"):format(folder))
      command.run("rm -r " .. folder)
      assert.equal(0, status_of(said), said)
      assert.matches("^order%-7\tsent\t\n1 sent, 0 failed, 0 in doubt\n", said)
      assert.matches("Subject: Your order", said)
   end)

   it("cron.lua mails the output of a command that failed, and ends as it did", function()
      local said = run("cron.lua")
      assert.equal(3, status_of(said), said)
      assert.matches("Subject: cron: echo the disk is full; exit 3 ended with 3", said)
      assert.matches("\ndGhlIGRpc2sgaXMgZnVsbAo=\r?\n", said)
   end)

   it("prefer.lua sends without a login where the server has none", function()
      local server = peer.start [[
         local sock = accept()
         sock:send "220 relay.example ESMTP\r\n"
         for _, answer in ipairs { "250 relay.example", "250 ok", "250 ok", "354 go" } do
            line(sock)
            sock:send(answer .. "\r\n")
         end
         repeat until line(sock) == ".\r\n"
         sock:send "250 ok\r\n"
         line(sock)
      ]]
      local said = run("prefer.lua 127.0.0.1 " .. server.port, "SMTP_USER=ann SMTP_PASSWORD=sesame-31")
      server.finish()
      assert.matches("^sent without a login: not_advertised", said)
   end)

   it("retry.lua does not repeat a refusal, and repeats what is for later", function()
      local sleeps = 0
      local function retry(faults)
         local sink = require("smtp").sink { faults = faults,
            auth = { users = { ann = "sesame-73" }, before_tls = true } }
         local text = assert(io.open "examples/retry.lua"):read("*a")
         text = text:gsub('"sleep " %.%. seconds', '"true"'):gsub("host = arg%[1%], port = arg%[2%]",
            "transport = sink:transport(), tls = 'skip', auth_plaintext = true")
         local environment = setmetatable({ sink = sink, arg = {}, print = function() sleeps = sleeps + 1 end,
            os = setmetatable({ exit = function() error "exit" end, getenv = function(name)
               return ({ SMTP_USER = "ann", SMTP_PASSWORD = "sesame-73" })[name]
            end }, { __index = os }) }, { __index = _G })
         local chunk = assert(compile("local _ENV = ...; local arg, os, print, sink = arg, os, print, sink " .. text))
         if rawget(_G, "setfenv") then rawget(_G, "setfenv")(chunk, environment) end
         local ok = pcall(chunk, environment)
         return ok, #sink.messages
      end
      local replies = { "451 4.7.1 greylisted", "451 4.7.1 greylisted" }
      assert.same({ true, 1 }, { retry { rcpt = function() return table.remove(replies) end } })
      assert.equal(3, sleeps) -- two failures, one reply
      sleeps = 0
      assert.same({ false, 0 }, { retry { rcpt = "550 5.1.1 unknown" } })
      assert.equal(1, sleeps)
   end)

   it("app_spec.lua is a spec that passes", function()
      local said = command.run(("sh -c 'LUA_PATH=\"$PWD/lua/?.lua;$LUA_PATH\" "
         .. "LUA_CPATH=\"$PWD/build/%s/?.so;$LUA_CPATH\" busted --lua=%s -o plainTerminal -p app_spec "
         .. "examples/app_spec.lua'"):format(interpreter:match("[^/]*$"), interpreter))
      assert.matches("2 successes / 0 failures / 0 errors", said)
   end)
end)

describe("the recipes for OAuth", function()
   -- A token endpoint and a server that accepts the second token only, in processes of their own.
   local function endpoint()
      return peer.start [[
         for _, token in ipairs { "old-token", "new-token" } do
            local sock = accept(20)
            local length = 0
            repeat
               local text = line(sock)
               length = tonumber(text:match("^Content%-Length: (%d+)")) or length
            until text == "\r\n"
            while #heard < length do heard = heard .. sock:receiveany(4096) end
            print(heard)
            heard = ""
            local body = ('{"token_type":"Bearer","expires_in":3599,"access_token":"%s"}'):format(token)
            sock:send(("HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s"):format(#body, body))
            sock:close()
         end
      ]]
   end

   local function mail_server()
      local name = os.tmpname()
      command.write(name, [[
         local sink = require("smtp").sink { require_auth = true,
            auth = { tokens = { ann = "new-token" }, before_tls = true } }
         print((select(2, sink:listen())))
         io.stdout:flush()
         sink:serve { connections = 1, timeout = 20 }
         print(#sink.messages, sink.messages[1] and sink.messages[1].authenticated)
      ]])
      local pipe = io.popen(interpreter .. " " .. name .. " 2>&1")
      return { port = pipe:read("*l"), finish = function()
         local said = pipe:read("*a")
         pipe:close()
         os.remove(name)
         return said
      end }
   end

   -- ssl.https of LuaSec, as far as the recipes use it.
   local https = [[
      local https = {}
      function https.request(url, body)
         local socket = require "smtp.socket"
         local sock = socket.new()
         sock:settimeouts(5000, 5000, 5000)
         assert(sock:connect("127.0.0.1", tonumber(url:match(":(%d+)"))))
         sock:send(("POST /token HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s"):format(#body, body))
         local text = ""
         while true do
            local data = sock:receiveany(4096)
            if not data then break end
            text = text .. data
         end
         return text:match("\r\n\r\n(.*)$"), 200
      end
      return https
   ]]

   for name, form in pairs {
      ["gmail_oauth.lua"] = "^grant_type=refresh_token&client_id=me&client_secret=a%%26b&refresh_token=1%%2F%%2Fr\n",
      ["microsoft365_oauth.lua"] = "&scope=https%%3A%%2F%%2Foutlook.office.com%%2FSMTP.Send%%20offline_access\n",
   } do
      it(name .. " gets a token, and a new one where the server refuses it", function()
         local tokens, server = endpoint(), mail_server()
         local folder = os.tmpname()
         os.remove(folder)
         command.run(("mkdir -p %s/ssl"):format(folder))
         command.write(folder .. "/ssl/https.lua", https)
         local said = run(name .. " 127.0.0.1 " .. server.port, ("SMTP_USER=ann CLIENT_ID=me 'CLIENT_SECRET=a&b' "
            .. "REFRESH_TOKEN=1//r OAUTH_URL=http://127.0.0.1:%d/token LUA_PATH='%s/?.lua;;'")
            :format(tokens.port, folder))
         command.run("rm -rf " .. folder)
         assert.equal(0, status_of(said), said)
         assert.equal("1\tann\n", server.finish())
         local posted = tokens.finish()
         assert.matches(form, posted)
         assert.equal(2, select(2, posted:gsub("grant_type=", "")))
      end)
   end
end)

describe("each recipe", function()
   local pipe = io.popen "ls examples/*.lua"
   local names = pipe:read("*a")
   pipe:close()

   it("has at most 40 lines, and is in the list of recipes", function()
      local list = assert(io.open "examples/README.md"):read("*a")
      for path in names:gmatch("%S+") do
         local name, count = path:match("[^/]+$"), 0
         for _ in io.lines(path) do count = count + 1 end
         assert(count <= 40 or name == "demo.lua", path .. " has " .. count .. " lines")
         assert.truthy(list:find("](" .. name .. ")", 1, true), name)
      end
   end)

   it("is run here, or with its host in spec/hosts", function()
      local hosts = assert(io.open "spec/hosts/examples_spec.lua"):read("*a")
      local by_name = { ["app_spec.lua"] = true, ["cron.lua"] = true, ["oauth.lua"] = true, ["gmail_oauth.lua"] = true,
         ["microsoft365_oauth.lua"] = true, ["lua-smtp.lua"] = true, ["outbox.lua"] = true,
         ["outbox-redis.lua"] = true }
      for path in names:gmatch("%S+") do
         local name = path:match("[^/]+$")
         assert(recipes[name] or by_name[name] or hosts:find(name, 1, true), name)
      end
   end)
end)
