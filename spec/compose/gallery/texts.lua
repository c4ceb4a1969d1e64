--- Messages of the gallery that are about words: languages, names, addresses, headers and threads.
-- Each has a name, the options of smtp.message, its structure as readers find it, and under `read`
-- what they find where that is not simply the option.

local ANN, BOB = { name = "Ann Lee", address = "ann@me.example" }, { name = "Bob", address = "bob@there.example" }

local function page(body, more)
   return ('<!doctype html>\n<html%s><body style="font-family:sans-serif;margin:12px">\n%s\n</body></html>\n')
      :format(more or "", body)
end

local function ids(count, form)
   local list = {}
   for i = 1, count do list[i] = form:format(i) end
   return list
end

local function named(count)
   local list = {}
   for i = 1, count do
      list[i] = { name = ("Guest %d, Room %d"):format(i, 100 + i), address = ("guest%d@hotel.example"):format(i) }
   end
   return list
end

return {
   { name = "text only", subject = "Lunch tomorrow", text = "Hi Bob,\n\nshall we have lunch at noon?\n\nAnn\n",
      structure = "text/plain" },
   { name = "empty text", subject = "No words", text = "", structure = "text/plain" },
   { name = "no subject", text = "This message has no subject.\n", structure = "text/plain" },
   { name = "html only", subject = "Only HTML", html = page "<h2>Hello</h2><p>This message has no text part.</p>",
      structure = "text/html" },
   { name = "text and html", subject = "Both forms", text = "The plain form.\n",
      html = page "<p>The <b>rich</b> form.</p>", structure = "alternative(text/plain text/html)" },
   { name = "German", subject = "Grüße zum Geburtstag", from = { name = "Jürgen Groß", address = "jg@me.example" },
      text = "Alles Gute zum Geburtstag!\nSchöne Grüße aus Köln und bis bald, sagt Jürgen.\n",
      structure = "text/plain" },
   { name = "Russian",
      subject = "Расписание поездов на следующую неделю и все изменения в связи с ремонтом путей",
      from = { name = "Анна Сергеевна Кузнецова", address = "anna@me.example" },
      text = "Добрый день!\nНовое расписание действует с понедельника.\n",
      html = page "<h3>Расписание</h3><p>Новое расписание действует с <b>понедельника</b>.</p>",
      structure = "alternative(text/plain text/html)" },
   { name = "Chinese", subject = "关于明天上午会议的通知", from = { name = "王小明",
      address = "wang@me.example" },
      text = "大家好，\n明天上午十点开会。\n",
      html = page "<h3>通知</h3><p>明天上午十点开会，请准时参加。</p>",
      structure = "alternative(text/plain text/html)" },
   { name = "Japanese", subject = "ご注文ありがとうございます（注文番号１２３）",
      from = { name = "花屋さくら", address = "sakura@me.example" }, to = { name = "田中 一郎",
      address = "ichiro@there.example" },
      html = page "<h3>ご注文ありがとうございます</h3><p>花束は金曜日にお届けします。</p>", structure = "text/html" },
   { name = "Arabic, right to left", subject = "دعوة إلى العشاء يوم الجمعة",
      from = { name = "ليلى حسن", address = "layla@me.example" },
      text = "مرحبا، العشاء في الساعة 8 مساء.\n",
      html = page("<h3>دعوة إلى العشاء</h3><p>نلتقي يوم الجمعة في الساعة 8 مساء.</p>", ' dir="rtl" lang="ar"'),
      structure = "alternative(text/plain text/html)" },
   { name = "Hebrew with English inside", subject = "פגישה: Project Blue ביום שני",
      from = { name = "נועה לוי", address = "noa@me.example" },
      html = page("<p>הפגישה על <b>Project Blue</b> תתקיים ביום שני בשעה 10:00.</p>", ' dir="rtl" lang="he"'),
      structure = "text/html" },
   { name = "Hindi", subject = "आपका टिकट तैयार है",
      from = { name = "रेल सेवा", address = "rail@me.example" },
      html = page "<h3>आपका टिकट तैयार है</h3><p>गाड़ी सुबह सात बजे चलेगी।</p>", structure = "text/html" },
   { name = "ten languages in one text", subject = "Hello – Olá – Ahoj – Γειά – Merhaba – Xin chào",
      text = "Bonjour à tous\nDzień dobry\nGünaydın\nKöszönöm\nČeština žluťoučká\nΚαλημέρα\nXin chào các bạn\n"
         .. "Доброе утро\nשלום\n안녕하세요\n", structure = "text/plain" },
   { name = "emoji in every place", subject = "🎉 Party! 👩\u{200D}👩\u{200D}👧 🇩🇪 👍🏽",
      from = { name = "🦊 Fox & Co.", address = "fox@me.example" }, text = "🎂🎈\n",
      html = page "<h2>🎉 Party on Saturday</h2><p>🎂 Cake at four, 💃 music at eight.</p>",
      structure = "alternative(text/plain text/html)" },
   { name = "combining marks stay as they are", subject = "Cafe\u{301} or Café", text = "Cafe\u{301} or Café\n",
      structure = "text/plain" },
   { name = "names that need quotes", from = { name = 'Lee, Ann "Annie" (Sales)', address = "ann@me.example" },
      to = { { name = "Smith; Sons", address = "smith@there.example" }, { name = "R. O'Neil",
      address = "ron@there.example" },
         { name = "back\\slash", address = "b@there.example" }, { name = "user@home", address = "u@there.example" } },
      subject = "Quotes", text = "See the names.\n", structure = "text/plain" },
   { name = "long names", from = { name = ("Ministerium für Wirtschaft und Energie "):rep(3) .. "Berlin",
      address = "m@me.example" },
      to = { { name = ("Very Long Company Name "):rep(6) .. "Ltd.", address = "v@there.example" },
         { name = ("株式会社"):rep(20), address = "k@there.example" } },
      subject = ("A subject of many words that goes on "):rep(8) .. "until here", text = "x\n",
         structure = "text/plain" },
   { name = "a name that looks encoded", from = { name = "=?UTF-8?Q?not_encoded?=", address = "e@me.example" },
      subject = "=?UTF-8?B?bm90?= encoded", text = "The names are these very characters.\n", structure = "text/plain" },
   { name = "sixty named recipients", to = named(60), cc = { BOB, { name = "Zoë", address = "zoe@there.example" } },
      subject = "To all guests", text = "Breakfast is at seven.\n", structure = "text/plain" },
   { name = "undisclosed recipients", to = false, bcc = { "hidden1@there.example", "hidden2@there.example" },
      subject = "To several", text = "You do not see each other.\n", structure = "text/plain",
      read = { to = "", headers = { To = "undisclosed-recipients:;" } } },
   { name = "addresses outside ASCII", from = { name = "José", address = "josé@correo.example" },
      to = { { name = "Юрий", address = "юрий@почта.example" } }, subject = "SMTPUTF8", text = "¡Hola!\n",
      structure = "text/plain" },
   { name = "a domain outside ASCII", to = { { name = "Buch", address = "info@bücher.example" } },
      subject = "IDNA", text = "x\n", structure = "text/plain", read = { to = "Buch|info@xn--bcher-kva.example" } },
   { name = "several authors, a sender, an address for replies", from = { ANN, { name = "Cy",
      address = "cy@me.example" } },
      sender = { name = "Office", address = "office@me.example" },
      reply_to = { { name = "Desk, Front", address = "desk@me.example" }, { address = "log@me.example" } },
      cc = { { address = "cc@there.example" } }, subject = "From both of us", text = "We agree.\n",
      structure = "text/plain" },
   { name = "high priority", subject = "Now, please", priority = "high", text = "The server room is warm.\n",
      structure = "text/plain", read = { headers = { ["X-Priority"] = "1", Importance = "high" } } },
   { name = "own headers", subject = "Headers", text = "x\n", structure = "text/plain",
      headers = { { "X-Campaign", "spring-2026" }, { "X-Note", "Größe  und\tTab" }, { "X-Empty", "" },
         { "Disposition-Notification-To", "Jürgen Groß <jg@me.example>" }, { "X-Long", ("word "):rep(60) .. "end" },
         { "List-Id", "Neues für alle <news.me.example>" } },
      read = { headers = { ["X-Campaign"] = "spring-2026", ["X-Note"] = "Größe  und\tTab",
         ["Disposition-Notification-To"] = "Jürgen Groß <jg@me.example>", ["X-Long"] = ("word "):rep(60) .. "end",
         ["List-Id"] = "Neues für alle <news.me.example>" } } },
   { name = "own headers with several addresses", subject = "Headers", text = "x\n", structure = "text/plain",
      headers = { { "Resent-To", 'Zoë <zoe@there.example>, "Q. Ö" <q@there.example>, bob@there.example' },
         { "Organization", "Grüße GmbH & Co." }, { "Keywords", "größe, maß" },
         { "Return-Receipt-To", "a@me.example" } },
      read = { headers = { ["Resent-To"] = "Zoë <zoe@there.example>, Q. Ö <q@there.example>, bob@there.example",
         Organization = "Grüße GmbH & Co.", Keywords = "größe, maß",
         ["Return-Receipt-To"] = "a@me.example" } } },
   { name = "an answer in a long thread", subject = "Re: Plans", text = "Yes.\n", structure = "text/plain",
      in_reply_to = "<30.thread@there.example>", references = ids(30, "<%d.thread@there.example>") },
   { name = "a thread as it was received", subject = "Re: Ticket", text = "Done.\n", structure = "text/plain",
      in_reply_to = "<no-at-sign>", references = "<a@there.example>\r\n\t<no-at-sign>, <b@there.example>",
      read = { references = "<a@there.example> <no-at-sign> <b@there.example>" } },
   { name = "a date with a zone", date = "Fri, 27 Nov 2026 09:30:00 +0530 (IST)", subject = "Date", text = "x\n",
      structure = "text/plain", read = { date = "1795752000" } },
   { name = "a date without weekday and seconds", date = "27 Nov 2026 09:30 -0800", subject = "Date", text = "x\n",
      structure = "text/plain", read = { date = "1795800600" } },
   { name = "lines that are hard to carry", subject = "Lines", structure = "text/plain",
      text = "From here on\n.\n..dots\n--\n-- \ntrailing blank \ntab\t\n" .. ("x"):rep(1200) .. "\n=3D =\nlast" },
}
