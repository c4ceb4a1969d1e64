--- Letters and order as protocols have them: of ASCII alone, whatever the locale of the process is.
-- string.lower, string.upper, classes such as %a and the comparison of strings follow the locale,
-- and under tr_TR "MIME" has no "i" that they would find.
-- @module smtp.ground.ascii

local ascii = {}

local lower_of, upper_of = {}, {}
for byte = 65, 90 do
   local upper, lower = string.char(byte), string.char(byte + 32)
   lower_of[upper], upper_of[lower] = lower, upper
end

--- By capital letter: the small one, for text:gsub("[A-Z]", ascii.lower_of).
ascii.lower_of = lower_of

--- "MIME" -> "mime"; bytes over 127 stay as they are.
function ascii.lower(text)
   return (text:gsub("[A-Z]", lower_of))
end

--- "mime" -> "MIME"; bytes over 127 stay as they are.
function ascii.upper(text)
   return (text:gsub("[a-z]", upper_of))
end

--- A text without the blanks around it, which may be many. A line break is not a blank.
function ascii.trim(text)
   local first, last = text:find("[^ \t]"), #text
   if not first then return "" end
   while text:find("^[ \t]", last) do last = last - 1 end
   return text:sub(first, last)
end

--- A text with each byte that matches a class, written in another form: "a,b" -> "a+2Cb".
---@param class string   "[^!-~]"
---@param form string    "+%02X"
function ascii.escape(text, class, form)
   return (text:gsub(class, function(c) return form:format(c:byte()) end))
end

--- tonumber, with the decimal point that Lua has, whatever the locale's is.
function ascii.number(value)
   if type(value) ~= "string" then return tonumber(value) end
   local point = ("%.1f"):format(0.5):sub(2, -2)
   if point == "." then return tonumber(value) end
   if value:find(point, 1, true) then return nil end
   return tonumber((value:gsub("%.", point)))
end

--- Does `a` come before `b`, byte by byte?
function ascii.before(a, b)
   for i = 1, math.min(#a, #b) do
      local left, right = a:byte(i), b:byte(i)
      if left ~= right then return left < right end
   end
   return #a < #b
end

return ascii
