-- Domains outside ASCII: what they become, what they must not become, and a host without libidn2.
local address = require "smtp.options.address"
local core = require "smtp.core"
local request = require "smtp.client.request"
local peer = require "spec.tools.peer"

local parse = require("smtp.errors").returning(address.parse)

describe("a domain outside ASCII", function()
   for given, want in pairs {
      ["m\195\188nchen.example"] = { "xn--mnchen-3ya.example", "m\195\188nchen.example" },
      ["M\195\156NCHEN.Example"] = { "xn--mnchen-3ya.example", "m\195\188nchen.example" },
      ["mu\204\136nchen.example"] = { "xn--mnchen-3ya.example", "m\195\188nchen.example" }, -- not NFC
      ["stra\195\159e.example"] = { "xn--strae-oqa.example", "stra\195\159e.example" }, -- not transitional
      ["\228\190\139\227\129\136.\227\131\134\227\130\185\227\131\136"] = { "xn--r8jz45g.xn--zckzah",
         "\228\190\139\227\129\136.\227\131\134\227\130\185\227\131\136" },
      ["a\239\188\142b.\195\164"] = { "a.b.xn--4ca", "a.b.\195\164" }, -- U+FF0E is a dot,
      ["a\227\128\130b"] = { "a.b", "a.b" }, -- and so is U+3002
      ["\195\164\194\173b.x"] = { "xn--b-zfa.x", "\195\164b.x" }, -- U+00AD is nothing
      ["xn--mnchen-3ya.\195\164"] = { "xn--mnchen-3ya.xn--4ca", "m\195\188nchen.\195\164" },
   } do
      it("becomes " .. want[1], function()
         local ascii, unicode = core.idna(given)
         assert.same(want, { ascii, unicode })
         assert.is_true(core.domain(ascii))
         for _, again in ipairs { ascii, unicode } do assert.equal(ascii, (core.idna(again))) end
      end)
   end

   for name, given in pairs {
      ["U+FF20, an @"] = "a\239\188\160b", ["U+FF20 beside other letters"] = "\195\164\239\188\160b.x",
      ["U+FE64, a <"] = "a\239\185\164b",
      ["U+FF1C, a <"] = "\195\164\239\188\156.x", ["U+FF1E, a >"] = "a\239\188\158b",
      ["U+2024, a dot"] = "a\226\128\164b", ["U+2488, 1 and a dot"] = "\226\146\136com",
      ["U+2028"] = "a\226\128\168b", ["U+2029"] = "a\226\128\169b", ["U+0085"] = "a\194\133b",
      ["U+00A0, a space"] = "a\194\160b", ["U+3000, a space"] = "\195\164\227\128\128b",
      ["U+2100, a/c"] = "\226\132\128.example", ["U+FF0C, a comma"] = "a\239\188\140b",
      ["U+FF3F, an underscore"] = "\195\164\239\188\191b", ["a space"] = "\195\164 b", ["an @"] = "\195\164@b",
      ["CR LF"] = "\195\164\r\n", ["NUL"] = "\195\164\0b", ["an underscore"] = "\195\164_b.x",
      ["an empty label"] = "\195\164..b", ["an empty label at its end"] = "\195\164.",
      ["an empty label made by U+3002"] = "\227\128\130\195\164", ["only what is mapped to nothing"] = "\194\173",
      ["a hyphen at an edge"] = "-\195\164.x", ["an emoji"] = "\240\159\146\169.example",
      ["U+200D"] = "\195\164\226\128\141b",
      ["xn-- before another letter"] = "xn--\195\164.x", ["bad punycode"] = "\195\164.xn--a",
      ["both directions"] = "\215\144a\206\177.x", ["an overlong form"] = "\192\128.x",
      ["a surrogate"] = "\237\160\128.x",
      ["a character cut"] = "a\195",
   } do
      it("cannot hold " .. name, function()
         assert.same({ nil, "invalid" }, { core.idna(given) })
         local entry, err = parse({ address = "a@" .. given }, "to")
         assert.is_nil(entry)
         assert.equal("address", err.kind)
         entry = parse({ address = "\195\164@" .. given }, "to")
         assert.is_nil(entry)
      end)
   end

   it("has 63 octets a label and 255 in all, counted in ASCII", function()
      local function u(count) return "\195\188" .. ("a"):rep(count) end
      assert.equal(63, #core.idna(u(55)))
      assert.same({ nil, "too_long" }, { core.idna(u(56)) })
      assert.same({ nil, "too_long" }, { core.idna(("\195\188"):rep(100)) })
      local label = ("a"):rep(63) .. "."
      assert.is_string((core.idna(label .. label .. label .. u(40))))
      assert.is_nil((core.idna(label .. label .. label .. u(55) .. ".bcd")))
      assert.same({ nil, "too_long" }, { core.idna(("\195\188."):rep(200) .. "x") })
      assert.same({ nil, "too_long" }, { core.idna(("\195\188"):rep(5000)) })
      local _, err = parse("a@" .. ("\195\188"):rep(60) .. ".example", "to")
      assert.truthy(err.what:find("too long", 1, true))
   end)

   local function utf8_of(code)
      local low, middle = 128 + code % 64, math.floor(code / 64)
      if code < 0x800 then return string.char(192 + middle, low) end
      return string.char(224 + math.floor(middle / 64), 128 + middle % 64, low)
   end

   it("is a domain or is refused, whatever character it contains, and means itself", function()
      local accepted = 0
      for code = 0x80, 0xFFFF do
         local c = code >= 0xD800 and code <= 0xDFFF and "\237\160\128" or utf8_of(code)
         for _, domain in ipairs { "a" .. c .. "b.x", "\195\164" .. c .. ".x" } do
            local ascii, unicode = core.idna(domain)
            if ascii then
               accepted = accepted + 1
               assert(not ascii:find("[^%w.-]") and core.domain(ascii), ascii)
               assert(core.idna(unicode) == ascii, ascii)
               assert(core.address("\195\169@" .. unicode) == "\195\169@" .. unicode, ascii)
            end
         end
      end
      assert.is_true(accepted > 50000, accepted)
   end)

   it("is one in ASCII as well, which stays as it is", function()
      assert.same({ "A.Example", "A.Example" }, { core.idna("A.Example") })
      assert.same({ "[IPv6:::1]", "[IPv6:::1]" }, { core.idna("[IPv6:::1]") })
      assert.same({ nil, "invalid" }, { core.idna("a_b") })
      assert.same({ nil, "invalid" }, { core.idna("") })
   end)

   it("of a host is looked up and verified in ASCII, and said so in EHLO", function()
      local found = assert(request.connection { host = "M\195\188nchen.example", domain = "\195\164.example",
         tls_host = "stra\195\159e.example" })
      assert.same({ "xn--mnchen-3ya.example", "xn--4ca.example", "xn--strae-oqa.example" },
         { found.host, found.domain, found.tls_host })
      found = assert(request.connection { url = "smtp://m\195\188nchen.example:2525" })
      assert.same({ "xn--mnchen-3ya.example", 2525 }, { found.host, found.port })
      -- What is not outside ASCII is not touched.
      assert.equal("smtp_1", assert(request.connection({ host = "smtp_1" })).host)
      for _, name in ipairs { "host", "domain", "tls_host" } do
         local _, err = request.connection { [name] = "\195\164\239\188\160b" }
         assert.same({ "usage", name, "\195\164\239\188\160b" }, { err.kind, err.option, err.value })
      end
   end)

   it("is taken for loopback where its ASCII form is", function()
      assert.is_true(assert(request.connection({ host = "\239\188\145\239\188\146\239\188\151.0.0.1" })).loopback)
   end)
end)

describe("a host without libidn2", function()
   local shim = [[
      #define _GNU_SOURCE
      #include <dlfcn.h>
      #include <string.h>
      void *dlopen(const char *name, int flags)
      {
         void *(*next)(const char *, int) = (void *(*)(const char *, int))dlsym(RTLD_NEXT, "dlopen");
         return name != NULL && strstr(name, "libidn2") != NULL ? NULL : next(name, flags);
      }
   ]]

   -- Runs Lua in a process whose dlopen finds no libidn2. -> what it printed
   local function run(body)
      local base = os.tmpname()
      local function write(name, text)
         local file = assert(io.open(name, "w"))
         file:write(text)
         file:close()
      end
      write(base .. ".c", shim)
      write(base .. ".lua", body)
      local before = os.getenv("LD_PRELOAD") -- a sanitizer's own comes first
      before = before and before .. ":" or ""
      local pipe = io.popen(("env -u LD_PRELOAD gcc -shared -fPIC -o %s.so %s.c -ldl && "
         .. "LD_PRELOAD='%s%s.so' %s %s.lua 2>&1"):format(base, base, before, base, peer.interpreter,
         base))
      local text = pipe:read("*a")
      pipe:close()
      for _, ending in ipairs { "", ".c", ".so", ".lua" } do os.remove(base .. ending) end
      return text
   end

   it("says how to do without, and sends to all other addresses", function()
      assert.equal([[
nil	unavailable
address	to
true	true
xn--4ca.example
nil	usage	host
a@xn--4ca.example
pel]] .. "\195\169" .. [[@b.example	true
nil	extension_unsupported
]], run [[
         local core = require "smtp.core"
         local safe = require "smtp.safe"
         local address = require "smtp.options.address"
         local parse = require("smtp.errors").returning(address.parse)
         print(core.idna("\195\164.example"))
         local _, err = parse("a@\195\164.example", "to")
         print(err.kind, err.option)
         print(err.hint:find("libidn2-0", 1, true) ~= nil, err.hint:find("xn--", 1, true) ~= nil)
         print((core.idna("xn--4ca.example")))
         local connection
         connection, err = safe.connect { host = "\195\164.example" }
         print(connection, err.kind, err.option)
         print(parse("a@xn--4ca.example", "to").address)
         local entry = parse("pel\195\169@b.example", "to")
         print(entry.address, entry.utf8)
         local sink = safe.sink { capabilities = {} }
         local receipt
         receipt, err = safe.send { transport = sink:transport(), tls = "skip", from = "a@b.example",
            to = "pel\195\169@b.example", text = "x" }
         print(receipt, err.kind)
      ]])
   end)
end)
