local parameters = require "smtp.sink.parameters"

describe("Content-Type and Content-Disposition", function()
   it("are a word and parameters", function()
      for text, expected in pairs {
         ["TEXT/Plain"] = { "text/plain" }, [""] = { "" }, [";"] = { "" }, ["text/plain;"] = { "text/plain" },
         ["text/plain; Charset=UTF-8"] = { "text/plain", charset = "UTF-8" },
         ['a/b; x="q; \\"z\\\\" ; y = 2;z'] = { "a/b", x = 'q; "z\\', y = "2" },
         ["(c(d\\)) a) text/plain (b) ; (c) charset (d) = (e) utf-8 (f)"] = { "text/plain", charset = "utf-8" },
         ["a/b; x=1; X=2"] = { "a/b", x = "1" }, ["a/b; x"] = { "a/b" },
         ['a/b; x="unclosed'] = { "a/b", x = "unclosed" },
         ["attachment; filename=my file (1).pdf"] = { "attachment", filename = "my file (1).pdf" },
         ["a/b (unclosed; x=1"] = { "a/b" } } do
         local word, values = parameters.read(text)
         assert.same({ text, expected[1] }, { text, word })
         expected[1] = nil
         assert.same(expected, values)
      end
   end)

   it("have names in every form", function()
      for text, expected in pairs {
         ["filename*=UTF-8''%E4%B8%AD.bin"] = "中.bin", ["filename*=iso-8859-1'de'%F6.txt"] = "ö.txt",
         ["filename*=''%C3%B6"] = "ö", ["filename*=%C3%B6"] = "ö", ["filename*=koi8-r''%C3%B6"] = "ö",
         ["filename=o.txt; filename*=UTF-8''%C3%B6.txt"] = "ö.txt",
         ['filename*0*=UTF-8\'\'%C3; filename*1*=%B6; filename*2=" %41.txt"'] = "ö %41.txt",
         ['filename*1=b; filename*0="a"; filename*3=d'] = "ab", ["filename*1=b; filename=a"] = "a",
         ['filename="=?utf-8?B?w7YudHh0?="'] = "ö.txt", ['filename="ö.txt"'] = "ö.txt", ["filename=\246.txt"] = "ö.txt",
         ["filename*0*=UTF-8''a; filename*0=b"] = "a", ["filename*99999999=x; filename=a"] = "a",
         ["filename*=a%zz%"] = "a%zz%" } do
         local _, values = parameters.read("attachment; " .. text)
         assert.same({ filename = expected }, values)
      end
   end)
end)
