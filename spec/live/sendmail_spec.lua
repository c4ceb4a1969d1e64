-- Programs of Debian that send mail by /usr/sbin/sendmail, which is a link to lua-smtp here: what arrives. The server
-- is the one that /etc/lua-smtp.lua names.
local command = require "spec.tools.command"
local keeper = require "spec.tools.keeper"
local servers = require "spec.live.servers"

describe("lua-smtp by the name sendmail", function()
   local live = servers.during(setup, teardown, servers.start_senders)
   local sink, own

   -- Runs it by the shell among the unpacked programs. -> what it printed
   local function run(line)
      local name = os.tmpname()
      command.write(name, "cd /var/home && export HOME=$PWD LC_ALL=C.UTF-8 && unset LUA_PATH LUA_CPATH\n" .. line)
      local said = command.run(("timeout 30 nsenter -m -r -w -t %s sh %s"):format(live.pid, name))
      os.remove(name)
      return said
   end

   setup(function()
      own = command.run "ls -l /usr/sbin/sendmail /usr/bin/lua-smtp"
      sink = keeper.start()
      assert.equal("", run(([[cat >/etc/lua-smtp.lua <<END
return { accounts = { box = { host = "127.0.0.1", port = %d, domain = "box.example" } } }
END]]):format(sink.port)))
   end)

   teardown(function() sink.stop() end)

   -- What a program sends: its envelope, its header without fields that are new each time, its body.
   local function sends(from, to, header, body, line)
      assert.equal("", run(line))
      local arrived = sink.next()
      assert.same({ from, to }, { arrived.from, arrived.to })
      local head, rest = arrived.data:match("^(.-\r\n)\r\n(.*)$")
      assert.truthy(head:find("\nDate: %a%a%a, [^\n]+\n") or head:find("^Date: %a%a%a, "))
      assert.truthy(head:find("Message%-I[dD]: <[^>\n]+@[^>\n]+>\r\n"))
      head = head:gsub("Date: [^\n]+\n", ""):gsub("Message%-I[dD]: [^\n]+\n", "")
      head = head:gsub("(git%-send%-email) [%d.]+", "%1 VERSION"):gsub("(s%-nail) v[%d.]+", "%1 VERSION")
      assert.equal((header:gsub("\n *", "\r\n"):gsub("HOST", run("uname -n"):match("[^\n]+"))), head)
      if body then assert.equal((body:gsub("\n", "\r\n")), rest) end
      return rest
   end

   it("sends the mail of cron", function()
      sends("root@box.example", "bob@there.example root@box.example",
         [[From: root@box.example (Cron Daemon)
         To: bob@there.example,root@box.example
         Subject: Cron <root@HOST> echo hello; printf 'w\303\266rld\n.\n'
         MIME-Version: 1.0
         Content-Type: text/plain; charset=US-ASCII
         Content-Transfer-Encoding: 8bit
         X-Cron-Env: <MAILTO=bob@there.example,root>
         X-Cron-Env: <SHELL=/bin/sh>
         X-Cron-Env: <HOME=/root>
         X-Cron-Env: <PATH=/usr/bin:/bin>
         X-Cron-Env: <LOGNAME=root>
         ]], "hello\nwörld\n.\n", [[
         cat >/etc/cron.d/spec <<'END'
MAILTO=bob@there.example,root
@reboot root echo hello; printf 'w\303\266rld\n.\n'
END
         env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin cron >/dev/null 2>&1]])
      run "kill $(cat /run/crond.pid)"
   end)

   it("sends the mail of mutt", function()
      sends("root@me.example", "bob@there.example carol@there.example dan@there.example",
         [[From: Ann <root@me.example>
         To: bob@there.example
         Cc: carol@there.example
         Subject: =?utf-8?B?R3LDvMOfZQ==?=
         MIME-Version: 1.0
         Content-Type: text/plain; charset=utf-8
         Content-Disposition: inline
         Content-Transfer-Encoding: 8bit
         ]], "hellö\n.\nbye\n", [[printf 'hellö\n.\nbye\n' | mutt -n -F /dev/null \
            -e 'set realname=Ann hostname=me.example send_charset=utf-8' -s Grüße \
            -c carol@there.example -b dan@there.example bob@there.example]])
   end)

   it("sends the mail of git send-email", function()
      run [[git init -q repo && cd repo && git config user.name Ann && git config user.email ann@me.example
         echo a >a && git add a && git commit -q -m 'add a' && git format-patch -q -1 --root -N]]
      local patch = run("cat repo/0001-add-a.patch")
      sends("ann@me.example", "bob@there.example carol@there.example dan@there.example",
         [[From: Ann <ann@me.example>
         To: bob@there.example
         Cc: Carol <carol@there.example>
         Subject: [PATCH] add a
         X-Mailer: git-send-email VERSION
         MIME-Version: 1.0
         Content-Transfer-Encoding: 8bit
         ]], patch:match("\n\n(.*)$"), [[cd repo && git send-email --quiet --confirm=never --suppress-cc=all \
            --envelope-sender=ann@me.example --to bob@there.example --cc 'Carol <carol@there.example>' \
            --bcc dan@there.example *.patch >out 2>&1 || cat out]])
   end)

   it("sends the mail of mail() of PHP", function()
      sends("ann@me.example", "bob@there.example dan@there.example",
         [[To: bob@there.example
         Subject: Hi
         From: web@me.example
         X-Odd:  a  b
         ]], "a\n.\nb\n\n",
         [[$(ls /usr/bin/php[0-9]* | head -n 1) -n -r 'exit(mail("bob@there.example", "Hi", "a\n.\nb\n",
            "From: web@me.example\r\nBcc: dan@there.example\r\nX-Odd:  a  b", "-fann@me.example") ? 0 : 1);']])
   end)

   it("sends the mail of bsd-mailx", function()
      sends("root@box.example", "bob@there.example root@box.example carol@there.example dan@there.example",
         [[To: bob@there.example, root@box.example
         Subject: Hi
         Cc: carol@there.example
         MIME-Version: 1.0
         Content-Type: text/plain; charset="UTF-8"
         Content-Transfer-Encoding: 8bit
         From: root@box.example
         ]], "hello\n", [[echo hello | LOGNAME=root bsd-mailx -s Hi -c carol@there.example -b dan@there.example \
            bob@there.example root]])
   end)

   it("sends the mail of s-nail", function()
      sends("ann@me.example", "bob@there.example carol@there.example",
         [[From: ann@me.example
         To: bob@there.example
         Subject: Hi
         User-Agent: s-nail VERSION
         ]], "hello\n", "echo hello | s-nail -:/ -s Hi -r ann@me.example -b carol@there.example bob@there.example")
   end)

   it("is so in its mount namespace alone", function()
      assert.equal(own, command.run "ls -l /usr/sbin/sendmail /usr/bin/lua-smtp")
      assert.matches("sendmail -> ../bin/lua-smtp\n", run("ls -l /usr/sbin/sendmail"), 1, true)
   end)

   it("sends the mail of logwatch", function()
      local body = sends("root@box.example", "bob@there.example",
         [[To: bob@there.example
         From: root@box.example
         Subject: Logwatch for HOST (Linux)
         Auto-Submitted: auto-generated
         Precedence: bulk
         MIME-Version: 1.0
         Content-Transfer-Encoding: 8bit
         Content-Type: text/plain; charset="UTF-8"
         ]], nil, "LOGNAME=root logwatch --output mail --mailto bob@there.example --range all --service sudo")
      assert.truthy(body:find("ann => root", 1, true), body)
   end)
end)
