local checked = require "spec.tools.checked"
local request = require "smtp.client.request"

local refused, server = checked.refused, checked.server

describe("what is asked of an extension", function()
   local bad_notify = { "never,failure", "FAILURE", "", true, 7, {}, { "never", "failure" }, { "fail" },
      { failure = true }, { "failure", 7 }, { "failure\r\nRCPT" } }

   local function to_bob(more)
      more.address = "bob@there.example"
      return { envelope = { to = { more } } }
   end

   for option, values in pairs {
      dsn = { "failure", true, { "failure" }, { notfy = "failure" } },
      ["dsn.ret"] = { "FULL", "header", true, "full RET=HDRS" },
      ["dsn.envid"] = { "", 7, true, "a\tb", "a\127", "\195\164", ("x"):rep(101), (" "):rep(34), "a\r\nDATA" },
      requiretls = { "yes", 1, "true" },
      deliver_by = { 0, -1, 1.5, "x", true, {}, 1e9, 0 / 0, math.huge, { seconds = 0 },
         { seconds = 60, secs = 5 } },
      ["deliver_by.mode"] = { "R", true }, ["deliver_by.trace"] = { "T", 1 },
      hold_for = { 0, -1, 1.5, "x", {}, 1e9, 0 / 0, "5\r\nDATA" },
      hold_until = { -1, 1e12, 0 / 0, math.huge, true, "", "tomorrow", "2026-11-24", "2026-11-24T12:00:00",
         "2026-13-01T12:00:00Z", "2026-02-29T12:00:00Z", "2026-11-24T24:00:00Z", "2026-11-24T12:60:00Z",
         "2026-11-24T12:00:61Z", "2026-11-24T12:00:0012Z", "2026-11-24T12:00:00.Z", "2026-11-24T12:00:00+25:00",
         "2026-11-24T12:00:00+0100", "2026-11-24T12:00:00Z HOLDFOR=1", "1969-12-31T23:59:59Z",
         "2026-11-24T12:00:00ZZ" },
      mt_priority = { 10, -10, 1.5, "high", true, 0 / 0, "5 SIZE=1", {} },
   } do
      for i, value in ipairs(values) do
         it(("has to be of its form: %s, %d"):format(option, i), function()
            local name, field = option:match("^([^.]*)%.?(.*)$")
            local given = field == "" and value or { seconds = name == "deliver_by" and 60 or nil, [field] = value }
            assert.equal(name, refused({ [name] = given }).option:match("^[^.]*"))
         end)
      end
   end

   it("names who is notified of what", function()
      for _, bad in ipairs(bad_notify) do
         assert.equal("dsn.notify", refused({ dsn = { notify = bad } }).option)
         assert.equal("envelope.to.notify", refused(to_bob { notify = bad }).option)
      end
   end)

   it("has an address for orcpt", function()
      for _, bad in ipairs { "", "x", 7, true, "rfc822;", "rfc822;x", "x400;a@b.example", "rfc822;utf-8;a@b.example",
         "utf-8;rfc822;a@b.example", "rfc822;a@b\r\nDATA", "a@b\r\nDATA",
         ("\195\169"):rep(85) .. "@x.example" } do
         assert.equal("envelope.to.orcpt", refused(to_bob { orcpt = bad }).option)
      end
      assert.equal("envelope.to.notfy", refused(to_bob { notfy = "never" }).option)
   end)

   it("may have the type of an address before it in orcpt", function()
      for given, want in pairs { ["old@b.example"] = "rfc822;old@b.example",
         ["rfc822;old@b.example"] = "rfc822;old@b.example",
         ["RFC822; old@b.example "] = "rfc822;old@b.example", ["utf-8;old@b.example"] = "rfc822;old@b.example",
         ["utf-8;pel\195\169@b.example"] = "utf-8;pel\\x{E9}@b.example",
         ["rfc822;Bob <old@b.example>"] = "rfc822;old@b.example" } do
         local t = to_bob { orcpt = given }
         t.from, t.text = "ann@me.example", ""
         local one = assert(request.message(t))
         assert.same({ ["bob@there.example"] = want }, one.parameters.orcpt_of)
      end
   end)

   it("holds a message in one way", function()
      assert.equal("hold_until", refused({ hold_for = 5, hold_until = 1e9 }).option)
   end)

   it("tells mt_priority from priority", function()
      assert.truthy(refused({ mt_priority = "high" }).hint:find("priority", 1, true))
      local _, mail = server { priority = "high" }
      assert.is_nil(mail.parameters.mt_priority)
   end)

   it("takes dates in any zone, to the second", function()
      for given, want in pairs { ["2024-02-29T23:59:59z"] = "2024-02-29T23:59:59Z",
         ["2026-12-31 23:30:00-01:00"] = "2027-01-01T00:30:00Z",
         ["1970-01-01T00:00:00Z"] = "1970-01-01T00:00:00Z",
         ["2100-03-01T00:00:00.999+00:01"] = "2100-02-28T23:59:00Z",
         ["9999-12-31T23:59:59Z"] = "9999-12-31T23:59:59Z" } do
         local _, mail = server { hold_until = given }
         assert.equal(want, mail.parameters.hold_until)
      end
   end)
end)
