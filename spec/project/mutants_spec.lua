-- The changes that spec/mutants makes.
local changes = require "spec.mutants.changes"

local function sorted(list)
   table.sort(list)
   return list
end

local function shown(text, language)
   local list = {}
   for i, change in ipairs(changes.of(text, language)) do
      list[i] = changes.apply(text, change)
   end
   return sorted(list)
end

describe("a change of Lua", function()
   for text, wanted in pairs {
      ["x = a < b"] = { "x = a <= b" },
      ["x = a.b ~= nil and not c"] = { "x = a.b ~= nil and  c", "x = a.b ~= nil or not c", "x = a.b == nil and not c" },
      ["return -1, a - 1"] = { "return -1, a + 1", "return -1, a - 2", "return -2, a - 1" },
      ["x = 4096"] = { "x = 8192" },
      ["x = 'a < b' -- 1 < 2"] = {},
      ["x = [[1\n2]] --[[ 3\n4 ]] .. '\\'5'"] = {},
      ["x = a:find('b', 1, true)"] = { "x = a:find('b', 2, true)", "x = a:find('b', 1, false)" },
      ['x = a:find("b\\r", at, true)'] = {},
      ['x = a:find(".", at, true)'] = { 'x = a:find(".", at, false)' },
      ["x = a >= deadline"] = { "x = a < deadline" },
      ["x = a.due <= b"] = { "x = a.due > b" },
      ["\n   a.b:c(d)\n"] = { "\n   \n" },
      ["\n   a.b = c.d\n"] = { "\n   \n" },
      ["\n   local a = b\n"] = {},
      ["\n   if a and b then\n"] = { "\n   if a or b then\n", "\n   if not (a and b) then\n" },
      ["\n   if a == b then\n"] = { "\n   if a ~= b then\n" },
   } do
      it("is each of one place: " .. text, function() assert.same(sorted(wanted), shown(text, "lua")) end)
   end
end)

describe("a change of C", function()
   for text, wanted in pairs {
      ["return p->len >= 3u;"] = { "return p->len > 3u;", "return p->len >= 4u;" },
      ["return !a || b;"] = { "return !a && b;", "return a || b;" },
      ["#define A 1 \\\n 2\nint a = 3;"] = { "#define A 1 \\\n 2\nint a = 4;" },
      ["x = '<' /* 1 < 2 */; // 3\n"] = {},
      ["x = \"1\\\"2\" << n;"] = {},
      ["\n    s->state = STATE_END;\n"] = { "\n    ;\n" },
      ["\n    wipe(s, len);\n"] = { "\n    ;\n" },
      ["\n    int n = f();\n"] = {},
      ["\n    char out[A + 2];\n"] = { "\n    char out[A - 2];\n" },
      ["\n    const int out[1] = {2};\n"] = { "\n    const int out[2] = {2};\n", "\n    const int out[1] = {3};\n" },
      ["\n    out[1] = b;\n"] = { "\n    ;\n", "\n    out[2] = b;\n" },
      ["\n    if (f(a)) g();\n"] = { "\n    if (!(f(a))) g();\n" },
      ["\n    n++;\n"] = { "\n    n--;\n" },
   } do
      it("is each of one place: " .. text, function() assert.same(sorted(wanted), shown(text, "c")) end)
   end
end)

describe("the name of a change", function()
   it("does not depend on what else the file has", function()
      local function last(text)
         local list = changes.of(text, "lua")
         return list[#list]
      end
      local first, second = last "   x = a < b", last "y = 1\nz = 2\n      x = a < b"
      assert.equal("x = a < b @7 < -> <=", first.name)
      assert.equal(first.name, second.name)
      assert.same({ 1, 3 }, { first.line, second.line })
      assert.equal("x = a < b @7 < -> <= #2", last("x = a < b\nx = a < b").name)
      assert.equal("f(a, @1 f(a, b) -> nothing", last("\n   f(a,\n      b)\n").name)
   end)
end)
