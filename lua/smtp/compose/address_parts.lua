--- The parts of a text that contains addresses (RFC 5322 3.4): quoted strings, comments, what is
-- between < and >, blanks, words, and the separators , ; and :
-- @module smtp.compose.address_parts

-- By the first character of a part: the place of its last one; nil if it has no end. A backslash
-- belongs to the character after it.
local end_of = {}

end_of['"'] = function(text, from)
   local at = text:find('["\\]', from + 1)
   while at and text:sub(at, at) == "\\" do at = text:find('["\\]', at + 2) end
   return at
end

end_of["("] = function(text, from)
   local at, depth = from, 1
   repeat
      at = text:find("[()\\]", at + 1)
      local c = at and text:sub(at, at)
      if c == "\\" then at = at + 1 elseif c then depth = depth + (c == "(" and 1 or -1) end
   until not at or depth == 0
   return at
end

end_of["<"] = function(text, from)
   local at = text:find('[">]', from + 1)
   while at and text:sub(at, at) == '"' do
      at = end_of['"'](text, at)
      at = at and text:find('[">]', at + 1)
   end
   return at
end

local WORD = '^[^ \t"(<,;:]+'
local DOMAIN = '^@[^ \t"(<,;:]+'

-- A value without an end to what `c` begins has none later either: that c is a letter like others.
-- -> the place of the last character of the part at `at`: of a quoted string, perhaps with the
-- domain of an address; a comment; < … >; blanks; a word; or of one of , ; :
local function part_end(text, at, letters)
   local c = text:sub(at, at)
   if end_of[c] and not letters[c] then
      local stop = end_of[c](text, at)
      letters[c] = not stop
      if stop then return c == '"' and select(2, text:find(DOMAIN, stop + 1)) or stop, c end
   end
   local stop = select(2, text:find("^[ \t]+", at)) or select(2, text:find(WORD, at))
   return stop or at, not end_of[c] and c or nil
end

--- Call a function with each part of a text, from the first one to the last.
---@param text string
---@param take fun(part: string, c: string|nil, stop: integer)   the part; its first character
--   where it is one of " ( < , ; and : and begins such a part; the place of its last one
local function each(text, take)
   local at, letters = 1, {}
   while at <= #text do
      local stop, c = part_end(text, at, letters)
      take(text:sub(at, stop), c, stop)
      at = stop + 1
   end
end

return { each = each }
