-- The contact form of examples/contact-form, outside nginx: what a stranger posts takes no time.
local FOLDER = "examples/contact-form"
local browser = ("0123456789abcdef"):rep(2)

local units = { " ", "\t", "\n", "\r\n",
   "@", "a@", "<", '"', "\\", "(", ",", ".", "=?", "\255", "\195\164", "a ", " a" }

describe("The contact form", function()
   local contact, token, posted, shown
   local was_path, was_bit, was_ngx = package.path, package.preload.bit, rawget(_G, "ngx")

   setup(function()
      package.path = FOLDER .. "/?.lua;" .. package.path
      if not package.loaded.bit then
         package.preload.bit = function()
            return { bor = function(a, b) return a + b end, bxor = function(a, b) return a == b and 0 or 1 end }
         end
      end
      local kept, environment = {}, { SMTP_HOST = "localhost", MAIL_FROM = "a@x.example", MAIL_TO = "b@x.example" }
      local store = { get = function(_, name) return kept[name] end,
         set = function(_, name, value) kept[name] = value end }
      _G.ngx = { var = { scheme = "http", cookie_contact_form = browser, binary_remote_addr = "\127\0\0\1" },
         header = {}, shared = { contact_form = store }, time = os.time,
         print = function(text) shown = text end, hmac_sha1 = function(_, text) return text end,
         encode_base64 = function(text) return (text:gsub("[^A-Za-z0-9]", "")) end,
         req = { read_body = function() end, get_method = function() return "POST" end,
            get_post_args = function() return posted end } }
      local getenv = os.getenv
      os.getenv = function(name) return environment[name] end -- luacheck: ignore
      contact, token = require "contact", require "token"
      contact.start(FOLDER)
      os.getenv = getenv -- luacheck: ignore
   end)

   teardown(function()
      if package.preload.bit ~= was_bit then package.loaded.bit = nil end
      _G.ngx, package.path, package.preload.bit = was_ngx, was_path, was_bit
      for _, name in ipairs { "contact", "token", "template" } do package.loaded[name] = nil end
   end)

   for _, field in ipairs { "name", "email", "subject", "message", "token", "website" } do
      it("refuses 90 KB of anything as " .. field .. " at once", function()
         for _, unit in ipairs(units) do
            local text = "a" .. unit:rep(math.floor(90000 / #unit)) .. "a"
            for _, good in ipairs { false, true } do
               posted = { name = "Ann", email = "ann@x.example", subject = "x", message = "x",
                  token = good and token.new(browser) or "no token" }
               posted[field] = text
               local before = os.clock()
               contact.form()
               local spent = os.clock() - before
               assert(spent < 0.25, ("%q: %.3f s"):format(unit, spent))
               assert.equal((good and field ~= "token") and 422 or 403, ngx.status) -- luacheck: ignore
               assert.truthy(shown:find("</html>", 1, true))
            end
         end
      end)
   end
end)
