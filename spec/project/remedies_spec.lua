-- Every error about the caller's options says what to do: each call of errors.refuse, and of errors.usage, gives a
-- hint, which is its third argument.

local function code_of(path)
   local lines = {}
   for line in io.lines(path) do
      local code = line:match("^(.-) %-%- ") or line
      local _, quotes = code:gsub('"', "")
      if quotes % 2 == 1 then code = line end -- the hyphens are in a string
      lines[#lines + 1] = line:find("^%s*%-%-") and "" or code
   end
   return table.concat(lines, "\n")
end

local pairs_of = { ["("] = 1, ["["] = 1, ["{"] = 1, [")"] = -1, ["]"] = -1, ["}"] = -1 }

-- The end of the string that begins at `at`.
local function string_end(code, at)
   local quote = code:sub(at, at)
   repeat
      at = at + 1
      assert(at <= #code, "a string has no end")
      while code:sub(at, at) == "\\" do at = at + 2 end
   until code:sub(at, at) == quote
   return at
end

-- The arguments of the call whose parenthesis opens before `at`.
local function arguments(code, at)
   local list, depth, from = {}, 0, at
   while at <= #code do
      local char = code:sub(at, at)
      if char == '"' or char == "'" then at = string_end(code, at) end
      depth = depth + (pairs_of[char] or 0)
      if depth < 0 or char == "," and depth == 0 then
         list[#list + 1] = code:sub(from, at - 1):match("^%s*(.-)%s*$")
         from = at + 1
      end
      if depth < 0 then return list end
      at = at + 1
   end
   error "a call has no end"
end

describe("an error about the caller's options", function()
   it("has a remedy", function()
      local files, wrong, count = io.popen("find lua -name '*.lua'"), {}, 0
      for path in files:lines() do
         local code = code_of(path)
         -- A function of the file's own that is called refuse passes its hint on.
         local own = code:find("\nlocal function refuse%(") ~= nil
         for name, at in code:gmatch("([%w_.]+)%(()") do
            local is_call = name == "errors.refuse" or name == "errors.usage" or name == "refuse" and not own
            if is_call and path ~= "lua/smtp/errors.lua" then
               local hint = arguments(code, at)[3]
               count = count + 1
               if not hint or hint == "nil" or hint:find("[^%w_]nil$") then
                  wrong[#wrong + 1] = path .. ": " .. table.concat(arguments(code, at), ", ")
               end
            end
         end
      end
      files:close()
      assert.equal("", table.concat(wrong, "\n"))
      assert.is_true(count > 120, count)
   end)
end)
