-- Writes the table in lua/smtp/compose/media_types.lua: the files that people attach, by the types
-- that Debian's media-types (IANA's registry and the common unregistered types) has for them, or
-- freedesktop's shared-mime-info. With "check" it changes nothing, and ends with 1 where the table
-- is not current. It does not compare where these packages are missing, or have other versions.

local PATH = "lua/smtp/compose/media_types.lua"

local endings = [[
   documents: pdf doc docx docm dotx dotm rtf odt ott odm fodt sxw abw pages hwp wpd txt text
      log md markdown rst chm tex latex bib xlf xliff xps oxps djvu ps eps ai fdf xfdf one epub
      mobi azw3 fb2 cbz cbr
   tables: xls xlsx xlsm xlsb xltx xltm xla xlt ods ots fods sxc numbers csv tsv gnumeric dbf
      mdb mpp odb sqlite sqlite3 slk qif qfx gnucash
   slides: ppt pps pptx pptm ppsx ppsm potx potm odp otp key keynote
   drawings: odg otg odf vsd vss vsdx dwg dxf dwf svg cdr stl stp step igs iges obj 3mf gltf glb
      dae usdz ifc
   pictures: jpg jpeg jpe jfif png apng gif bmp tif tiff webp heic heics heif heifs avif avifs
      jxl jp2 ico icns psd xcf tga ppm pgm emf wmf dng cr2 cr3 nef arw orf rw2 raf dcm
   sound: mp3 m4a m4b aac ogg oga opus flac wav wma aif aiff amr mid midi mka m3u m3u8
   video: mp4 m4v mov qt avi mkv webm wmv asf mpg mpeg mpe ogv 3gp 3gpp 3g2 3gpp2 flv swf m2ts
      vob
   mail: eml mbox msg mht mhtml ics ifb vcs vcf vcard ldif tnef
   keys: asc sig pgp gpg p7s p7m p7c p7b p12 pfx p8 p10 pem crt cer der crl asice asics
   archives: zip zipx 7z rar tar gz tgz bz2 tbz2 xz txz lzma zst tzst lz4 z cab lzh arj iso img
      dmg vmdk vhdx vdi jar apk deb rpm msi exe bat appimage torrent
   web: html htm xhtml mhtml css scss js mjs json jsonld geojson webmanifest xml xsl xslt xsd
      dtd yaml yml toml sql rss atom rdf ttl wasm php url eml opml
   programs: c h cc cpp hpp java kt py rb pl lua go cs sh ipynb diff patch po
   maps: kml kmz gpx gpkg osm shp
   fonts: ttf otf ttc woff woff2 eot
   other: srt vtt bin pkpass h5 fits musicxml mxl
]]

-- What both packages lack, or have in another form than mail programs.
local own = {
   bz2 = "application/x-bzip2",             -- shared-mime-info's is that of bzip
   key = "application/vnd.apple.keynote",   -- a presentation, more often than a key
   log = "text/plain",                      -- which mail programs show
   mid = "audio/midi",                      -- as .midi; audio/sp-midi is for phones
   msg = "application/vnd.ms-outlook",      -- what Outlook calls it
   musicxml = "application/vnd.recordare.musicxml+xml",
   yaml = "application/yaml", yml = "application/yaml", -- RFC 9512
}

local found = {} -- by ending, in lower case

local function add(ending, name)
   ending = ending:lower()
   found[ending] = found[ending] or name
end

local function read(path)
   local file = assert(io.open(path))
   local text = file:read("*a")
   file:close()
   return text
end

local function packages()
   local form = "'${Package} ${Version}, '"
   local pipe = io.popen("dpkg-query -W -f " .. form .. " media-types shared-mime-info 2>&1")
   local versions = pipe:read("*a"):gsub(", $", "")
   pipe:close()
   return versions
end

-- The first type that each has for an ending; shared-mime-info begins with the greatest weight.
local function collect()
   for ending, name in pairs(own) do add(ending, name) end
   for name, rest in read("/etc/mime.types"):gmatch("\n([^%s#]+)[ \t]+([^\n]+)") do
      for ending in rest:gmatch("%S+") do add(ending, name) end
   end
   for name, ending in read("/usr/share/mime/globs2"):gmatch("\n%d+:([^:]+):%*%.([^\n:]+)") do
      add(ending, name)
   end
end

-- -> "   type ending ending\n", …, in the order of their names
local function lines()
   local by_type, names, taken = {}, {}, {}
   for ending in endings:gsub("%a+:", ""):gmatch("%S+") do
      local name = assert(found[ending], ending .. " is in neither package")
      if not by_type[name] then
         by_type[name] = {}
         names[#names + 1] = name
      end
      if not taken[ending] then table.insert(by_type[name], ending) end
      taken[ending] = true
   end
   table.sort(names)
   for i, name in ipairs(names) do
      table.sort(by_type[name])
      names[i] = ("   %s %s\n"):format(name, table.concat(by_type[name], " "))
   end
   return table.concat(names)
end

local current = read(PATH)
local head, versions, rest = current:match("^(.-\n%-%- from )([^\n]*)\n.-(\n%-%- end\n.*)$")
local is_check = arg[1] == "check"
if is_check and packages() ~= versions then
   print(("not compared: the table is from %s, and here is %s"):format(versions, packages()))
   os.exit(0)
end
collect()
local text = ("%s%s\nlocal TYPES = [[\n%s]]%s"):format(head, packages(), lines(), rest)
if is_check then
   if text ~= current then print(PATH .. " is not current: run lua5.4 .ci/media_types.lua") end
   os.exit(text == current and 0 or 1)
end
local file = assert(io.open(PATH, "w"))
file:write(text)
file:close()
