-- What a user of this library writes for each of the workloads of spec/bench/compose/run, which leads it: a line with
-- a count on stdin, seconds of the processor on stdout. "show FILE" writes one message. ours.lua WORKLOAD FOLDER [PORT]
local smtp = require "smtp"

local workload, folder, port = arg[1], arg[2], tonumber(arg[3])

local function read(name)
   local file = assert(io.open(folder .. "/" .. name, "rb"))
   local text = file:read("*a")
   file:close()
   return text
end

local function options(more)
   local t = { from = "Ann Lee <ann@me.example>", to = "Bob <bob@there.example>", subject = "Garden News" }
   for key, value in pairs(more) do t[key] = value end
   return t
end

local function signer(algorithm)
   return { domain = "me.example", selector = algorithm, key = read(algorithm .. ".pem") }
end

local function newsletter(algorithm)
   local text, html, image = read "news.txt", read "news.html", read "news.png"
   local dkim = algorithm and signer(algorithm)
   return function()
      return options { text = text, html = html, dkim = dkim,
         attachments = { { content = image, filename = "logo.png", cid = "logo" } } }
   end
end

-- Options of the message, made for each as an application does.
local messages = {}

function messages.text(name)
   local text = read(name)
   return function() return options { text = text } end
end

messages.newsletter = newsletter

function messages.short()
   return function() return options { text = "Hello Bob,\n\nlunch at noon?\n\nAnn\n" } end
end

function messages.recipients(count)
   local to = {}
   for i = 1, tonumber(count) do to[i] = { name = "Guest " .. i, address = ("guest%d@there.example"):format(i) } end
   return function() return options { to = to, text = "hello" } end
end

function messages.attachments(count)
   local list = {}
   for i = 1, tonumber(count) do list[i] = { content = "x", filename = i .. ".bin" } end
   return function() return options { text = "hello", attachments = list } end
end

local kind, argument = workload:match("^(%a+):?(.*)$")
local message = messages[kind](argument ~= "" and argument or nil)

local function compose(count)
   for _ = 1, count do
      for _ in smtp.message(message()):source() do end -- as it is sent, piece by piece
   end
end

local function send(count)
   local i, failed = 0, nil
   smtp.send_many({ host = "127.0.0.1", port = port, domain = "me.example", pipelining = "eager" }, function()
      i = i + 1
      if i <= count then return message() end
   end, { connections = 1, window = 64, per_connection = count,
      on_result = function(_, _, err) failed = failed or err end })
   if failed then error(tostring(failed), 0) end
end

for line in io.lines() do
   local path = line:match("^show (.*)$")
   if path then
      local file = assert(io.open(path, "wb"))
      file:write(tostring(smtp.message(message())))
      file:close()
      print(0)
   else
      collectgarbage()
      local before = os.clock()
      if port then send(tonumber(line)) else compose(tonumber(line)) end
      print(("%.9f"):format(os.clock() - before))
   end
   io.stdout:flush()
end
