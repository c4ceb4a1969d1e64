--- Small faults that a text of Lua or C can have: one comparison, limit, condition or statement is changed.
-- Each is { at =, stop =, to =, line =, name = }: the octets at..stop become `to`. The name is the same as long as its
-- line is, wherever that is in the file; where a file has the same line twice, the second has "#2".

local changes = {}

local swapped = { ["<"] = "<=", ["<="] = "<", [">"] = ">=", [">="] = ">", ["=="] = "~=", ["~="] = "==", ["!="] = "==",
   ["and"] = "or", ["or"] = "and", ["&&"] = "||", ["||"] = "&&", ["true"] = "false", ["false"] = "true",
   ["+"] = "-", ["-"] = "+", ["++"] = "--", ["--"] = "++", ["+="] = "-=", ["-="] = "+=", ["|="] = "&=", ["&="] = "|=" }
local removed = { ["not"] = true, ["!"] = true }

local operators = {
   lua = { "^%.%.%.", "^%.%.", "^[=~<>]=", "^::", "^." },
   c = { "^<<=", "^>>=", "^%->", "^<<", "^>>", "^&&", "^||", "^%+%+", "^%-%-", "^[=!<>+%-|&*/%^%%]=", "^." },
}

-- Where the comment or the string ends that begins at `at`; nil: none does.
local function end_of_text(text, at, language)
   local opening = text:sub(at, at + 1)
   if language == "c" and (opening == "/*" or opening == "//") then
      local _, stop = text:find(opening == "/*" and "*/" or "\n", at + 2, true)
      return stop or #text
   end
   if language == "lua" then
      local level = text:match("^%-%-%[(=*)%[", at) or text:match("^%[(=*)%[", at)
      if level then return select(2, text:find("]" .. level .. "]", at, true)) end
      if opening == "--" then return text:find("\n", at, true) or #text end
   end
   local quote = text:match("^[\"']", at)
   if not quote then return nil end
   local i = at + 1
   while text:sub(i, i) ~= quote do
      i = i + (text:sub(i, i) == "\\" and 2 or 1)
   end
   return i
end

-- A directive of C's preprocessor, with the lines that continue it.
local function end_of_directive(text, at)
   local stop = text:find("\n", at, true) or #text
   while text:sub(stop - 1, stop - 1) == "\\" do
      stop = text:find("\n", stop + 1, true) or #text
   end
   return stop
end

local function end_of_word(text, at, language)
   local stop = select(2, text:find("^[%a_][%w_]*", at)) or select(2, text:find("^%.?%d[%w.]*", at))
   if stop then return stop end
   for _, operator in ipairs(operators[language]) do
      stop = select(2, text:find(operator, at))
      if stop then return stop end
   end
end

