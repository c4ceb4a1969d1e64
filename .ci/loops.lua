-- Finds what Lua 5.5 refuses: an assignment to the control variable of a `for` loop (its first
-- name), which is constant there, and the name `global`, which may be a reserved word.
--
--    lua .ci/loops.lua FILE…      prints file:line: what; ends with 1 where there is something

local keywords = {}
for word in ([[and break do else elseif end false for function goto if in local nil not or repeat
   return then true until while]]):gmatch("%a+") do
   keywords[word] = true
end

-- ---- tokens: { kind = "name", "keyword", "value" or the operator itself, text =, line = } ----

local function long_bracket(text, at)
   local level = text:match("^%[(=*)%[", at)
   if not level then return nil end
   local _, stop = text:find("]" .. level .. "]", at, true)
   return stop or #text
end

local function short_string(text, at)
   local quote, i = text:sub(at, at), at + 1
   while i <= #text and text:sub(i, i) ~= quote do
      i = i + (text:sub(i, i) == "\\" and 2 or 1)
   end
   return i
end

-- What starts at `at`: its kind (nil: a blank or a comment), and where it stops.
local function next_token(text, at)
   local stop = select(2, text:find("^%s+", at))
   if stop then return nil, stop end
   if text:find("^%-%-", at) then
      return nil, long_bracket(text, at + 2) or (text:find("\n", at, true) or #text + 1) - 1
   end
   stop = select(2, text:find("^[%a_][%w_]*", at))
   if stop then return keywords[text:sub(at, stop)] and "keyword" or "name", stop end
   stop = select(2, text:find("^%.?%d[%w.]*", at)) or long_bracket(text, at)
   if stop then return "value", stop end
   if text:find("^[\"']", at) then return "value", short_string(text, at) end
   for _, operator in ipairs { "^%.%.%.", "^%.%.", "^[=~<>]=", "^::", "^." } do
      stop = select(2, text:find(operator, at))
      if stop then return text:sub(at, stop), stop end
   end
end

local function tokens_of(text)
   local list, line, at = {}, 1, (text:find("^#") and text:find("\n", 1, true)) or 1
   while at <= #text do
      local kind, stop = next_token(text, at)
      local piece = text:sub(at, stop)
      if kind then list[#list + 1] = { kind = kind, text = piece, line = line } end
      line = line + select(2, piece:gsub("\n", ""))
      at = stop + 1
   end
   list[0] = { kind = "keyword", text = "do", line = 1 }
   return list
end

-- ---- blocks: { kind = "function", "block" or "header" (of for, while), names = { x = "loop" or
-- "local" }, open = brackets within it } ----

local closing = { [")"] = "(", ["]"] = "[", ["}"] = "{" }

local Reader = {}
Reader.__index = Reader

function Reader:push(kind, names)
   self.blocks[#self.blocks + 1] = { kind = kind, names = names or {}, open = {} }
end

function Reader:top()
   return self.blocks[#self.blocks]
end

function Reader:pop()
   if #self.blocks > 1 then self.blocks[#self.blocks] = nil end
end

function Reader:is_loop_variable(name)
   for i = #self.blocks, 1, -1 do
      local what = self.blocks[i].names[name]
      if what then return what == "loop" end
   end
   return false
end

function Reader:complain(token, what)
   self.found[#self.found + 1] = ("%s:%d: %s"):format(self.name, token.line, what)
end

function Reader:assign(token)
   if self:is_loop_variable(token.text) then
      self:complain(token, ("assigns to the loop variable %s"):format(token.text))
   end
end

-- Names with commas between them from `i` on. -> the names, where they end
function Reader:read_names(i, what)
   local names, tokens = {}, self.tokens
   while tokens[i] and tokens[i].kind == "name" do
      names[tokens[i].text] = what
      i = i + 1
      if tokens[i] and tokens[i].text == "<" then i = i + 3 end -- an attribute of Lua 5.4
      if not tokens[i] or tokens[i].text ~= "," then break end
      i = i + 1
   end
   return names, i - 1
end

-- Back over an expression that can be assigned to, which ends at `i`. -> what is before it
function Reader:back_over(i)
   local tokens = self.tokens
   while i > 0 do
      local opening, depth = closing[tokens[i].text], 0
      if opening then
         repeat
            if closing[tokens[i].text] then depth = depth + 1 end
            if tokens[i].text:find("^[%(%[{]$") then depth = depth - 1 end
            i = i - 1
         until depth == 0 or i == 0
      elseif tokens[i].kind == "name" then
         local before = tokens[i - 1].text
         if before ~= "." and before ~= ":" then return i - 1 end
         i = i - 2
      else
         return i
      end
   end
   return i
end

-- The targets before the = at `i`.
function Reader:read_targets(i)
   local tokens, targets = self.tokens, {}
   repeat
      local last = tokens[i - 1]
      local before = tokens[i - 2] and tokens[i - 2].text
      if last.kind == "name" and before ~= "." and before ~= ":" then
         targets[#targets + 1] = last
      end
      i = self:back_over(i - 1)
   until tokens[i].text ~= ","
   if tokens[i].text == "local" then return end
   for k = 1, #targets do self:assign(targets[k]) end
end

local on = {}

on["for"] = function(self, i)
   local names, last = self:read_names(i + 1, "local")
   names[self.tokens[i + 1].text] = "loop" -- the first one controls it
   self:push("header", names)
   return last
end

on["while"] = function(self) self:push("header") end
on["repeat"] = function(self) self:push("block") end
on["if"] = on["repeat"]
on["end"] = function(self) self:pop() end
on["until"] = on["end"]
on["else"] = function(self) self:top().names = {} end
on["elseif"] = on["else"]

on["do"] = function(self)
   local top = self:top()
   if top.kind ~= "header" then return self:push("block") end
   top.kind = "block"
end

on["local"] = function(self, i)
   if self.tokens[i + 1].text == "function" then return end
   local names, last = self:read_names(i + 1, "local")
   for name in pairs(names) do self:top().names[name] = "local" end
   return last
end

on["function"] = function(self, i)
   local tokens = self.tokens
   if tokens[i - 1].text == "local" then
      self:top().names[tokens[i + 1].text] = "local"
   elseif tokens[i + 1].kind == "name" and tokens[i + 2].text == "(" then
      self:assign(tokens[i + 1])
   end
   repeat i = i + 1 until tokens[i].text == "("
   local names, last = self:read_names(i + 1, "local")
   while tokens[last].text ~= ")" do last = last + 1 end
   self:push("function", names)
   return last
end

function Reader:read()
   local i = 1
   while self.tokens[i] do
      local token = self.tokens[i]
      local open, text = self:top().open, token.text
      if token.kind == "keyword" and on[text] then
         i = on[text](self, i) or i
      elseif text:find("^[%(%[{]$") then
         open[#open + 1] = text
      elseif closing[text] then
         open[#open] = nil
      elseif token.kind == "=" and #open == 0 and self:top().kind ~= "header" then
         self:read_targets(i)
      end
      i = i + 1
   end
end

local function check(name, text)
   local reader = setmetatable({ name = name, tokens = tokens_of(text), blocks = {}, found = {} },
      Reader)
   reader:push("function")
   reader:read()
   for _, token in ipairs(reader.tokens) do
      if token.text == "global" then reader:complain(token, "uses the name global") end
   end
   return reader.found
end

local failed = false
for i = 1, #arg do
   local file = assert(io.open(arg[i], "rb"))
   for _, line in ipairs(check(arg[i], file:read("*a"))) do
      failed = true
      print(line)
   end
   file:close()
end
os.exit(failed and 1 or 0)
