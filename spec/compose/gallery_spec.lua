-- A gallery of messages of every kind, read back by five parsers that know nothing of each other,
-- field by field, and shown by a browser in one picture: build/spec/gallery/gallery.png.
local command = require "spec.tools.command"
local expected = require "spec.compose.gallery.expected"
local smtp = require "smtp"

local FOLDER = "build/spec/gallery"

-- ---- the messages ----

local own = { name = true, structure = true, files = true, read = true }

-- A row of texts.lua or files.lua as a message: what both do not say is filled in.
local function read_row(row, number)
   local message = { name = row.name, structure = row.structure, files = row.files, read = row.read or {},
      file = ("%02d %s.eml"):format(number, row.name) }
   local options = { date = 1796040000 + number, message_id = ("<%d@gallery.example>"):format(number),
      from = { name = "Ann Lee", address = "ann@me.example" }, to = { name = "Bob", address = "bob@there.example" } }
   for key, value in pairs(row) do
      if not own[key] then options[key] = value end
   end
   options.to = options.to or nil
   message.options = options
   return message
end

local function prepare()
   assert.equal("", command.run(("rm -rf %s && mkdir -p %s"):format(FOLDER, FOLDER)))
   assert.equal("", command.run("python3 -B spec/compose/gallery/pictures.py " .. FOLDER))
   command.write(FOLDER .. "/notes.txt", "plain\n")
   command.write(FOLDER .. "/Größen.csv", "Größe;7\n")
end

local messages, headers, pages = {}, {}, {}

prepare()
for _, name in ipairs { "texts", "files" } do
   for _, row in ipairs(require("spec.compose.gallery." .. name)) do
      messages[#messages + 1] = read_row(row, #messages + 1)
   end
end
for _, message in ipairs(messages) do
   local ok, text = pcall(function() return tostring(smtp.message(message.options)) end)
   if ok then command.write(("%s/%s"):format(FOLDER, message.file), text) else message.trouble = tostring(text) end
   pages[#pages + 1] = message.options.html
   for name in pairs(message.read.headers or {}) do headers[#headers + 1] = name end
end

-- ---- the readers ----

-- A parser that reports no empty text part.
local function without_empty_text(wanted)
   if wanted["1.content"] == "" then wanted["1.content"], wanted["1.type"] = nil, nil end
end

local adapt = {}

-- It shows domains in Unicode.
function adapt.mailparser(wanted)
   without_empty_text(wanted)
   wanted.to = wanted.to:gsub("xn%-%-bcher%-kva", "bücher")
end

-- It reports the first author.
function adapt.postal_mime(wanted)
   without_empty_text(wanted)
   wanted.from = wanted.from:match "^[^;]*"
end

-- `lacks`: the fields that a reader does not report. `is_loose`: its texts have other line ends.
local readers = {
   { name = "Python's email", command = "python3 -B spec/compose/gallery/read.py", lacks = {} },
   { name = "MIME::Tools", command = "perl spec/compose/gallery/read.pl", lacks = {}, is_loose = true },
   { name = "mailparser", command = "node spec/compose/gallery/read.js mailparser", is_loose = true,
      lacks = { "structure", "charset", "plain name" }, adapt = adapt.mailparser },
   { name = "postal-mime", command = "node spec/compose/gallery/read.js postal-mime", is_loose = true,
      lacks = { "structure", "charset", "plain name" }, adapt = adapt.postal_mime },
   { name = "smtp.sink", command = require("spec.tools.peer").interpreter .. " spec/compose/gallery/read.lua",
      lacks = { "structure", "from", "sender", "reply-to", "to", "cc", "date", "plain name", "method" } },
}

-- -> file name to its fields; what the reader printed
local function read_all(reader)
   local printed = command.run(("timeout 120 %s %s %s"):format(reader.command, FOLDER, table.concat(headers, " ")))
   local found, fields = {}, nil
   for line in printed:gmatch "[^\n]+" do
      local file, key, value = line:match "^= (.+)$", line:match "^([^\t]+)\t(.*)$"
      if file then
         fields = {}
         found[file] = fields
      elseif key and fields then
         fields[key] = value:gsub("\\x(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)
      end
   end
   return found, printed
end

local function is_lacking(reader, key)
   for _, name in ipairs(reader.lacks) do
      if key == name or key:find("^%d+%." .. name .. "$") then return true end
   end
end

-- The content of a text, for a reader that is loose with its line ends; any other value as it is.
local function loose(fields, key)
   local value, number = fields[key], key:match "^(%d+)%.content$"
   local kind = number and fields[number .. ".type"] or ""
   if not value or not (kind:find "^text/" or kind:find "^message/") then return value end
   return (value:gsub("\r\n", "\n"):gsub("\n+$", ""))
end

-- All that differs, one line each.
local function differences(reader, wanted, got)
   local keys, lines = {}, {}
   if reader.adapt then reader.adapt(wanted) end
   for key in pairs(wanted) do keys[key] = true end
   for key in pairs(got) do keys[key] = keys[key] or not key:find "^header " or nil end
   for key in pairs(keys) do
      local a, b = wanted[key], got[key]
      if reader.is_loose then a, b = loose(wanted, key), loose(got, key) end
      if not is_lacking(reader, key) and (a or "") ~= (b or "") then
         lines[#lines + 1] = ("%s: %s, and not %s"):format(key, tostring(b):sub(1, 300), tostring(a):sub(1, 300))
      end
   end
   table.sort(lines)
   return table.concat(lines, "\n")
end

local parsers = command.run "spec/compose/gallery/parsers.sh"

local function draw()
   local page, picture = FOLDER .. "/gallery.html", FOLDER .. "/gallery.png"
   local printed = command.run(("node spec/compose/gallery/page.js %s >%s"):format(FOLDER, page))
   return printed .. command.run(("timeout 120 python3 -B spec/compose/gallery/picture.py %s %s"):format(page, picture))
end

describe("the gallery", function()
   it("has forty messages or more, all of which can be composed", function()
      assert.is_true(#messages >= 40)
      for _, message in ipairs(messages) do assert.is_nil(message.trouble, message.name) end
   end)

   it("has its parsers from npm", function() assert.equal("", parsers) end)

   for _, reader in ipairs(readers) do
      describe("read by " .. reader.name .. ":", function()
         local found, printed = read_all(reader)
         for _, message in ipairs(messages) do
            it(message.name, function()
               local got = assert(found[message.file], message.trouble or printed:sub(-500))
               assert.equal("", differences(reader, expected.of(message), got))
            end)
         end
      end)
   end

   it("is one picture in a browser, with all its pictures and without characters that are lost", function()
      local _, pictures = table.concat(pages, "\n"):gsub('src="cid:', "")
      assert.equal(("%d messages, %d pictures\n"):format(#messages, pictures), draw())
   end)
end)
