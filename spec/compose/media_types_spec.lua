local media_types = require "smtp.compose.media_types"

describe("the media type of a file", function()
   for name, kind in pairs { ["photo.jpeg"] = "image/jpeg", ["photo.JPG"] = "image/jpeg",
      ["a.tar.gz"] = "application/gzip",
      ["invitation.ics"] = "text/calendar", ["page.html"] = "text/html", ["archive.7z"] = "application/x-7z-compressed",
      ["/path/to/data.csv"] = "text/csv", ["IMG_0001.HEIC"] = "image/heic", ["mail.msg"] = "application/vnd.ms-outlook",
      ["x.avif"] = "image/avif", ["x.webp"] = "image/webp", ["x.zst"] = "application/zstd",
      ["key.asc"] = "application/pgp-keys", ["x.amr"] = "audio/AMR", ["x.bz2"] = "application/x-bzip2",
      ["plan.vsdx"] = "application/vnd.ms-visio.drawing.main+xml", ["x.pkpass"] = "application/vnd.apple.pkpass",
      ["x.log"] = "text/plain", ["x.3gp"] = "video/3gpp", ["x.eml"] = "message/rfc822",
      ["x.p7m"] = "application/pkcs7-mime",
   } do
      it("is told by its ending: " .. name, function() assert.equal(kind, media_types.of_name(name)) end)
   end

   it("is that of any bytes where the ending is not known", function()
      for _, name in ipairs { "", "README", "file.", ".", "pdf", "a.pdf ", "a.pdf\0", "a.nonsense", "a.p\195\164f" } do
         assert.equal("application/octet-stream", media_types.of_name(name))
      end
      assert.equal("application/octet-stream", media_types.of_name(nil))
   end)
end)
