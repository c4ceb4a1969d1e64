--- Messages of the gallery that have parts: pictures, invitations, newsletters, files. Their form is
-- that of texts.lua; `files` is what readers find of each attachment: its name, and its charset,
-- disposition or content where these are not the usual ones.

local FOLDER = "build/spec/gallery"

local function picture(name)
   local file = assert(io.open(("%s/%s.png"):format(FOLDER, name), "rb"))
   local content = file:read("*a")
   file:close()
   return content
end

local function image(name, more)
   local t = { content = picture(name), filename = name .. ".png", cid = name }
   for key, value in pairs(more or {}) do t[key] = value end
   return t
end

local PDF = "%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"

local function page(body)
   return ('<!doctype html>\n<html><body style="font-family:sans-serif;margin:12px">\n%s\n</body></html>\n')
      :format(body)
end

local function event(method, ends)
   local lines = { "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//me.example//gallery//EN", "BEGIN:VEVENT",
      "UID:7@me.example", "DTSTAMP:20261130T120000Z", "DTSTART:20261204T090000Z", "DTEND:20261204T100000Z",
      "ORGANIZER;CN=Ann Lee:mailto:ann@me.example", "ATTENDEE;CN=Bob;RSVP=TRUE:mailto:bob@there.example",
      "SUMMARY:Planning – Größe der Räume", "END:VEVENT", "END:VCALENDAR", "" }
   if method then table.insert(lines, 4, method) end
   return table.concat(lines, ends or "\r\n")
end

local UNSUBSCRIBE = "https://me.example/u/7?token=" .. ("0123456789abcdef"):rep(4)

local INVITATION = page '<h3>Planning</h3><p>Friday, 4 December, 10:00. <a href="https://me.example/yes">Yes</a></p>'

local NEWSLETTER = page([[
<table width="100%" cellpadding="8" style="border-collapse:collapse">
<tr style="background:#ddf4ff"><td width="48"><img src="cid:logo" width="48" height="48" alt="Logo"></td>
<td><b>Garden News</b><br>December</td></tr>
<tr><td colspan="2"><img src="cid:sunset" width="160" height="80" alt="A sunset"><br>
Evenings are long now: time to read, and to plan the beds for spring.</td></tr>
<tr><td colspan="2"><img src="cid:chart" width="120" height="72" alt="Seeds sold in each month"><br>
<small><a href="https://me.example/u/7">Unsubscribe</a></small></td></tr></table>]])

local FORWARDED = "From: Cy <cy@me.example>\r\nTo: ann@me.example\r\nSubject: Offer\r\n"
   .. "Date: Thu, 26 Nov 2026 08:00:00 +0000\r\nMessage-ID: <offer@me.example>\r\n\r\nOur offer is below.\r\n"

