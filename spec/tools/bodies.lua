--- Bodies to encode: a few by chance, and all that matters where a line may have to break.

local core = require "smtp.core"

local bodies = { kinds = { "7bit", "quoted-printable", "base64", "text as base64" } }

--- The body as core.encoder writes it.
function bodies.encode(kind, text)
   local encoder = core.encoder(kind)
   return encoder:feed(text) .. encoder:finish()
end

-- A generator that gives the same under every Lua.
local state = 1

--- A number from 1 to n.
function bodies.random(n)
   state = (state * 1103515245 + 12345) % 2147483648
   return math.floor(state / 65536) % n + 1
end

local random = bodies.random

local letters = { "a", "b", " ", "\t", "\r", "\n", "\r\n", ".", "=", "From ", "\nFrom ", "\n.", " \n", "F",
   "\195\164", "\226\130\172", "\240\159\152\128", "\0", "\127", "\255", ("x"):rep(60), ("y z "):rep(16) }

local function text(max)
   local list = {}
   for i = 1, random(max) do list[i] = letters[random(#letters)] end
   return table.concat(list)
end

--- A few bodies by chance, others each time; and all that matters at each column where a line may have to break.
function bodies.inputs()
   local list = { "", " ", "\r", "F", "From", "From ", ".", "=" }
   while #list < 300 do list[#list + 1] = text(12) end
   local ends = { "\195\164\195\164", "\226\130\172", "\240\159\152\128z", ".", "From x", "  \nz", "\t", "=", "yz",
      "yz\n", "\255\255\255\255" }
   for column = 60, 77 do
      for _, last in ipairs(ends) do list[#list + 1] = ("x"):rep(column) .. last end
   end
   return list
end

--- The same with CRLF for every line end.
function bodies.crlf(bytes)
   return (bytes:gsub("\r\n", "\n"):gsub("\r", "\n"):gsub("\n", "\r\n"))
end

local function from_hex(digits)
   return string.char(tonumber(digits, 16))
end

--- What quoted-printable stands for (RFC 2045 6.7).
function bodies.unquote(body)
   return (body:gsub("=\r\n", ""):gsub("=(%x%x)", from_hex))
end

--- The lines of a body; the last one is empty where the body ends with a line end.
function bodies.lines(body)
   local list = {}
   for line in (body .. "\r\n"):gmatch("(.-)\r\n") do list[#list + 1] = line end
   return list
end

return bodies
