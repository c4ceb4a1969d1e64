local arguments = require "smtp.cli.sendmail_arguments"
local errors = require "smtp.errors"

local unpack = table.unpack or unpack -- luacheck: ignore

local function read(...)
   return errors.returning(arguments.read) { ... }
end

-- The plan that differs from that without options only in these fields.
local function plan(more)
   local t = { recipients = {}, from_header = false, dot_ends = true, options = {} }
   for name, value in pairs(more) do t[name] = value end
   return t
end

local function refuses(text, ...)
   local _, err = read(...)
   assert.truthy(errors.is(err, "usage"), tostring(err))
   assert.truthy(err.what:find(text, 1, true), err.what)
   assert.truthy(err.hint)
   return err
end

describe("the arguments of sendmail", function()
   it("may be those that programs give", function()
      for line, more in pairs {
         ["-FCronDaemon -i -B8BITMIME -oem root"] = { recipients = { "root" }, name = "CronDaemon", dot_ends = false },
         ["-t -i"] = { from_header = true, dot_ends = false },
         ["-oem -oi -f ann@x.example -- bob@y.example"] =
            { recipients = { "bob@y.example" }, sender = "ann@x.example", dot_ends = false },
         ["-oi -t -fann@x.example -bm"] = { from_header = true, dot_ends = false, sender = "ann@x.example" },
         ["-i -r ann@x.example bob carol"] =
            { recipients = { "bob", "carol" }, sender = "ann@x.example", dot_ends = false },
         ["-ti"] = { from_header = true, dot_ends = false },
         ["-itfann@x.example"] = { from_header = true, dot_ends = false, sender = "ann@x.example" },
         ["-N failure,delay -R hdrs -V id-7 bob"] =
            { recipients = { "bob" }, options = { dsn_notify = { "failure", "delay" }, dsn_ret = "hdrs",
               dsn_envid = "id-7" } },
         ["-Nnever -RFULL bob"] = { recipients = { "bob" }, options = { dsn_notify = { "never" }, dsn_ret = "full" } },
         ["-v -odb -oQ/var/x -C /etc/x -O DeliveryMode=i -L tag -h 3 -G -U -n -m -em -X /x -Am bob"] =
            { recipients = { "bob" }, options = { trace = true } },
      } do
         local words = {}
         for word in line:gmatch("%S+") do words[#words + 1] = word end
         assert.same(plan(more), read(unpack(words)), line)
      end
   end)

   it("may have values of several words, and empty ones", function()
      assert.same(plan { name = "Ann Lee", sender = "" }, read("-F", "Ann Lee", "-f", ""))
      assert.same(plan { name = "Ann Lee", sender = "<>" }, read("-FAnn Lee", "-f<>"))
   end)

   it("may have flags of lua-smtp before all others, not among what a program adds", function()
      assert.same(plan { recipients = { "bob" }, from_header = true,
         options = { host = "h", port = "2525", json = true, tls_verify = false } },
         read("--host", "h", "--port=2525", "--json", "--no-tls-verify", "-t", "bob"))
      refuses("sendmail has no flag --hots", "--hots", "h", "bob")
      refuses("the flag --config comes after -fann", "-t", "-i", "-fann", "--config=/tmp/x")
      refuses("the flag --config comes after -i", "--host", "h", "-i", "--config", "/tmp/x", "bob")
      refuses("the option --config comes after an address", "bob", "--config", "/tmp/x")
   end)

   it("end before the first address, and after --", function()
      assert.same(plan { recipients = { "-x@y.example" } }, read("--", "-x@y.example"))
      assert.same(plan { recipients = { "-" } }, read("--", "-"))
      refuses("the option -f comes after an address", "bob", "-f", "ann")
   end)

   it("are refused where they ask for more than to send one message", function()
      for mode, text in pairs { s = "speaks SMTP", d = "runs a server", p = "lists the queue", i = "aliases",
         v = "verifies addresses", t = "tests rules", h = "state of hosts", z = "there is no mode -bz" } do
         refuses(text, "-b" .. mode)
         refuses(text, "-b", mode)
      end
      assert.truthy(refuses("runs a server", "-bd").hint:find("lua-smtp sink", 1, true))
      assert.truthy(refuses("this command only sends", "-bd"))
      assert.truthy(refuses("lists the queue", "-bp").hint:find("lua-smtp outbox list", 1, true))
      assert.truthy(refuses("no queue", "-q").hint:find("lua-smtp outbox run", 1, true))
      for _, word in ipairs { "-q", "-q30m", "-tq" } do refuses("no queue", word) end
      refuses("aliases", "-I")
   end)

   it("are refused where sendmail does not have them", function()
      refuses("there is no option -z", "-z")
      refuses("there is no option -z", "-tz", "bob")
      refuses("-f needs a value", "-f")
      refuses("-F needs a value", "-tF")
   end)
end)
