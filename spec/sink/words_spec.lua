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
