--- The media types of files, by the ending of their names.
-- @module smtp.compose.media_types

local ascii = require "smtp.ground.ascii"

local media_types = {}

-- From IANA's registry.
local types = {}
for ending, found in ([[
   aac audio/aac
   avi video/x-msvideo
   avif image/avif
   bmp image/bmp
   bz2 application/x-bzip2
   css text/css
   csv text/csv
   doc application/msword
   docx application/vnd.openxmlformats-officedocument.wordprocessingml.document
   epub application/epub+zip
   flac audio/flac
   gif image/gif
   gz application/gzip
   htm text/html
   html text/html
   ico image/vnd.microsoft.icon
   ics text/calendar
   jpeg image/jpeg
   jpg image/jpeg
   js text/javascript
   json application/json
   log text/plain
   m4a audio/mp4
   md text/markdown
   mov video/quicktime
   mp3 audio/mpeg
   mp4 video/mp4
   mpeg video/mpeg
   odp application/vnd.oasis.opendocument.presentation
   ods application/vnd.oasis.opendocument.spreadsheet
   odt application/vnd.oasis.opendocument.text
   ogg audio/ogg
   otf font/otf
   p7s application/pkcs7-signature
   pdf application/pdf
   pem application/x-pem-file
   png image/png
   ppt application/vnd.ms-powerpoint
   pptx application/vnd.openxmlformats-officedocument.presentationml.presentation
   ps application/postscript
   rtf application/rtf
   svg image/svg+xml
   tar application/x-tar
   tif image/tiff
   tiff image/tiff
   tsv text/tab-separated-values
   ttf font/ttf
   txt text/plain
   vcf text/vcard
   wav audio/wav
   webm video/webm
   webp image/webp
   woff font/woff
   woff2 font/woff2
   xls application/vnd.ms-excel
   xlsx application/vnd.openxmlformats-officedocument.spreadsheetml.sheet
   xml application/xml
   xz application/x-xz
   yaml application/yaml
   zip application/zip
   zst application/zstd
   7z application/x-7z-compressed
]]):gmatch("([^ \t-\r]+) ([^ \t-\r]+)") do types[ending] = found end

--- The media type of a file by its name; application/octet-stream where it is not known.
---@param name string|nil
---@return string
function media_types.of_name(name)
   local ending = name and name:match("%.([A-Za-z0-9]+)$")
   return ending and types[ascii.lower(ending)] or "application/octet-stream"
end

return media_types
