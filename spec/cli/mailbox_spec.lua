local command = require "spec.tools.command"
local errors = require "smtp.errors"
local interpreter = require("spec.tools.peer").interpreter
local mailbox = require "smtp.cli.mailbox"
local socket = require "smtp.socket"

local message = { from = "ann@me.example", to = { "bob@there.example", "carol@there.example" },
   data = "Subject: x\r\n\r\na\rb\n\r\n" }

describe("lua-smtp sink stores messages", function()
   local folder
   before_each(function()
      folder = os.tmpname()
      os.remove(folder)
   end)
   after_each(function() os.execute("rm -rf " .. folder) end)

   local function list(path)
      local names, printed = {}, command.run(("ls -A %s/%s"):format(folder, path or ""))
      for name in printed:gmatch("[^\n]+") do names[#names + 1] = name end
      return names
   end

   it("in a Maildir, which Python reads", function()
      local box = mailbox.open("maildir", folder .. "/a/b//")
      local path = box:store(message)
      box:store(message)
      assert.same({ 0, 2, 0 }, { #list "a/b/tmp", #list "a/b/new", #list "a/b/cur" })
      assert.matches("^" .. folder:gsub("%p", "%%%0") .. "/a/b/new/%d+%.M%d%d%d%d%d%dR%x+Q%d+%.[^/:]+$", path)
      assert.equal("Return-Path: <ann@me.example>\nDelivered-To: bob@there.example\nDelivered-To: carol@there.example\n"
         .. "Subject: x\n\na\rb\n\n", command.read(path))
      assert.equal("2 x <ann@me.example>\n", command.run(([[python3 -c 'import mailbox
box = mailbox.Maildir("%s/a/b", create=False)
print(len(box), box.values()[0]["subject"], box.values()[0]["return-path"])']]):format(folder)))
      assert.equal("drwx------ 700\n-rw------- 600\n",
         command.run(("stat -c '%%A %%a' %s/a/b %s"):format(folder, path)))
   end)

   it("in files that sort by arrival, byte for byte", function()
      local box, paths = mailbox.open("eml", folder), {}
      for i = 1, 50 do
         paths[i] = box:store { from = "", to = {}, data = i .. "\r\n\0" }:match("[^/]+$")
      end
      assert.same(paths, list())
      assert.matches("^%d%d%d%d%d%d%d%dT%d%d%d%d%d%d%.%d%d%d%d%d%dZ%-%x+%.eml$", paths[1])
      assert.equal("7\r\n\0", command.read(folder .. "/" .. paths[7]))
      mailbox.open("eml", folder)
      assert.equal(50, #list())
   end)

   it("with functions of C that return true, or nil and why", function()
      local function results(name, ...) return { n = select("#", socket[name](...)), socket[name](...) } end
      local done, path = { n = 1, true }, folder .. "/x"
      assert.same(done, results("make_folder", folder))
      assert.equal(1, select("#", socket.write_new(path, "hello")))
      assert.same({ n = 2, nil, "File exists" }, results("write_new", path, "x"))
      assert.same({ n = 2, nil, "Not a directory" }, results("make_folder", path))
      assert.same({ n = 2, nil, "Bad file descriptor" }, results("keep_descriptor", 2000))
      assert.same({ n = 2, nil, "Bad file descriptor" }, results("tell_descriptor", 2000, "x"))
      assert.equal(1, select("#", socket.microseconds()))
      assert.is_true(math.abs(socket.microseconds() / 1e6 - os.time()) < 60)
      command.write(path, ([[local socket = require "smtp.socket"
         local kept = socket.keep_descriptor(8)
         io.write(tostring(kept), " ", select("#", socket.keep_descriptor(8)), " ")
         io.write(tostring(socket.tell_descriptor(8, "ready")))
         io.write(" ", select("#", socket.tell_descriptor(7, "")), " ", tostring(select(2, socket.keep_descriptor(6))))
      ]]))
      assert.equal("true 1 true 1 it is not for writing",
         command.own(("%s %s 8>%s/8 7>/dev/null 6</dev/null"):format(interpreter, path, folder)))
      assert.equal("ready", command.read(folder .. "/8"))
   end)

   it("or says why it cannot", function()
      command.write(folder, "")
      for _, path in ipairs { folder, folder .. "/a", "/dev/null/b", "" } do
         for _, flag in ipairs { "maildir", "eml" } do
            local box, err = errors.returning(mailbox.open)(flag, path)
            assert.is_nil(box)
            assert.same({ "usage", flag }, { err.kind, err.option })
            assert.matches(("--%s %s cannot be used: "):format(flag, path), tostring(err), 1, true)
         end
      end
      os.remove(folder)
      local box = mailbox.open("maildir", folder)
      os.execute(("rm -r %s/new"):format(folder))
      local path, why = box:store(message)
      assert.is_nil(path)
      assert.matches("No such file", why)
      assert.same({}, list "tmp")
      os.execute(("rm -r %s/tmp"):format(folder))
      assert.matches("tmp/.*: No such file", select(2, box:store(message)))
      if io.open("/dev/full") then
         assert.same({ nil, "File exists" }, { socket.write_new("/dev/full", "x") })
      end
   end)

   it("or removes what is unfinished", function()
      local box = mailbox.open("eml", folder)
      box:abandon()
      box.unfinished = folder .. "/.x.tmp"
      command.write(box.unfinished, "x")
      box:abandon()
      assert.same({}, list())
   end)
end)
