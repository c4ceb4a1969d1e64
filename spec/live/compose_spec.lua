-- Composed messages, read back by Python's email package: what it finds is what was put in.
local smtp = require "smtp"

-- A generator of our own, so that a seed gives the same messages everywhere.
local seed = tonumber(os.getenv "SEED") or 20260101
local function random(max)
   seed = (seed * 1103515245 + 12345) % 2147483648
   return math.floor(seed / 65536) % max + 1
end

local function pick(list)
   return list[random(#list)]
end

local function utf8_of(point)
   if point < 0x80 then return string.char(point) end
   if point < 0x800 then return string.char(0xC0 + math.floor(point / 64), 0x80 + point % 64) end
   if point < 0x10000 then
      return string.char(0xE0 + math.floor(point / 4096), 0x80 + math.floor(point / 64) % 64, 0x80 + point % 64)
   end
   return string.char(0xF0 + math.floor(point / 262144), 0x80 + math.floor(point / 4096) % 64,
      0x80 + math.floor(point / 64) % 64, 0x80 + point % 64)
end

-- Of every plane; no surrogates, no control characters.
local function any_char()
   local kind = random(8)
   if kind <= 3 then return string.char(31 + random(95)) end
   if kind == 4 then return utf8_of(0xA0 + random(0x500)) end
   if kind == 5 then return utf8_of(0x3040 + random(0x3000)) end
   if kind == 6 then return utf8_of(0xE000 + random(0x1FFD)) end
   if kind == 7 then return utf8_of(0x10000 * random(16) + random(32767)) end
   return pick { " ", "=", "?", "_", '"', "\\", "(", ")", "<", ">", "@", ",", ";", ":", ".", "=?", "?=" }
end

local function chars(max, make)
   local list = {}
   for i = 1, random(max) - 1 do list[i] = (make or any_char)() end
   return table.concat(list)
end

local function words()
   return pick { chars(40), chars(8) .. " " .. chars(8), ("x"):rep(random(200)), chars(300),
      "=?UTF-8?Q?not_encoded?=", "plain words that are many and fold at a space somewhere, I hope, in the middle of it",
      ("\228\184\173"):rep(random(60)), "a  b", "trailing ", " leading", "" }
end

-- Names as hostile as they come.
local function file_name()
   return pick { "report.pdf", "a b.txt", "na\195\175ve.pdf", "semi;colon.txt", 'quo"te.txt', "back\\slash",
      "../../etc/passwd", "percent%20.txt", "it's.txt", ("long"):rep(40) .. ".txt",
      ("\228\184\173"):rep(50) .. ".zip", "=?UTF-8?Q?x?=.txt", "*.*", "a=b.txt", ".hidden", "sp  ace", " x ",
      "new\194\160space.txt", "emoji\240\159\146\169.png" }
end

local function lines()
   local list = {}
   for i = 1, random(12) - 1 do
      list[i] = pick { "", ".", "..", ".x", "From here", "--", "-- ", "--=_1_x", chars(30), chars(200),
         ("y"):rep(random(1200)), "trailing blank ", "tab\t", "\11\12\27 control", ("."):rep(100) }
         .. pick { "\n", "\r\n", "\r", "\n\n" }
   end
   return table.concat(list) .. pick { "", "no end of line", ".", "\n" }
end

local function octets()
   return pick { "", "\0", ("\0\255\r\n"):rep(random(40)), chars(500), ("z"):rep(random(200)), "\r\n.\r\n",
      ("q"):rep(57), ("q"):rep(58), ("q"):rep(114) }
end

local function addresses(count)
   local list = {}
   for i = 1, count do
      local name = words()
      list[i] = { name = name ~= "" and name or nil, address = ("u%d@x%d.example"):format(random(999), random(9)) }
   end
   return list
end

local function generate(i)
   local t = { from = addresses(1), to = addresses(random(4)), subject = words(), date = 1700000000 + i,
      message_id = ("<%d.seed@me.example>"):format(i), headers = { { "X-Words", words() },
         { "X-A-Header-Whose-Name-Is-Rather-Long-And-Fills-Most-Of-The-Line-By-Itself", words() } } }
   local shape = random(6)
   if shape ~= 2 then t.text = lines() end
   if shape == 2 or shape == 3 or shape == 5 then t.html = "<p>" .. lines() end
   if shape >= 4 then
      t.attachments = {}
      for k = 1, random(3) do
         t.attachments[k] = { content = octets(), filename = file_name(), content_type = "application/x-test" }
         if random(4) == 1 then t.attachments[k].cid = "id" .. k end
      end
   end
   return t
end

local function write(name, text)
   local file = assert(io.open(name, "wb"))
   file:write(text)
   file:close()
end

-- Length, colon, value: a list that needs no escaping.
local function coded(list)
   for i = 1, #list do list[i] = ("%d:%s"):format(#list[i], list[i]) end
   return table.concat(list)
end

-- What a reader must find, in the order in which reader.py asks for it.
local function expected(t)
   local list = { t.subject, t.headers[1][2], t.headers[2][2], tostring(#t.to) }
   for _, one in ipairs { t.from[1], (table.unpack or unpack)(t.to) } do -- luacheck: ignore
      list[#list + 1] = one.name or ""
      list[#list + 1] = one.address
   end
   for _, name in ipairs { "text", "html" } do
      list[#list + 1] = t[name] and "1" or "0"
      list[#list + 1] = t[name] or ""
   end
   list[#list + 1] = tostring(#(t.attachments or {}))
   for _, one in ipairs(t.attachments or {}) do
      list[#list + 1] = one.filename
      list[#list + 1] = one.content
      list[#list + 1] = one.cid or ""
   end
   return coded(list)
end

describe("composed messages", function()
   it("parse back by Python's email package to what was put in", function()
      local count = tonumber(os.getenv "MESSAGES") or 2000
      local folder = "build/spec/compose"
      os.execute("rm -rf " .. folder .. " && mkdir -p " .. folder)
      for i = 1, count do
         local t = generate(i)
         local message = smtp.message(t)
         local text = tostring(message)
         assert.equal(message.size, #text + (text:sub(-2) == "\r\n" and 0 or 2))
         write(("%s/%d.eml"):format(folder, i), text)
         write(("%s/%d.txt"):format(folder, i), expected(t))
      end
      local pipe = io.popen(("python3 -B spec/live/reader.py %s %d 2>&1"):format(folder, count))
      local said = pipe:read("*a")
      pipe:close()
      assert.equal(("%d messages read\n"):format(count), said)
   end)
end)
