-- Which server it is, by its first bytes. spec/diagnosis/connection_spec.lua has what an error says of each.
local first_bytes = require "smtp.result.first_bytes"

local function err(greeting, text, capabilities)
   return { transcript = greeting and { "S: " .. greeting, "C: QUIT" } or {}, text = text, capabilities = capabilities }
end

describe("The first bytes of a server", function()
   it("are the first line that it sent", function()
      assert.equal("220 mx", first_bytes.greeting(err "220 mx"))
      assert.equal("", first_bytes.greeting(err()))
      assert.equal("220 b", first_bytes.greeting { transcript = { "C: EHLO x", "S: 220 b" } })
   end)

   it("of SMTP belong to no other protocol", function()
      for _, line in ipairs { "220 mx.example ESMTP", "554 no", "421 busy", "220 SSH-gateway ESMTP", "220-HTTP/ESMTP",
         "220 ??? ESMTP" } do
         assert.is_nil(first_bytes.foreign(line), line)
      end
   end)

   it("of FTP look like those of SMTP", function()
      assert.truthy(first_bytes.is_ftp(err "220 (vsFTPd 3.0.3)"))
      assert.truthy(first_bytes.is_ftp(err "220-FileZilla Server 1.2"))
      assert.truthy(first_bytes.is_ftp(err("220 hello", "Please login with USER and PASS.")))
      assert.falsy(first_bytes.is_ftp(err "220 ftp.example.com ESMTP"))
      assert.falsy(first_bytes.is_ftp(err "220 FTPMAIL ESMTP gateway"))
   end)

   it("of a firewall that inspects are asterisks and X", function()
      assert.truthy(first_bytes.is_inspected(err "220 ************0*"))
      assert.truthy(first_bytes.is_inspected(err("220 mx", "unknown: \"XXXX me\"")))
      assert.truthy(first_bytes.is_inspected(err("220 mx", nil, { XXXXXXXA = "" })))
      assert.falsy(first_bytes.is_inspected(err("220 *mx*", "no", { XCLIENT = "NAME", ["X-EXPS"] = "", XXX = "" })))
   end)
end)
