local words = require "smtp.sink.words"

describe("text in a received message", function()
   it("is read in the character set that it names", function()
      for _, row in ipairs {
         { "é", "UTF-8", "\195\169" }, { "é€", "ISO-8859-1", "\233\128" }, { "é€", "windows-1252", "\233\128" },
         { "€", "iso-8859-15", "\164" }, { "é", nil, "\195\169" }, { "é", nil, "\233" }, { "é", "us-ascii", "\233" },
         { "é", "utf-8", "\233" } } do
         assert.equal(row[1], words.utf8(row[3], row[2]))
      end
      assert.is_nil(words.utf8("x", "koi8-r"))
   end)

   it("has the characters of Unicode's tables", function()
      -- By byte; all others are themselves.
      local windows = { [128] = 0x20AC, [130] = 0x201A, [131] = 0x192, [132] = 0x201E, [133] = 0x2026, [134] = 0x2020,
         [135] = 0x2021, [136] = 0x2C6, [137] = 0x2030, [138] = 0x160, [139] = 0x2039, [140] = 0x152, [142] = 0x17D,
         [145] = 0x2018, [146] = 0x2019, [147] = 0x201C, [148] = 0x201D, [149] = 0x2022, [150] = 0x2013,
         [151] = 0x2014, [152] = 0x2DC, [153] = 0x2122, [154] = 0x161, [155] = 0x203A, [156] = 0x153, [158] = 0x17E,
         [159] = 0x178 }
      local latin_9 = { [164] = 0x20AC, [166] = 0x160, [168] = 0x161, [180] = 0x17D, [184] = 0x17E, [188] = 0x152,
         [189] = 0x153, [190] = 0x178 }
      local function utf8(number)
         local last = string.char(128 + number % 64)
         if number < 2048 then return string.char(192 + math.floor(number / 64)) .. last end
         return string.char(224 + math.floor(number / 4096), 128 + math.floor(number / 64) % 64) .. last
      end
      for charset, special in pairs { ["windows-1252"] = windows, ["cp1252"] = windows, latin1 = windows,
         ["iso-8859-1"] = windows, ["iso-8859-15"] = latin_9 } do
         for byte = 128, 255 do
            assert.equal(utf8(special[byte] or byte), words.utf8(string.char(byte), charset), charset .. byte)
         end
      end
   end)

   it("in base64 may be damaged", function()
      for text, expected in pairs { ["aGVsbG8="] = "hello", ["aGVs\r\nbG8"] = "hello", ["aGVs*bG8h"] = "hello!",
         ["aGVsb"] = "hel", ["QQ==QQ=="] = "A", [""] = "", ["===="] = "", ["QR"] = "A" } do
         assert.equal(expected, words.base64(text))
      end
   end)
end)

describe("a header of a received message", function()
   it("may have encoded words", function()
      for text, expected in pairs {
         ["Hi"] = "Hi", [""] = "", ["Größe"] = "Größe", ["Gr\246\223e"] = "Größe",
         ["=?utf-8?q?Gr=C3=B6=C3=9Fe_7?="] = "Größe 7", ["=?UTF-8?B?R3LDtsOfZQ==?="] = "Größe",
         ["=?iso-8859-1*de?Q?Gr=F6=DFe?="] = "Größe",
         ["a =?utf-8?q?b?= c"] = "a b c",
         ["=?utf-8?q?a?= \t =?utf-8?q?b?="] = "ab", ["=?utf-8?q?a?= x =?utf-8?q?b?="] = "a x b",
         ["=?utf-8?q?=C3?= =?utf-8?q?=B6?="] = "ö", ["=?utf-8?b?w7Y=?= =?iso-8859-1?q?=F6?="] = "öö",
         ['"=?utf-8?q?J=C3=B6?=" <a@b>'] = '"Jö" <a@b>', ["(=?utf-8?q?a?=)"] = "(a)" } do
         assert.equal(expected, words.decode(text))
      end
   end)

   it("keeps what is not an encoded word, or in a character set that cannot be read", function()
      for _, text in ipairs { "=?koi8-r?B?5Q==?=", "a =?koi8-r?B?5Q==?= =?koi8-r?B?5Q==?= b", "=?utf-8?x?a?=",
         "=?utf-8?q?a", "=??q?a?=", "=?=?=?=", "? = ?" } do
         assert.equal(text, words.decode(text))
      end
      assert.equal("=?x?q?a?= b", words.decode "=?x?q?a?= =?utf-8?q?b?=")
   end)
end)