local octets = {}
for i = 0, 255 do octets[#octets + 1] = string.char(i) end
octets = table.concat(octets):rep(4)

local function pieces(list)
   local i = 0
   return function()
      i = i + 1
      return list[i]
   end
end

-- Attachments with these names -> attachments, files
local function with_names(names)
   local attachments, files = {}, {}
   for i, name in ipairs(names) do
      attachments[i] = { content = "file " .. i, filename = name, content_type = "application/pdf" }
      files[i] = { name = name }
   end
   return attachments, files
end

-- A message that contains nothing but files with these names.
local function of_names(name, names)
   local attachments, files = with_names(names)
   local kinds = (" application/pdf"):rep(#names)
   return { name = name, subject = "Names of files", text = "See the names.\n", attachments = attachments,
      files = files, structure = ("mixed(text/plain%s)"):format(kinds) }
end

-- Files whose types follow from their names.
local function of_types(name, types)
   local attachments, files, kinds = {}, {}, {}
   for i, one in ipairs(types) do
      attachments[i] = { content = "\1\2" .. i, filename = "file." .. one[1] }
      files[i], kinds[i] = { name = "file." .. one[1] }, one[2]
   end
   return { name = name, subject = "Types of files", text = "See the types.\n", attachments = attachments,
      files = files, structure = ("mixed(text/plain %s)"):format(table.concat(kinds, " ")) }
end

return {
   { name = "one picture inside the html", subject = "Our logo",
      html = page '<p>New:</p><img src="cid:logo" alt="Logo">',
      attachments = { image "logo" }, files = { { name = "logo.png", id = "logo", disposition = "inline" } },
      structure = "related(text/html image/png)" },
   { name = "text, html, two pictures", subject = "Sales", text = "See the chart.\n",
      html = page '<img src="cid:logo" alt="Logo"> <img src="cid:chart" alt="Sales">',
      attachments = { image "logo", image("chart", { filename = "Übersicht 2026.png" }) },
      files = { { name = "logo.png", id = "logo", disposition = "inline" },
         { name = "Übersicht 2026.png", id = "chart", disposition = "inline" } },
      structure = "alternative(text/plain related(text/html image/png image/png))" },
   { name = "every part there is", subject = "All at once", text = "Plan inside.\n",
      html = page '<p>Plan inside.</p><img src="cid:chart" alt="Sales">', calendar = event "METHOD:REQUEST",
      attachments = { image "chart", { content = PDF, filename = "plan.pdf" } },
      files = { { name = "chart.png", id = "chart", disposition = "inline" }, { name = "plan.pdf" } },
      structure = "mixed(alternative(text/plain related(text/html image/png) text/calendar) application/pdf)",
      read = { method = "REQUEST" } },
   { name = "newsletter", subject = "🌱 Garden News: December", from = { name = "Garden News",
      address = "news@me.example" },
      text = "Garden News\nEvenings are long now.\n", html = NEWSLETTER,
      attachments = { image "logo", image "sunset", image "chart" },
      list_unsubscribe = { UNSUBSCRIBE, one_click = true },
      files = { { name = "logo.png", id = "logo", disposition = "inline" },
         { name = "sunset.png", id = "sunset", disposition = "inline" },
         { name = "chart.png", id = "chart", disposition = "inline" } },
      structure = "alternative(text/plain related(text/html image/png image/png image/png))",
      read = { headers = { ["List-Unsubscribe"] = "<" .. UNSUBSCRIBE .. ">",
         ["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click" } } },
   { name = "invitation", subject = "Invitation: Planning", text = "Friday, 10:00\n", html = INVITATION,
      calendar = event "METHOD:REQUEST", structure = "alternative(text/plain text/html text/calendar)",
      read = { method = "REQUEST" } },
   { name = "invitation whose method is an option", subject = "Invitation: Planning", text = "Friday, 10:00\n",
      calendar = { content = event(), method = "REQUEST" }, structure = "alternative(text/plain text/calendar)",
      read = { method = "REQUEST", ["2.content"] = (event():gsub("\r\n", "%0METHOD:REQUEST%0", 1)) } },
   { name = "invitation withdrawn, in lower case", subject = "Withdrawn: Planning", text = "It is off.\n",
      calendar = event("method:cancel", "\n"):gsub("^BEGIN:VCALENDAR", "begin:vcalendar"),
      structure = "alternative(text/plain text/calendar)", read = { method = "CANCEL",
         ["2.content"] = event("method:cancel"):gsub("^BEGIN:VCALENDAR", "begin:vcalendar") } },
   { name = "invitation without text", subject = "Invitation: Planning", html = INVITATION,
      calendar = event "METHOD:REQUEST", structure = "alternative(text/html text/calendar)",
      read = { method = "REQUEST" } },
   { name = "invitation alone", subject = "Invitation: Planning", calendar = event "METHOD:REPLY",
      structure = "text/calendar", read = { method = "REPLY" } },
   { name = "calendar without a method", subject = "Opening times", text = "See the calendar.\n", calendar = event(),
      structure = "alternative(text/plain text/calendar)" },
   { name = "invitation with a file and a copy of itself", subject = "Invitation: Planning", text = "Friday\n",
      html = INVITATION, calendar = event "METHOD:REQUEST",
      attachments = { { content = event "METHOD:REQUEST", filename = "invite.ics" }, { content = PDF,
      filename = "agenda.pdf" } },
      files = { { name = "invite.ics", charset = "utf-8" }, { name = "agenda.pdf" } },
      structure = "mixed(alternative(text/plain text/html text/calendar) text/calendar application/pdf)",
      read = { method = "REQUEST", ["4.method"] = "REQUEST" } },
   { name = "forwarded message", subject = "Fwd: Offer", text = "See below.\n",
      attachments = { { content = FORWARDED, filename = "offer.eml", content_type = "message/rfc822" } },
      files = { { name = "offer.eml", content = FORWARDED } }, structure = "mixed(text/plain message/rfc822)" },
   { name = "several attachments", subject = "Papers", text = "Five files.\n", attachments = {
      { content = PDF, filename = "paper.pdf" }, { content = picture "sunset", filename = "sunset.png" },
      { content = "a;b\nÄ;ß\n", filename = "table.csv" }, { content = "{}", filename = "data.json" },
      { content = octets, filename = "all octets.bin" } },
      files = { { name = "paper.pdf" }, { name = "sunset.png" }, { name = "table.csv", charset = "utf-8" },
         { name = "data.json" }, { name = "all octets.bin" } },
      structure = "mixed(text/plain application/pdf image/png text/csv application/json application/octet-stream)" },
   { name = "an empty file, and one of unknown size", subject = "Sizes", text = "Two files.\n", attachments = {
      { content = "", filename = "empty.bin" }, { source = pieces { "ab", "", ("c"):rep(100000) },
         filename = "stream.bin" } },
      files = { { name = "empty.bin" }, { name = "stream.bin", content = "ab" .. ("c"):rep(100000) } },
      structure = "mixed(text/plain application/octet-stream application/octet-stream)" },
   { name = "a picture that no html shows, and a file without a name", subject = "Sizes", text = "Two files.\n",
      attachments = { image "logo", { content = PDF, content_type = "application/pdf" } },
      files = { { name = "logo.png", id = "logo", disposition = "inline" }, {} },
      structure = "mixed(text/plain image/png application/pdf)" },
   { name = "texts in other charsets", subject = "Texts", text = "Three files.\n", attachments = {
      { content = "\255\254a\0b\0", filename = "utf-16.txt" }, { content = "caf\233\n", filename = "unknown.txt" },
      { content = "caf\233\n", filename = "latin.txt", content_type = "text/plain; charset=iso-8859-1" } },
      files = { { name = "utf-16.txt" }, { name = "unknown.txt" }, { name = "latin.txt", charset = "iso-8859-1" } },
      structure = "mixed(text/plain text/plain text/plain text/plain)" },
   { name = "a file alone", subject = "The file", attachments = { { content = PDF, filename = "alone.pdf" } },
      files = { { name = "alone.pdf" } }, structure = "mixed(application/pdf)" },
   { name = "text files by path", subject = "Notes", text = "Two notes.\n",
      attachments = { { path = FOLDER .. "/notes.txt" }, { path = FOLDER .. "/Größen.csv" } },
      files = { { name = "notes.txt", charset = "utf-8", content = "plain\n" },
         { name = "Größen.csv", charset = "utf-8", content = "Größe;7\n" } },
      structure = "mixed(text/plain text/plain text/csv)" },
   of_names("ASCII names that need quotes", { "Invoice (1).pdf", "R&D, plan; v2.pdf", "it's 100% + more.pdf",
      'a "quoted" name.pdf', "back\\slash.pdf", ("long name "):rep(7) .. "end.pdf" }),
   of_names("names in many languages",
      { "Отчёт за ноябрь.pdf", "請求書（１１月）.pdf", "فاتورة.pdf",
      "חשבונית 7.pdf", "Übergröße & Maß.pdf", "📎 photo 🏖.pdf", "चालान.pdf" }),
   of_names("names of up to 255 characters", { ("x"):rep(251) .. ".pdf", ("я"):rep(251) .. ".pdf",
      ("中"):rep(251) .. ".pdf", ("word "):rep(50) .. "e.pdf" }),
   of_types("types that follow from names", { { "heic", "image/heic" }, { "webp", "image/webp" },
      { "avif", "image/avif" },
      { "zst", "application/zstd" }, { "msg", "application/vnd.ms-outlook" },
      { "docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document" },
         { "epub", "application/epub+zip" },
      { "mp4", "video/mp4" }, { "7z", "application/x-7z-compressed" }, { "unknown", "application/octet-stream" } }),
}
