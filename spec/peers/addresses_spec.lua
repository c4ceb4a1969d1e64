-- The address tables of other libraries' tests: what an address is here, and what is refused, with a word of the
-- advice.
local address = require "smtp.options.address"
local safe = require "smtp.safe"

local parse = require("smtp.errors").returning(address.parse)

-- { the text, the name, the address }: the text without < > is the address where only the text is given.
local taken = {
   -- nodemailer
   { "andris <andris@tr.ee>", "andris", "andris@tr.ee" }, { "andris@tr.ee" },
   { '"reinman, andris" <andris@tr.ee>', "reinman, andris", "andris@tr.ee" },
   { '"reinman; andris" <andris@tr.ee>', "reinman; andris", "andris@tr.ee" },
   { "user@[IPv6:2001:db8::1]" }, { "user@[192.168.1.1]" },
   { "FirstName Surname-WithADash :: Company <firstname@company.com>", "FirstName Surname-WithADash :: Company",
      "firstname@company.com" },
   { '"test@subdomain.com"@example.com' }, { '"xclow3n@gmail.com x"@internal.domain' },
   { '"user@attacker.com"@legitimate.com' }, { '"a@b@c"@example.com' },
      { '"evil@attacker.com more stuff"@legitimate.com' },
   { 'Name <"user@domain.com"@example.com>', "Name", '"user@domain.com"@example.com' },
   { '"test\\"quote"@example.com' }, { '"test\\\\backslash"@example.com' }, { '"test\\"nested\\"quotes"@example.com' },
   { "user+tag@example.com" }, { "user.name@example.com" }, { "user_name@example.com" }, { "user-name@example.com" },
   { "  user@example.com  ", nil, "user@example.com" },
   { "Jüri Õunapuu <juri@example.com>", "Jüri Õunapuu", "juri@example.com" },
   { "🤖 Robot <robot@example.com>", "🤖 Robot", "robot@example.com" },
   { ("a"):rep(100) .. "@example.com" }, { "user@münchen.de", nil, "user@xn--mnchen-3ya.de" },
   { "田中太郎 <tanaka@example.jp>", "田中太郎", "tanaka@example.jp" },
   { "user@Example.COM" }, { "user@mail.server.company.example.com" }, { "user@123.456.example.com" },
   { "user@mail-server.example.com" }, { "Joe Foo, PhD <joe@example.com>", "Joe Foo, PhD", "joe@example.com" },
   { "A, B, C <d@e.com>", "A, B, C", "d@e.com" },
   { 'Name <"a b@evil.com c"@good.com>', "Name", '"a b@evil.com c"@good.com' },
   { 'Nick <"user name"@example.com>', "Nick", '"user name"@example.com' }, { '<"user name"@example.com>' },
   -- Python
   { '"A \\(Very\\) Silly Person" <person@dom.ain>', "A (Very) Silly Person", "person@dom.ain" },
   { '"Arthur \\\\Backslash\\\\ Foobar" <person@dom.ain>', "Arthur \\Backslash\\ Foobar", "person@dom.ain" },
   { "John X. Doe <jxd@example.com>", "John X. Doe", "jxd@example.com" },
   { '"\\"example\\" example"@example.com' }, { "persön@dom.in" },
   { "\"'foo@example.com' (foo@example.com)\" <foo@example.com>", "'foo@example.com' (foo@example.com)",
      "foo@example.com" },
   { '"Alice, alice@example.org" <bob@example.com>', "Alice, alice@example.org", "bob@example.com" },
   { '"Mary Smith: Personal Account" <smith@home.example>', "Mary Smith: Personal Account", "smith@home.example" },
   { '"Giant; \\"Big\\" Box" <bob@example.net>', 'Giant; "Big" Box', "bob@example.net" },
   { "User ((nested comment)) <foo@bar.com>", "User ((nested comment))", "foo@bar.com" },
   { "dinsdale@example.com" }, { "dinsdale@[127.0.0.1]" }, { "star.a.star@example.com" }, { '<""@example.com>' },
   { '<"Fred Perfect"@[127.0.0.1]>' }, { "<dinsdale@example.com>" },
   -- MimeKit
   { "fejj@helixcode.com" }, { "Jeffrey Stedfast <fejj@helixcode.com>", "Jeffrey Stedfast", "fejj@helixcode.com" },
   { 'Jeffrey "fejj" Stedfast <fejj@helixcode.com>', 'Jeffrey "fejj" Stedfast', "fejj@helixcode.com" },
   { '"Jeffrey \\"fejj\\" Stedfast" <fejj@helixcode.com>', 'Jeffrey "fejj" Stedfast', "fejj@helixcode.com" },
   { '"Stedfast, Jeffrey" <fejj@helixcode.com>', "Stedfast, Jeffrey", "fejj@helixcode.com" },
   { "Nathaniel S. Borenstein <nsb@thumper.bellcore.com>", "Nathaniel S. Borenstein", "nsb@thumper.bellcore.com" },
   { "=?iso-8859-1?q?Kristoffer_Br=E5nemyr?= <ztion@swipenet.se>", "=?iso-8859-1?q?Kristoffer_Br=E5nemyr?=",
      "ztion@swipenet.se" },
   { "伊昭傑@郵件.商務" }, { "юзер@екзампл.ком" }, { "θσερ@εχαμπλε.ψομ" },
      { "राम@मोहन.ईन्फो" },
   { "點看@名がドメイン.com" }, { "user@xn--v8jxj3d1dzdz08w.com" },
   { "user@名がドメイン.com", nil, "user@xn--v8jxj3d1dzdz08w.com" },
   { "Warren Worthington, Jr. <warren@worthington.com>", "Warren Worthington, Jr.", "warren@worthington.com" },
   { "Worthington, Warren <warren@worthington.com>", "Worthington, Warren", "warren@worthington.com" },
   { "Jeffrey Stedfast < jeff@xamarin.com>", "Jeffrey Stedfast", "jeff@xamarin.com" },
   { "Jeffrey Stedfast <jeff@xamarin.com >", "Jeffrey Stedfast", "jeff@xamarin.com" },
   { '"Joe <joe@example.com>', '"Joe', "joe@example.com" },
   { "user@example.com <user@example.com>", "user@example.com", "user@example.com" },
}

