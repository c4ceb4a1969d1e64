local core = require "smtp.core"
local peer = require "spec.tools.peer"
local smtp = require "smtp.safe"
local talk = require "spec.tools.talk"

local odd = { -1, -2 ^ 63, 2 ^ 63, 2 ^ 64, 1e300, math.huge, -math.huge, 0 / 0, 0.5 }

local function session()
   return core.session { domain = "me.example", extensions = {} }
end

describe("session:flights", function()
   it("takes a number for a time that is none", function()
      if package.loaded.ngx then return end
      local socket = require "smtp.socket"
      local sock = socket.new()
      for i = 1, #odd do assert.equal("recv", (session():flights(sock:io(), odd[i], odd[i], odd[i]))) end
      sock:close() -- it has to outlive what io() gave
   end)
end)

local message = talk.message

describe("What is shown", function()
   it("is the same whether Lua or C sends and receives", function()
      local shown = {}
      for _, trace in ipairs { false, function() end } do
         local other = peer.start [[
            local sock = accept()
            local replies = { EHLO = "250 mx", MAIL = "250 ok", RCPT = "550 who?", QUIT = "221 bye" }
            sock:send("220 hi\r\n")
            for _ = 1, 4 do sock:send(replies[line(sock):match("^%u+")] .. "\r\n") end]]
         local all = message { host = "127.0.0.1", port = other.port, tls = "skip",
            domain = "me.example", trace = trace }
         local _, err = smtp.send(all)
         other.finish()
         shown[#shown + 1] = err.command .. "\n" .. table.concat(err.transcript, "\n")
      end
      assert.equal(shown[1], shown[2])
   end)
end)
