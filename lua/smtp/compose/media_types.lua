--- The media types of files, by the ending of their names.
-- @module smtp.compose.media_types

local ascii = require "smtp.ground.ascii"

local media_types = {}

-- Written by .ci/media_types.lua: a type and its endings in each line,
-- from media-types 10.0.0, shared-mime-info 2.2-1
local TYPES = [[
   application/atom+xml atom
   application/dicom dcm
   application/epub+zip epub
   application/fdf fdf
   application/geo+json geojson
   application/geopackage+sqlite3 gpkg
   application/gpx+xml gpx
   application/gzip gz
   application/java-archive jar
   application/json json
   application/ld+json jsonld
   application/manifest+json webmanifest
   application/mbox mbox
   application/msaccess mdb
   application/msword doc
   application/octet-stream bin
   application/onenote one
   application/oxps oxps
   application/p21 ifc
   application/pdf pdf
   application/pem-certificate-chain pem
   application/pgp-encrypted gpg pgp
   application/pgp-keys asc
   application/pgp-signature sig
   application/pkcs10 p10
   application/pkcs12 p12 pfx
   application/pkcs7-mime p7c p7m
   application/pkcs7-signature p7s
   application/pkcs8 p8
   application/pkix-cert cer
   application/pkix-crl crl
   application/postscript ai eps ps
   application/rdf+xml rdf
   application/rtf rtf
   application/sql sql
   application/toml toml
   application/vnd.adobe.flash.movie swf
   application/vnd.amazon.mobi8-ebook azw3
   application/vnd.android.package-archive apk
   application/vnd.appimage appimage
   application/vnd.apple.keynote key keynote
   application/vnd.apple.mpegurl m3u8
   application/vnd.apple.numbers numbers
   application/vnd.apple.pages pages
   application/vnd.apple.pkpass pkpass
   application/vnd.comicbook+zip cbz
   application/vnd.comicbook-rar cbr
   application/vnd.dbf dbf
   application/vnd.debian.binary-package deb
   application/vnd.etsi.asic-e+zip asice
   application/vnd.etsi.asic-s+zip asics
   application/vnd.google-earth.kml+xml kml
   application/vnd.google-earth.kmz kmz
   application/vnd.intu.qfx qfx
   application/vnd.ms-3mfdocument 3mf
   application/vnd.ms-asf asf
   application/vnd.ms-cab-compressed cab
   application/vnd.ms-excel xla xls xlt
   application/vnd.ms-excel.sheet.binary.macroEnabled.12 xlsb
   application/vnd.ms-excel.sheet.macroEnabled.12 xlsm
   application/vnd.ms-excel.template.macroEnabled.12 xltm
   application/vnd.ms-fontobject eot
   application/vnd.ms-htmlhelp chm
   application/vnd.ms-outlook msg
   application/vnd.ms-powerpoint pps ppt
   application/vnd.ms-powerpoint.presentation.macroEnabled.12 pptm
   application/vnd.ms-powerpoint.slideshow.macroEnabled.12 ppsm
   application/vnd.ms-powerpoint.template.macroEnabled.12 potm
   application/vnd.ms-project mpp
   application/vnd.ms-tnef tnef
   application/vnd.ms-visio.drawing.main+xml vsdx
   application/vnd.ms-word.document.macroEnabled.12 docm
   application/vnd.ms-word.template.macroEnabled.12 dotm
   application/vnd.ms-xpsdocument xps
   application/vnd.oasis.opendocument.base odb
   application/vnd.oasis.opendocument.formula odf
   application/vnd.oasis.opendocument.graphics odg
   application/vnd.oasis.opendocument.graphics-template otg
   application/vnd.oasis.opendocument.presentation odp
   application/vnd.oasis.opendocument.presentation-template otp
   application/vnd.oasis.opendocument.spreadsheet ods
   application/vnd.oasis.opendocument.spreadsheet-flat-xml fods
   application/vnd.oasis.opendocument.spreadsheet-template ots
   application/vnd.oasis.opendocument.text odt
   application/vnd.oasis.opendocument.text-flat-xml fodt
   application/vnd.oasis.opendocument.text-master odm
   application/vnd.oasis.opendocument.text-template ott
   application/vnd.openstreetmap.data+xml osm
   application/vnd.openxmlformats-officedocument.presentationml.presentation pptx
   application/vnd.openxmlformats-officedocument.presentationml.slideshow ppsx
   application/vnd.openxmlformats-officedocument.presentationml.template potx
   application/vnd.openxmlformats-officedocument.spreadsheetml.sheet xlsx
   application/vnd.openxmlformats-officedocument.spreadsheetml.template xltx
   application/vnd.openxmlformats-officedocument.wordprocessingml.document docx
   application/vnd.openxmlformats-officedocument.wordprocessingml.template dotx
   application/vnd.rar rar
   application/vnd.recordare.musicxml mxl
   application/vnd.recordare.musicxml+xml musicxml
   application/vnd.shp shp
   application/vnd.sqlite3 sqlite sqlite3
   application/vnd.sun.xml.calc sxc
   application/vnd.sun.xml.writer sxw
   application/vnd.visio vsd vss
   application/vnd.wordperfect wpd
   application/wasm wasm
   application/x-7z-compressed 7z
   application/x-abiword abw
   application/x-apple-diskimage dmg
   application/x-arj arj
   application/x-bittorrent torrent
   application/x-bzip-compressed-tar tbz2
   application/x-bzip2 bz2
   application/x-compress z
   application/x-fictionbook+xml fb2
   application/x-gnucash gnucash
   application/x-gnumeric gnumeric
   application/x-gtar-compressed tgz
   application/x-hdf h5
   application/x-hwp hwp
   application/x-ipynb+json ipynb
   application/x-iso9660-image iso
   application/x-latex latex
   application/x-lz4 lz4
   application/x-lzh lzh
   application/x-lzma lzma
   application/x-mimearchive mht mhtml
   application/x-mobipocket-ebook mobi
   application/x-msdos-program bat exe
   application/x-msi msi
   application/x-mswinurl url
   application/x-php php
   application/x-pkcs7-certificates p7b
   application/x-qw qif
   application/x-raw-disk-image img
   application/x-redhat-package-manager rpm
   application/x-rss+xml rss
   application/x-ruby rb
   application/x-sh sh
   application/x-tar tar
   application/x-vdi-disk vdi
   application/x-vhdx-disk vhdx
   application/x-vmdk-disk vmdk
   application/x-x509-ca-cert crt der
   application/x-xz xz
   application/x-xz-compressed-tar txz
   application/x-zstd-compressed-tar tzst
   application/xfdf xfdf
   application/xhtml+xml xhtml
   application/xliff+xml xlf xliff
   application/xml xml xsd
   application/xml-dtd dtd
   application/xslt+xml xsl xslt
   application/yaml yaml yml
   application/zip zip zipx
   application/zstd zst
   audio/AMR amr
   audio/aac aac
   audio/flac flac
   audio/midi mid midi
   audio/mp4 m4a
   audio/mpeg mp3
   audio/mpegurl m3u
   audio/ogg oga ogg opus
   audio/x-aiff aif aiff
   audio/x-m4b m4b
   audio/x-matroska mka
   audio/x-ms-wma wma
   audio/x-wav wav
   font/collection ttc
   font/otf otf
   font/ttf ttf
   font/woff woff
   font/woff2 woff2
   image/apng apng
   image/avif avif avifs
   image/bmp bmp
   image/emf emf
   image/fits fits
   image/gif gif
   image/heic heic
   image/heic-sequence heics
   image/heif heif
   image/heif-sequence heifs
   image/jp2 jp2
   image/jpeg jfif jpe jpeg jpg
   image/jxl jxl
   image/png png
   image/svg+xml svg
   image/tiff tif tiff
   image/vnd.adobe.photoshop psd
   image/vnd.djvu djvu
   image/vnd.dwg dwg
   image/vnd.dxf dxf
   image/vnd.microsoft.icon ico
   image/webp webp
   image/wmf wmf
   image/x-adobe-dng dng
   image/x-canon-cr2 cr2
   image/x-canon-cr3 cr3
   image/x-coreldraw cdr
   image/x-fuji-raf raf
   image/x-icns icns
   image/x-nikon-nef nef
   image/x-olympus-orf orf
   image/x-panasonic-rw2 rw2
   image/x-portable-graymap pgm
   image/x-portable-pixmap ppm
   image/x-sony-arw arw
   image/x-tga tga
   image/x-xcf xcf
   message/rfc822 eml
   model/gltf+json gltf
   model/gltf-binary glb
   model/iges iges igs
   model/obj obj
   model/step step stp
   model/stl stl
   model/vnd.collada+xml dae
   model/vnd.dwf dwf
   model/vnd.usdz+zip usdz
   text/calendar ics ifb
   text/css css
   text/csv csv
   text/html htm html
   text/javascript js mjs
   text/markdown markdown md
   text/plain log srt text txt
   text/prs.fallenstein.rst rst
   text/spreadsheet slk
   text/tab-separated-values tsv
   text/turtle ttl
   text/vcard vcard vcf
   text/vtt vtt
   text/x-bibtex bib
   text/x-c++hdr hpp
   text/x-c++src cc cpp
   text/x-chdr h
   text/x-csharp cs
   text/x-csrc c
   text/x-diff diff patch
   text/x-gettext-translation po
   text/x-go go
   text/x-java java
   text/x-kotlin kt
   text/x-ldif ldif
   text/x-lua lua
   text/x-opml+xml opml
   text/x-perl pl
   text/x-python py
   text/x-scss scss
   text/x-tex tex
   text/x-vcalendar vcs
   video/3gpp 3gp 3gpp
   video/3gpp2 3g2 3gpp2
   video/mp2t m2ts
   video/mp4 m4v mp4
   video/mpeg mpe mpeg mpg vob
   video/ogg ogv
   video/quicktime mov qt
   video/webm webm
   video/x-flv flv
   video/x-matroska mkv
   video/x-ms-wmv wmv
   video/x-msvideo avi
]]
-- end

local types -- by ending; made for the first file

local function by_ending()
   local map = {}
   for name, endings in TYPES:gmatch("([^ \n]+) ([^\n]+)") do
      for ending in endings:gmatch("[^ ]+") do map[ending] = name end
   end
   return map
end

--- The media type of a file by its name; application/octet-stream where it is not known.
---@param name string|nil
---@return string
function media_types.of_name(name)
   types = types or by_ending()
   local ending = name and name:match("%.([A-Za-z0-9]+)$")
   return ending and types[ascii.lower(ending)] or "application/octet-stream"
end

return media_types
