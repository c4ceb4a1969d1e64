-- Composed and signed messages, as they arrive after Postfix: the signatures still hold, and the parts are
-- what was put in.
local command = require "spec.tools.command"
local core = require "smtp.core"
local keys = require "spec.tools.dkim_keys"
local safe = require "smtp.safe"
local servers = require "spec.live.servers"

local work = "build/live/dkim_postfix"

local function write(name, text)
   command.write(work .. "/" .. name, text)
   return work .. "/" .. name
end

describe("a signed message behind Postfix", function()
   local live = servers.during(setup, teardown, servers.start)
   local signers

   setup(function()
      os.execute("mkdir -p " .. work)
      local key = keys.make()
      local zone = ""
      signers = {}
      for selector, name in pairs { r1 = "rsa", e1 = "ed25519" } do
         zone = zone .. ("%s._domainkey.live.example v=DKIM1; k=%s; p=%s\n"):format(selector, name,
            core.base64(select(3, key(name))))
         signers[#signers + 1] = { domain = "live.example", selector = selector, key = key(name) }
      end
      signers[3] = { domain = "live.example", selector = "r1", key = key "rsa", canonicalization = "simple/simple" }
      write("zone", zone)
   end)

   local function send(more)
      local t = { host = "localhost", port = live.submission_port, tls = "require", tls_ca_file = live.ca_file,
         username = live.user, password = live.password, from = "Ann \195\150 <ann@live.example>",
         to = "bob@live.example", dkim = signers }
      for name, value in pairs(more) do t[name] = value end
      local receipt, err = safe.send(t)
      assert(receipt, tostring(err))
      -- Mailboxes have LF for line ends.
      return (live.arrived("bob", 1)[1]:gsub("\n", "\r\n"))
   end

   local function verdicts(message)
      local pipe = io.popen(("/usr/bin/python3 -B spec/live/dkim_verify.py %s/zone %s 2>&1"):format(work,
         write("message.eml", message)))
      local said = pipe:read("*a")
      pipe:close()
      return said
   end

   for name, more in pairs {
      ["of text"] = { subject = "signed \226\156\168", text = "Gr\195\188\195\159e\n.\n..\nFrom here\n\n\n" },
      ["of all parts"] = { text = "hi", html = "<p>hi</p>", attachments = { { content = ("\0\255"):rep(50000),
         filename = "\195\164.bin" }, { content = "x", filename = "x.png", cid = "x" } },
         list_unsubscribe = { "https://live.example/u", one_click = true } },
      ["given raw"] = { raw = "From: ann@live.example\nDate: Tue, 24 Nov 2026 12:00:00 +0000\nMessage-ID: <1@x>\n"
         .. "Subject:  odd \t space \n\n.hello \n\n\n" },
   } do
      it(name .. " holds by all its keys, and no more when it is changed", function()
         local arrived = send(more)
         local said = verdicts(arrived)
         assert.equal(3, select(2, said:gsub("=pass", "")), said)
         assert.is_nil(said:find("=fail", 1, true))
         said = verdicts((arrived:gsub("\r\n\r\n", "\r\n\r\nmore", 1)))
         assert.equal(3, select(2, said:gsub("=fail", "")), said)
      end)
   end
end)
