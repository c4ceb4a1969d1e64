local read = require("smtp.sink.reader").read

-- Lines of this file, without their indentation.
local function lines(text)
   return (text:gsub("^         ", ""):gsub("\n         ", "\n"):gsub("\n *$", "\n"):gsub("\n", "\r\n"))
end

-- -> the type and the text, or the content, of each part
local function shown(text)
   local list = {}
   for i, part in ipairs(read(text).parts) do
      list[i] = part.content_type .. ": " .. (part.text or part.content):gsub("\r?\n", "|")
   end
   return list
end

describe("a received message", function()
   it("has headers and parts", function()
      local message = read(lines [[
         From: =?utf-8?q?J=C3=B6?= <joe@me.example>
         Received: one
         received: two
          folded
         Content-Type: multipart/mixed; boundary="a b"

         Not part of it.
         --a b
         Content-Type: multipart/alternative; boundary=c

         --c

         Hello

         --c
         Content-Type: text/html; charset=ISO-8859-1
         Content-Transfer-Encoding: Quoted-Printable

         <p>Gr=F6=
         =DFe =
         </p>
         --c--
         --a b
         Content-Type: image/png; name="old.png"
         Content-Disposition: ATTACHMENT; filename*=utf-8''%C3%B6.png
         Content-ID: <pic@me.example>
         Content-Transfer-Encoding: base64

         iVBO
         Rw==
         --a b--
         Nor is this.
      ]])
      assert.equal("Jö <joe@me.example>", message.headers.from)
      assert.same({ "one", "two folded" }, message.headers.Received)
      assert.is_nil(message.headers.To)
      local around = { "multipart/mixed", "multipart/alternative" }
      assert.same({
         { content_type = "text/plain", encoding = "7bit", size = 7, content = "Hello\r\n", text = "Hello\n",
            within = around },
         { content_type = "text/html", encoding = "quoted-printable", charset = "iso-8859-1", size = 13,
            within = around, content = "<p>Gr\246\223e </p>", text = "<p>Größe </p>" },
         { content_type = "image/png", encoding = "base64", size = 4, content = "\137PNG",
            filename = "ö.png", content_id = "pic@me.example", disposition = "attachment",
            within = { "multipart/mixed" } },
      }, message.parts)
   end)

   it("may be malformed", function()
      for text, expected in pairs {
         [""] = { "text/plain: " }, ["\r\nx"] = { "text/plain: x" }, ["Subject: x"] = { "text/plain: " },
         ["no header\r\n\r\nx"] = { "text/plain: no header||x" },
         ["a: b\nno header\nx"] = { "text/plain: no header|x" },
         ["From ann Mon\nContent-Type: a/b\n\nx"] = { "a/b: x" }, ["Content-Type: text\n\nx"] = { "text/plain: x" },
         ["Content-Type: text/plain; charset=koi8-r\n\n\229"] = { "text/plain: \229" },
         ["Content-Transfer-Encoding: x-rot13\n\nx"] = { "text/plain: x" },
         ["Content-Transfer-Encoding: quoted-printable\n\na \t\nb=3d=zz=20\t\n=\n="] = { "text/plain: a|b==zz |" },
         ["X: a\0b\n\n\0"] = { "text/plain: \0" } } do
         assert.same(expected, shown(text))
      end
   end)

   it("may have malformed multiparts", function()
      local function mixed(text, kind)
         return shown(("Content-Type: multipart/%s; boundary=b\n\n"):format(kind or "mixed") .. text)
      end
      local inner = "Content-Type: multipart/related; boundary=%s\n\n"
      assert.same({ "multipart/mixed: x" }, mixed "x")
      assert.same({ "multipart/mixed: x" }, shown "Content-Type: multipart/mixed\n\nx")
      assert.same({ "text/plain: x", "text/plain: y|" }, mixed "--b\n\nx\n--b\n\ny\n")
      assert.same({ "text/plain: --bb|--", "text/plain: " }, mixed "--b\n\n--bb\n--\n--b \t\n--b--\n--b\n\nz")
      assert.same({ "a/b: " }, mixed "--b\nContent-Type: a/b\n--b--")
      assert.same({}, mixed "--b--")
      assert.same({ "text/plain: x", "text/plain: y" }, mixed("--b\n" .. inner:format "c" .. "--c\n\nx\n--b\n\ny"))
      assert.same({ "multipart/related: x", "text/plain: y" }, mixed("--b\n" .. inner:format "c" .. "x\n--b\n\ny"))
      assert.same({ "text/plain: x", "text/plain: y" },
         mixed("--b\n" .. inner:format "b" .. "--b\n\nx\n--b--\n--b\n\ny\n--b--"))
      assert.same({ "message/rfc822: Subject: x||y" }, mixed("--b\n\nSubject: x\n\ny\n--b--", "digest"))
   end)

   it("may be made to waste time", function()
      local many = ("Content-Type: multipart/mixed; boundary=b\n\n--b\n"):rep(5000)
      local began = os.clock()
      assert.equal(32, #read(many).parts[1].within)
      assert.equal(1000, #read("Content-Type: multipart/mixed; boundary=b\n\n" .. ("--b\n"):rep(50000)).parts)
      assert.equal("x", read(("a: b\r\n"):rep(50000) .. "\r\nx").parts[1].text)
      for _, text in ipairs { "=?", "=?utf-8?q?", " ", "(", ";", ";a=b", "\\", '"', "\n " } do
         read("Content-Type: text/plain; a=b" .. text:rep(50000) .. "\n\n")
         read("Content-Transfer-Encoding: quoted-printable\n\n" .. text:rep(50000) .. "x")
      end
      assert(os.clock() - began < 10)
   end)
end)