-- Without blanks, comments, strings (those count as "" ) and directives.
local function tokens_of(text, language)
   local list, at, is_line_start = {}, 1, true
   while at <= #text do
      local blank = select(2, text:find("^%s+", at))
      local stop = blank or language == "c" and is_line_start and text:find("^#", at) and end_of_directive(text, at)
         or text:find("^#!", at) == 1 and text:find("\n", 1, true) or nil
      if not stop then
         stop = end_of_text(text, at, language)
         local is_comment = stop and (text:find("^%-%-", at) or text:find("^/[/*]", at))
         if stop and not is_comment then list[#list + 1] = { at = at, stop = stop, text = '""' } end
      end
      if not stop then
         stop = end_of_word(text, at, language)
         list[#list + 1] = { at = at, stop = stop, text = text:sub(at, stop) }
      end
      is_line_start = text:sub(at, stop):find("\n%s*$") ~= nil
      at = stop + 1
   end
   return list
end

-- Is there a value on the left, so that the operator has two sides?
local function ends_value(token)
   return token ~= nil and (token.text:find("^[%w_\"%)%]]") ~= nil)
      and not ({ ["return"] = true, ["and"] = true, ["or"] = true, ["not"] = true, ["case"] = true })[token.text]
end

-- A count that is off by one, or a limit that is twice as high.
local function other_number(text)
   local digits, suffix = text:match("^(%d+)([uUlL]*)$")
   local number = tonumber(digits)
   return number and ("%.0f%s"):format(number > 100 and 2 * number or number + 1, suffix)
end

-- Two moments are never the same: such a comparison is turned round.
local turned = { ["<"] = ">", ["<="] = ">", [">"] = "<", [">="] = "<" }
local moments = { now = true, moment = true, due = true, deadline = true, deadline_ms = true, ends = true }

local function change_of(token, before, after, language)
   local text = token.text
   if removed[text] then return "" end
   if turned[text] and (moments[before and before.text] or moments[after and after.text]) then return turned[text] end
   if text:find("^[+-]$") and not ends_value(before) then return nil end
   if text == "==" and language == "c" then return "!=" end
   if language == "lua" and (text == "++" or text == "--") then return nil end
   return swapped[text] or other_number(text)
end

-- Changes that are not faults, whatever the code is: `true` for a plain search where the text has no magic characters,
-- and one octet more in an array of C.
local function is_harmless(tokens, i, text, language)
   local token = tokens[i]
   if language == "lua" and token.text == "true" then
      local words = text:sub(1, token.at - 1):match("find%(?[^\n]-(\"[^\"\n]*\"), [^\n]-, $")
      return words ~= nil and not words:gsub("\\[rnt0]", ""):find("[%^%$%(%)%%%.%[%]%*%+%-%?]")
   end
   if language == "c" and token.text:find "^%d" then
      local first = text:sub(1, token.at - 1):match "([^\n]*)$"
      return first:find "^%s*[%a_][%w_ ]* [%w_]+%[[^%]=]*$" ~= nil and text:find("^[^\n]-%];", token.stop + 1) ~= nil
   end
   return false
end

-- ---- whole lines ----

local function is_balanced(line)
   local depth = 0
   for bracket in line:gsub("\\.", ""):gsub("\"[^\"]*\"", ""):gmatch("[()%[%]{}]") do
      depth = depth + (bracket:find("[(%[{]") and 1 or -1)
      if depth < 0 then return false end
   end
   return depth == 0
end

-- A statement that is one line, which can be left out: a call, or an assignment that declares nothing.
local statements = {
   lua = { "^([ \t]+)([%a_][%w_.:]*%b())[ \t]*\n", "^([ \t]+)([%a_][%w_.%[%]]*%s=%s[^\n]*)\n" },
   c = { "^([ \t]+)([%a_][%w_]*%b();)\n", "^([ \t]+)([%a_*][%w_.>%-%[%]]*%s[+|&-]?=%s[^\n]*;)\n" },
}
local conditions = { lua = "^([ \t]*if%s)([^\n]-)%sthen", c = "^([ \t]*if%s)(%b())" }

local function add_whole_lines(list, text, language, add)
   local at = 1
   while at <= #text do
      for _, pattern in ipairs(statements[language]) do
         local indent, statement = text:match(pattern, at)
         if statement and is_balanced(statement) then
            add(list, at + #indent, at + #indent + #statement - 1, language == "c" and ";" or "")
         end
      end
      local before, condition = text:match(conditions[language], at)
      local is_one_comparison = condition and condition:find "[=~!]=" and not condition:find "[&|]" and
         not condition:find "%f[%w]and%f[%W]" and not condition:find "%f[%w]or%f[%W]"
      if condition and not is_one_comparison then -- to change its operator is the same
         add(list, at + #before, at + #before + #condition - 1,
            language == "c" and "(!" .. condition .. ")" or "not (" .. condition .. ")")
      end
      at = (text:find("\n", at, true) or #text) + 1
   end
end

-- ---- all of them ----

local function line_of(text, at)
   local first = at
   while first > 1 and text:sub(first - 1, first - 1) ~= "\n" do first = first - 1 end
   return text:sub(first, (text:find("\n", at, true) or #text + 1) - 1), at - first + 1
end

--- All changes of a text, in order.
---@param text string
---@param language "lua"|"c"
function changes.of(text, language)
   local list, line, counted = {}, 1, 1
   local function add(_, at, stop, to)
      list[#list + 1] = { at = at, stop = stop, to = to }
   end
   local tokens = tokens_of(text, language)
   for i, token in ipairs(tokens) do
      local to = change_of(token, tokens[i - 1], tokens[i + 1], language)
      if to and not is_harmless(tokens, i, text, language) then add(list, token.at, token.stop, to) end
   end
   add_whole_lines(list, text, language, add)
   table.sort(list, function(a, b) return a.at < b.at or a.at == b.at and a.stop < b.stop end)
   local times = {}
   for _, change in ipairs(list) do
      local words, column = line_of(text, change.at)
      line = line + select(2, text:sub(counted, change.at - 1):gsub("\n", ""))
      counted = change.at
      change.line = line
      change.name = ("%s @%d %s -> %s"):format(words:match("^%s*(.-)%s*$"), column - #words:match("^%s*"),
         text:sub(change.at, change.stop), change.to == "" and "nothing" or change.to):gsub("%s*\n%s*", " ")
      local count = (times[change.name] or 0) + 1
      times[change.name] = count
      if count > 1 then change.name = ("%s #%d"):format(change.name, count) end
   end
   return list
end

--- The text with one change.
function changes.apply(text, change)
   return text:sub(1, change.at - 1) .. change.to .. text:sub(change.stop + 1)
end

return changes
