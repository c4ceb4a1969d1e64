-- What URLs in options have in common. The options url and proxy have specs of their own.
local url_parts = require "smtp.options.url_parts"

local form = { option = "url", hint = "Write it", port_hint = "Write a port", ports_hint = "The ports are" }

local function refused(fn, ...)
   local ok, err = pcall(fn, ...)
   assert.is_false(ok)
   assert.equal("usage", err.kind)
   return err
end

describe("The authority of a URL", function()
   it("has a host, and may have a port and a login", function()
      assert.same({ host = "mx.example" }, url_parts.authority(form, "mx.example"))
      assert.same({ host = "2001:db8::1", port = 25, username = "a@b", password = "p:w@" },
         url_parts.authority(form, "a@b:p%3Aw%40@[2001:db8::1]:25"))
      assert.same({ host = "mx.example", username = "ann" }, url_parts.authority(form, "ann@mx.example:"))
      assert.same({ host = "mx.example", username = "", password = "" }, url_parts.authority(form, ":@mx.example"))
   end)

   it("is refused with the hints of its option", function()
      for text, hint in pairs { ["mx.example:x"] = "Write a port", ["mx.example:0"] = "The ports are",
         ["mx.example:65536"] = "The ports are", [":25"] = "Write it", ["[::1]25"] = "Write it" } do
         assert.equal(hint, refused(url_parts.authority, form, text).hint)
      end
   end)
end)

describe("Escapes", function()
   it("are decoded once", function()
      assert.equal("a/b%2F", url_parts.decode "a%2fb%252F")
   end)

   it("have two digits, and make no line break", function()
      for _, text in ipairs { "a%", "%2", "%g0", "%0A", "%0d", "%00", "a\nb" } do
         assert.equal("url", refused(url_parts.check_escapes, "url", text).option)
      end
      url_parts.check_escapes("url", "a%20b%25")
   end)
end)
