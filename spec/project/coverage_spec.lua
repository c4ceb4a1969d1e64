-- Which lines spec/coverage counts.
local lines = require "spec.coverage.lines"

describe("the lines of Lua that can run", function()
   local text = table.concat({ "local function f(...)", "   if ... then", "      return 1", "   else",
      "      return { 2, -- two", "         g()", "      }", "   end", "end", "x = { 'a',",
      "   \"b -- c\", \"d\" }" }, "\n")
   local listing = [[

main <f.lua:0,0> (3 instructions at 0x1)
0+ params, 2 slots, 1 upvalue, 1 local, 0 constants, 1 function
	1	[1]	VARARGPREP	0
	2	[9]	CLOSURE  	0 0	; 0x2
	3	[10]	NEWTABLE 	0 0 3
	4	[11]	LOADK    	1 0	; "b -- c"
	5	[11]	RETURN   	1 1 1	; 0 out

function <f.lua:1,9> (9 instructions at 0x2)
0+ params, 2 slots, 1 upvalue, 0 locals, 1 constant, 0 functions
	1	[1]	VARARGPREP	0
	2	[2]	VARARG   	0 2
	3	[3]	LOADI    	0 1
	4	[4]	JMP      	8	; to 13
	5	[5]	NEWTABLE 	0 0 2
	6	[6]	CALL     	2 1 0	; 0 in all out
	7	[7]	SETLIST  	0 0 0
	8	[9]	RETURN   	0 1 1
]]

   it("are those with instructions, but ends", function()
      assert.same({ [2] = "   if ... then", [3] = "      return 1", [5] = "      return { 2, -- two",
         [6] = "         g()", [10] = "x = { 'a'," }, lines.of_lua(text, listing))
   end)
end)

describe("the lines of C", function()
   local files = {}
   lines.add_c(files, table.concat({ "        -:    0:Source:csrc/a.c", "        -:    1:/* a */",
      "        3:    2:    f();", "    #####:    3:    g();", "       1*:    4:    h();",
      "    =====:    5:    abort();",
      "        -:    0:Source:/usr/include/b.h", "    #####:    6:    i();" }, "\n"))
   lines.add_c(files, "        -:    0:Source:csrc/a.c\n    #####:    2:    f();\n")

   it("can run where gcov counts", function()
      assert.same({ [2] = "    f();", [3] = "    g();", [4] = "    h();", [5] = "    abort();" },
         files["csrc/a.c"].active)
   end)
   it("have run where one object has run them", function()
      assert.same({ [2] = true, [4] = true }, files["csrc/a.c"].ran)
   end)
   it("are those of the project", function() assert.is_nil(files["/usr/include/b.h"]) end)
end)

describe("the list", function()
   it("names a line by its text, once for each", function()
      local list = lines.listed "# why\na.c\treturn -1;\tno memory\na.c\treturn -1;\tno memory\n"
      assert.is_true(lines.take(list, "a.c", "    return -1;"))
      assert.is_false(lines.take(list, "b.c", "    return -1;"))
      assert.is_true(lines.take(list, "a.c", "\treturn -1;"))
      assert.is_false(lines.take(list, "a.c", "    return -1;"))
   end)
   it("may name a file or a folder", function()
      local list = lines.listed "lua/a/\t*\tfor others\nlua/b.lua\t*\tfor others\n"
      for _, path in ipairs { "lua/a/c.lua", "lua/a/d/e.lua", "lua/b.lua" } do
         assert.is_true(lines.take(list, path, "x()"))
      end
      for _, path in ipairs { "lua/b.lua.c", "lua/a.lua" } do assert.is_false(lines.take(list, path, "x()")) end
   end)
   it("has a reason in each line", function()
      assert.has_error(function() lines.listed "a.c\treturn -1;\n" end,
         "spec/coverage/missed: expected a path, a text and a reason with tabs between them: a.c\treturn -1;")
   end)
end)
