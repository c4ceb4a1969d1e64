--- Values for options: right ones by the name of the option, and hostile ones of each type.
--
-- A text that would inject something names injected.example, or the header X-Injected, after a line end or another
-- byte that must not be there: neither may ever be on the wire.

local values = {}

values.EVIL = "evil@injected.example"

local breaks = { "\r\n", "\n", "\r", "\0", "\r\n.\r\n", "\n\n", "\r\n\r\n", "\194\133", "\11", "\127" }

local commands = { "RCPT TO:<" .. values.EVIL .. ">", "MAIL FROM:<" .. values.EVIL .. ">", "X-Injected: 1",
   "Bcc: " .. values.EVIL, "QUIT", ".", "DATA", "--injected.example--", " X-Injected: 1", "AUTH PLAIN AAA=",
   "Content-Type: text/html", "BDAT 0 LAST" }

local odd = { "", " ", "\t", "\0", "\r", "\n", "\r\n", "x\0y", "\255\254", "\192\128", "\237\160\128",
   "\244\144\128\128",
   "x\239\187\191y", "a\194\173b", "a\226\128\168b", "\226\128\174abc", "%s%n%d", "../../etc/passwd", "=?UTF-8?B?x?=",
      "=?utf-8?q?a?= <x",
   "nil", "true", "0x10", "1e309", "-1", "9999999999999999999", "\"", "\\", "<", ">", "<>", "@", "a@", "@b", "a@b", ";",
   ",", ":", "a b", "smtp://", "://", "[", "[::1]", "[IPv6:::1]", "xn--a", "\195\188", "\240\159\152\128", "{}", "." }

--- A hostile text. `about` is a right value of the option, if that is a text.
function values.text(r, about)
   local kind = r:int(7)
   local text = type(about) == "string" and r:once_in(2) and about or "x"
   if kind <= 2 then return text .. r:pick(breaks) .. r:pick(commands) end
   if kind == 3 then return text .. r:pick(breaks) .. r:pick(commands) .. r:pick(breaks) .. r:pick(commands) end
   if kind == 4 then return r:pick(odd) end
   if kind == 5 then return r:mutated(text, odd) end
   if kind == 6 then
      return (r:pick { "a", "\195\188", "x ", "a.", '"', "<", "\r\n", "(", "@" }):rep(r:pick { 70, 300, 1100, 70000 })
   end
   return r:bytes(r:int(20))
end

local function raises() error("raised by a caller's function") end

local function metatables(r)
   return r:pick { { __index = raises }, { __tostring = raises }, { __len = raises, __index = raises },
      { __pairs = raises },
      { __call = raises }, { __eq = raises, __lt = raises, __le = raises }, { __metatable = false, __index = raises },
      { __name = {} }, { __tostring = function() return 1 end }, { __concat = raises }, { __gc = false }, {} }
end

local function deep(levels)
   local t = {}
   for _ = 1, levels do t = { t, t, x = t } end
   return t
end

local function cyclic()
   local t = {}
   t[1], t.x, t.address, t.content = t, t, t, t
   return t
end

local function sparse()
   return { [1] = "a@x.example", [3] = "b@x.example" }
end

-- Each makes a value anew.
local makers = {
   function(r) return r:pick { true, false } end,
   function(r) return r:pick { 0, 1, -1, 0.5, 1 / 0, -1 / 0, 0 / 0, 2 ^ 31, 2 ^ 53, 2 ^ 63, 1e300, -0.0, 465 } end,
   function(r) return values.text(r) end,
   function(r) return setmetatable({}, metatables(r)) end,
   function(r) return setmetatable({ "a@x.example", address = "a@x.example" }, metatables(r)) end,
   function() return {} end, function() return { {} } end, sparse, cyclic, function() return deep(8) end,
   function(r) return { [values.text(r)] = values.text(r), values.text(r) } end,
   function(r) return { [r:pick { true, 1.5, 2 ^ 53, -1 }] = "x" } end,
   function() return raises end, function() return function() error() end end,
   function() return function() error(setmetatable({}, { __tostring = raises, __index = raises })) end end,
   function() return function() return coroutine.yield "a caller's yield" end end,
   function() return function() return nil, "no" end end,
   function(r)
      local value, left = values.text(r), 3000
      return function()
         left = left - 1
         return left > 0 and value or nil
      end
   end,
   function(r)
      local left, value = r:int(3), values.any(r, 3)
      return function()
         left = left - 1
         if left >= 0 then return value end
      end
   end,
   function() return tostring end, function() return coroutine.create(raises) end, function() return io.tmpfile() end,
   function()
      local file = io.tmpfile()
      file:close()
      return file
   end,
   function() return io.stdout end,
}

--- A hostile value of any type. `about` is a right one.
function values.any(r, depth, about)
   depth = depth or 0
   if depth > 2 or r:once_in(2) then return values.text(r, about) end
   return r:pick(makers)(r)
end

return values
