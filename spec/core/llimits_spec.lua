-- Each bound and keyword is written once, in C: Lua has what the headers say.
local core = require "smtp.core"

-- The constants of the two headers, by name.
local function constants()
   local list = {}
   for _, path in ipairs { "csrc/smtp.h", "csrc/text/text.h" } do
      local file = assert(io.open(path))
      for name, value in file:read("*a"):gmatch("(SMTP_[A-Z0-9_]+) = (%d+)%f[%D]") do list[name] = tonumber(value) end
      file:close()
   end
   return list
end

describe("core.limits", function()
   local of = constants()

   for name, constant in pairs { address = "ADDRESS_LEN_MAX",
      secret = "SECRET_LEN_MAX", token = "TOKEN_LEN_MAX", challenge = "CHALLENGE_MAX", envid = "ENVID_LEN_MAX",
      seconds = "SECONDS_MAX", flight = "FLIGHT_MAX", unheard = "UNHEARD_LEN_MAX" } do
      it("." .. name .. " is SMTP_" .. constant, function()
         assert.is_number(core.limits[name])
         assert.equal(of["SMTP_" .. constant], core.limits[name])
      end)
   end

   it(".command leaves room for the line end", function()
      assert.equal(of.SMTP_LINE_MAX - 2, core.limits.command)
   end)
end)

describe("core.extensions", function()
   it("are keywords in lower case, each once", function()
      local seen = {}
      for _, keyword in ipairs(core.extensions) do
         assert.equal(keyword:lower(), keyword)
         assert.is_nil(seen[keyword])
         seen[keyword] = true
      end
      for _, keyword in ipairs { "pipelining", "8bitmime", "chunking", "dsn", "smtputf8", "requiretls" } do
         assert.is_true(seen[keyword], keyword)
      end
      assert.is_nil(seen.starttls or seen.auth) -- the options tls and auth are for these
   end)
end)