-- CVE-2023-27043: what Python read as alice's. Here the recipient is always what < and > enclose.
for mark in ("()[]@:.\">"):gmatch "." do
   taken[#taken + 1] = { ("alice@example.org%s<bob@example.com>"):format(mark), "alice@example.org" .. mark,
      "bob@example.com" }
end

local list, comments, space = "as a list", "Comments", "Remove the space"
local refused = {
   -- nodemailer: several in one string, groups
   { "andris@tr.ee, andris@example.com", list }, { "andris@tr.ee; andris@example.com;", list },
   { "alice@example.com, bob[@example.com, carol@example.com", list }, { "a@[b, c@d", list },
   { "a@example.com,,,b@example.com", list }, { "Joe, PhD <j@e.com>, Jane, MD <jane@e.com>", list },
   { "a@b.com, Foo, Bar <c@d.com>, e@f.com", list }, { "SomeName, joe@example.com", list },
   { "Undisclosed:;", "group" }, { "Disclosed:andris@tr.ee, andris@example.com;", "group" },
   { "Test User <test.user@mail.ee>, Disclosed:andris@tr.ee, andris@example.com;,,,, Undisclosed:;", list },
   { "Group1:a@b.com, Group2:c@d.com;;", "group" }, { "Outer:Inner:deep@example.com;;", "group" },
   { "EmptyGroup:   ;", "group" }, { "Group:not-an-email, another-invalid;", "group" },
      { '"My Group":user@example.com;', "group" },
   { "Title, Group: a@b.com;", "group" }, { ("g: "):rep(3000) .. "user@example.com;", "list|example.org" },
   { ("user@example.com, "):rep(1000), list },
   -- nodemailer: names and comments
   { "andris andris@tr.ee", "after a name in < >" }, { "andris@tr.ee (andris)", comments },
   { "andris@tr.ee (reinman) andris", comments }, { "andris", "example.org" }, { "O'Neill", "example.org" },
   { "John Doe", "example.org" }, { "name@address.com@address2.com", "one @" }, { "user@@example.com", "one @" },
   { "reinman > andris < test <andris@tr.ee>", "> at its end|in quotes" },
   { '"Firstname \\" \\\\\\, Lastname \\(Test\\)" test@example.com', "after a name in < >" },
   { '"quoted" unquoted@example.com', "after a name in < >" }, { '"unclosed@example.com', "example.org" },
   { "Name <user@example.com", "> at its end" }, { "user@example.com (comment", comments }, { "", "example.org" },
   { "   ", "example.org" }, { "<>", "example.org" }, { "(comment)user@example.com", comments },
   { "user@example.com(comment)", comments }, { "user@example.com (outer (nested) comment)", comments },
   { "(comment1)user@example.com(comment2)", comments }, { "user@example.com()", comments },
   { "user@" .. ("a"):rep(100) .. ".com", "example.org|63" },
   { ("@"):rep(100), "one @" }, { "Name <<user@example.com>>", "alone" }, { "user@", "example.org" },
   { "@example.com", "example.org" }, { "user@example.com\t\tother@example.com", "control" },
   { "user@example.com\nother@example.com", "line break" }, { "user@example.com\r\nother@example.com", "line break" },
   { "lo@zillowgroup.com <lo@zillowgroup.com lo@zillowgroup.com>", space },
   { "lo@ <zillowgroup.com lo@zillowgroup.com>", "in quotes" }, { "<first@example.com second@example.net>", space },
   { "<foo bar@example.com>", "in quotes" }, { "<no address here>", "example.org" },
   { '<junk "a@evil.com b"@good.com>', "in quotes" }, { '<junk "a b@evil.com c"@good.com>', "in quotes" },
   { '<"a b@evil.com c" x>', "example.org" }, { '<"user name"@example.com junk here>', space },
   -- Python
   { "a@b@c", "one @" }, { "a@b.c@c", "one @" }, { "a@172.17.0.1@c", "one @" }, { "star@a.star@example.com", "one @" },
   { '""example" example"@example.com', "example.org" }, { '"\\\\"example\\\\" example"@example.com', "example.org" },
   { "merwok wok@xample.com", "in quotes" }, { " merwok  wok  @xample.com", "in quotes" },
   { 'merwok"wok"  wok@xample.com', "in quotes" }, { "merwok. wok .  wok@xample.com", "in quotes" },
   { "Foo\n\tBar <foo@example.com>", "one line" }, { "aperson@dom.ain (Al Person)", comments },
   { "alice@example.org<<bob@example.com>", "> at its end|in quotes" }, { "alice@example.org;<bob@example.com>", list },
   { "alice@example.org,<bob@example.com>", list }, { "alice@example.org )Alice(", comments },
   { '"Jane Doe" <jane@example.net>, "John Doe" <john@example.net>', list }, { "foo: ;", "group" },
   { "Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", comments },
   { "(Empty list)(start)Undisclosed recipients  :(nobody(I know))", comments },
   { "Mary <@machine.tld:mary@example.net>, , jdoe@test   . example", list },
   { "John Doe <jdoe@machine(comment).  example>", comments }, { "[]*-- =~$", "example.org" },
   { "(foo) dinsdale(bar)@ (bird) example.com (bog)", comments },
      { '(foo) "roy a bug"(bar)@ (bird) example.com (bog)', comments },
   { "<dinsdale@example.com", "> at its end" }, { "<@example.com, @two.example.com:dinsdale@example.com>",
      "Source routes" },
   -- MimeKit
   { "fejj", "example.org" }, { "fejj@helixcode.com.", "dot at its end" },
   { '":sysmail"@  Some-Group. Some-Org,\n Muhammed.(I am  the greatest) Ali @(the)Vegas.WBA', "line break" },
   { "Jeffrey Stedfast <fejj(recursive (comment) block)@helixcode.(and a comment here)com>", comments },
   { "Jeffrey Stedfast <fejj@helixcode.com.>", "dot at its end" },
   { "GNOME Hackers: Miguel de Icaza <miguel@gnome.org>, Havoc Pennington <hp@redhat.com>;, fejj@helixcode.com",
      "group" },
   { "Local recipients: phil, joe, alex, bob", list }, { "Routed Address <@route:user@domain.com>", "Source routes" },
   { "<@route1,,@route2,,,@route3:user@domain.com>", "Source routes" },
   { "A Group(Some people):Chris Jones <c@(Chris's host.)public.example>, joe@example.org;", "group" },
   { "Patrik F\165dltstr\165vm <paf@nada.kth.se>", "UTF-8" }, { "Name <\230\248\229@example.com>", "UTF-8" },
   { "fejj@helixcode.com garbage", space }, { " \t\r\n", "line break" }, { "Name <", "> at its end" }, { "jeff@",
      "example.org" },
   { "jeff.", "example.org" }, { '"This quoted string never ends... oh no!', "example.org" },
   { "Name (incomplete comment", comments }, { "jeff@xamarin.com (incomplete comment", comments },
   { "jeff@[127.0.0.1] (incomplete comment", comments }, { "<jeff@xamarin.com> (incomplete comment", comments },
   { "jeff@ (comment)", comments }, { "Name <@", "> at its end" }, { "Name <@route:", "Source routes|> at its end" },
   { "Name <@route,(comment", comments .. "|" .. list }, { "Name <@route,invalid:user@example.com>", "Source routes" },
   { "jeff>", "< before" }, { "jeff (Jeffrey Stedfast", comments }, { "Skye <@hackers.com,@shield.gov", list
      .. "|> at its end" },
   { "Skye <skye@shield.gov>, Leo Fitz <fitz@shield.gov>, Melinda May <may@shield.gov>", list },
   { "Agents of Shield: Skye <skye@shield.gov>, Leo Fitz <fitz@shield.gov>;", "group" }, { "Agents of Shield:",
      "example.org" },
   { "<<<user2@example.org>>>", "in quotes" }, { "<another@example.net", "> at its end" },
   { "second@example.org>", "< before" }, { ' "', "example.org" },
}

local function shown(text)
   return (text:sub(1, 60):gsub("[%z\1-\31\127]", "?"))
end

describe("addresses of other libraries' tests", function()
   for i, row in ipairs(taken) do
      it(("%d: %s"):format(i, shown(row[1])), function()
         local entry = assert(parse(row[1], "to"))
         assert.same({ row[2], row[3] or row[1]:gsub("^<(.*)>$", "%1") }, { entry.name, entry.address })
      end)
   end

   for i, row in ipairs(refused) do
      it(("refused %d: %s"):format(i, shown(row[1])), function()
         local entry, err = parse(row[1], "to")
         assert.is_nil(entry)
         assert.truthy(safe.is_error(err, "usage"))
         local fits = false
         for word in row[2]:gmatch "[^|]+" do fits = fits or err.hint:find(word, 1, true) end
         assert.truthy(fits, err.hint)
      end)
   end
end)
