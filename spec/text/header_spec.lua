-- Bcc and Resent-Bcc never leave, whatever a message comes from and however it is cut.
local core = require "smtp.core"
local keys = require "spec.tools.dkim_keys"
local safe = require "smtp.safe"
local spec_server = require "spec.tools.server"

local secret = "eve@hidden.example"

-- Each has a Bcc in its header.
local leaks = {
   ["alone"] = "Bcc: %s\r\n\r\nx\r\n",
   ["first of two"] = "Bcc: %s\r\nSubject: x\r\n\r\nx\r\n",
   ["last"] = "Subject: x\r\nBcc: %s\r\n\r\nx\r\n",
   ["at the end of all"] = "Subject: x\r\nBcc: %s",
   ["in capitals"] = "Subject: x\r\nBCC: %s\r\n\r\nx\r\n",
   ["in mixed case"] = "Subject: x\r\nbCc: %s\r\n\r\nx\r\n",
   ["after a byte order mark"] = "\239\187\191Bcc: %s\r\nSubject: x\r\n\r\nx\r\n",
   ["after a byte order mark in a later line"] = "Subject: x\r\n\239\187\191Bcc: %s\r\n\r\nx\r\n",
   ["after blanks, first of all"] = " \tBcc: %s\r\nSubject: x\r\n\r\nx\r\n",
   ["with a blank before the colon"] = "Subject: x\r\nBcc : %s\r\n\r\nx\r\n",
   ["with blanks and a TAB before the colon"] = "Subject: x\r\nBcc \t : %s\r\n\r\nx\r\n",
   ["with a fold before the colon"] = "Subject: x\r\nBcc\r\n : %s\r\n\r\nx\r\n",
   ["after a folded header"] = "Subject: x\r\n y\r\n\tz\r\nBcc: %s\r\n\r\nx\r\n",
   ["after a fold of blanks alone"] = "Subject: x\r\n \r\nBcc: %s\r\n\r\nx\r\n",
   ["after a long header"] = "Subject: " .. ("x"):rep(900) .. "\r\nBcc: %s\r\n\r\nx\r\n",
   ["with lines that end in LF"] = "Subject: x\nBcc: %s\n\nx\n",
   ["with lines that end in CR"] = "Subject: x\rBcc: %s\r\rx\r",
   ["with lines that end in any way"] = "Subject: x\rX: y\nBcc: %s\r\n\rx\n",
   ["of Resent-Bcc"] = "Resent-Bcc: %s\r\nSubject: x\r\n\r\nx\r\n",
   ["of Resent-Bcc in capitals"] = "Subject: x\nRESENT-BCC\t: %s\n\nx\n",
   ["after a name that begins like it"] = "Bc: x\r\nBccc: x\r\nResent-B: x\r\nBcc: %s\r\n\r\nx\r\n",
   ["without anything after it"] = "Subject: x\r\nBcc:\r\n\r\n%s\r\n",
}

-- None of these has one.
local texts = {
   ["in the body"] = "Subject: x\r\n\r\nBcc: x\r\nResent-Bcc: x\r\n",
   ["in a body after LF"] = "Subject: x\n\nBcc: x\n",
   ["in a body after CR"] = "Subject: x\r\rBcc: x\r",
   ["in a body without a header"] = "\r\nBcc: x\r\n",
   ["in a folded line"] = "Subject: x\r\n Bcc: x\r\n\r\nx\r\n",
   ["within a line"] = "Subject: Bcc: x\r\nX-Bcc: x\r\nBccx: x\r\nBcc-x: x\r\nXResent-Bcc: x\r\n\r\nx\r\n",
   ["as a name with no colon"] = "Subject: x\r\nBcc\r\n\r\n: x\r\n",
   ["in part"] = "Bc: x\r\nB\r\ncc: x\r\nResent-B-cc: x\r\n\r\nx\r\n",
}

local function as_file(text)
   local file = io.tmpfile()
   file:write(text)
   file:seek("set", 0)
   return file
end

local function as_pieces(...)
   local list, i = { ... }, 0
   return function()
      i = i + 1
      return list[i]
   end
end

local function each_byte(text)
   local i = 0
   return function()
      i = i + 1
      return i <= #text and text:sub(i, i) or nil
   end
end

-- All bytes that left.
local function listener(more)
   local server = spec_server.new(more)
   local send, left = server.send, {}
   function server.send(self, data)
      local count, word, cause, sent = send(self, data)
      left[#left + 1] = data:sub(1, count or sent)
      return count, word, cause, sent
   end
   return server, function() return table.concat(left) end
end

local function message(raw, more)
   local t = { from = "ann@me.example", to = "bob@there.example", raw = raw }
   for name, value in pairs(more or {}) do t[name] = value end
   return t
end

local function send(raw, more, settings)
   local server, left = listener(settings or { capabilities = { "8BITMIME" } })
   local t = message(raw, more)
   t.host, t.domain, t.tls, t.transport = "mx.example", "me.example", "skip", server
   local receipt, err = safe.send(t)
   assert(not left():find(secret, 1, true), "it left")
   return receipt, err, server, left
end

local function is_usage(receipt, err, option)
   assert.is_nil(receipt)
   assert.equal("usage", err.kind)
   assert.equal(option == "headers" and option or "raw", err.option)
end

local function is_source(receipt, err, server)
   assert.is_nil(receipt)
   assert.same({ "source", "bcc", "no", "never" }, { err.kind, err.reason, err.sent, err.retry })
   assert.same({}, server and server.taken or {})
end

describe("A Bcc in raw", function()
   for name, pattern in pairs(leaks) do
      local text = pattern:format(secret)
      it(name .. " is refused", function()
         for _, more in ipairs { {}, { recipients = "any" }, { eightbit = true },
            { extensions = { binarymime = "prefer" } }, { size = #text } } do
            local receipt, err, _, left = send(text, more)
            is_usage(receipt, err)
            assert.equal("", left())
            local file = as_file(text)
            receipt, err = send(file, more)
            is_usage(receipt, err)
            assert.equal(0, file:seek())
            file:close()
            more.eightbit = true -- a byte order mark is
            is_source(send(each_byte(text), more))
         end
         for cut = math.max(0, #text - 100), #text do
            local receipt, err, server = send(as_pieces(text:sub(1, cut), text:sub(cut + 1)), { eightbit = true })
            is_source(receipt, err, server)
         end
      end)

      it(name .. " is refused by smtp.message, and in a signed message", function()
         is_usage(safe.message(message(text)))
         is_usage(safe.message(message(as_file(text))))
         is_source(safe.message(message(each_byte(text))))
         local dkim = { domain = "me.example", selector = "s", key = keys.rfc.ed25519 }
         is_usage(send(text, { dkim = dkim }))
         is_source(send(each_byte(text), { dkim = dkim }))
         is_source(safe.message(message(each_byte(text), { dkim = dkim })))
      end)
   end

   for name, text in pairs(texts) do
      it(name .. " is text", function()
         assert(send(text))
         assert(send(text, { recipients = "any" }))
         assert(send(as_file(text)))
         assert(send(as_file(text), { eightbit = true }))
         assert(safe.message(message(text)))
         local wire = core.encoder("7bit")
         local want = wire:feed(text) .. wire:finish()
         for cut = 0, #text do
            for _, capabilities in ipairs { { "8BITMIME" }, { "8BITMIME", "CHUNKING", "PIPELINING" } } do
               local receipt, err, server = send(as_pieces(text:sub(1, cut), text:sub(cut + 1)), nil,
                  { capabilities = capabilities })
               assert(receipt, tostring(err))
               assert.equal(want, server.taken[1].body)
            end
         end
      end)
   end

   it("from a pipe is refused", function()
      local pipe = io.popen("printf 'Subject: x\\nBcc: " .. secret .. "\\n\\nx\\n'")
      local receipt, err, server = send(pipe)
      pipe:close()
      is_source(receipt, err, server)
   end)

   it("in a large header from a function is refused", function()
      local text = ("X-Filler: " .. ("y"):rep(70) .. "\r\n"):rep(3000) .. "Bcc: " .. secret .. "\r\n\r\nx\r\n"
      for _, capabilities in ipairs { {}, { "CHUNKING" }, { "SIZE", "PIPELINING" } } do
         is_source(send(as_pieces(text), nil, { capabilities = capabilities }))
      end
   end)

   it("is refused in every kind of chunk", function()
      for _, extensions in ipairs { { chunking = "require" }, { binarymime = "require" },
         { binarymime = "prefer" } } do
         for name, pattern in pairs(leaks) do
            local text = pattern:format(secret)
            local receipt, err, server = send(each_byte(text), { extensions = extensions, eightbit = true },
               { capabilities = { "CHUNKING", "BINARYMIME", "8BITMIME", "PIPELINING" } })
            assert(not receipt, name)
            is_source(receipt, err, server)
         end
      end
   end)

   it("is text in the body of octets", function()
      for _, text in ipairs { "Subject: x\r\n\r\nBcc: x\r\n\0", "\r\nBcc: x\r\n\0" } do
         for cut = 0, #text do
            local receipt, err, server = send(as_pieces(text:sub(1, cut), text:sub(cut + 1)),
               { extensions = { binarymime = "require" } },
               { capabilities = { "CHUNKING", "BINARYMIME", "8BITMIME" } })
            assert(receipt, tostring(err))
            assert.equal(text, server.taken[1].body)
         end
      end
   end)

   it("is refused where bare line ends are part of the header of octets", function()
      for _, text in ipairs { "Subject: x\n\nBcc: " .. secret .. "\r\n\r\nx",
         "X: x\r\rBcc: " .. secret .. "\r\n\r\n" } do
         for cut = 0, #text do
            is_source(send(as_pieces(text:sub(1, cut), text:sub(cut + 1)),
               { extensions = { binarymime = "require" } },
               { capabilities = { "CHUNKING", "BINARYMIME", "8BITMIME" } }))
         end
      end
   end)

   it("is refused by send_many, smtp.connect and LMTP, and the others are sent", function()
      local text = "Subject: x\r\nBcc: " .. secret .. "\r\n\r\nx\r\n"
      for _, pipelining in ipairs { "off", "safe", "eager" } do
         local servers = {}
         local summary = assert(safe.send_many({ host = "mx.example", domain = "me.example", tls = "skip",
            pipelining = pipelining, transport = function()
               local server, left = listener()
               servers[#servers + 1] = { server, left }
               return server
            end }, { message("Subject: 1\r\n\r\nx\r\n"), message(text), message(each_byte(text)),
            message(as_file(text)), message("Subject: 2\r\n\r\nx\r\n") }, { connections = 1 }))
         local taken = 0
         for _, one in ipairs(servers) do
            taken = taken + #one[1].taken
            assert(not one[2]():find(secret, 1, true))
         end
         assert.same({ 2, 2 }, { summary.sent, taken })
         is_usage(nil, summary.results[2])
         is_source(nil, summary.results[3])
         is_usage(nil, summary.results[4])
      end
      local server, left = listener()
      local connection = assert(safe.connect { host = "mx.example", domain = "me.example", tls = "skip",
         transport = server })
      is_usage(connection:send(message(text)))
      assert(connection:send(message("Subject: 1\r\n\r\nx\r\n")))
      is_source(connection:send(message(each_byte(text))))
      connection:close()
      assert(not left():find(secret, 1, true))
      is_source(send(each_byte(text), { protocol = "lmtp", port = 24 }))
   end)
end)

describe("A Bcc in headers", function()
   for _, name in ipairs { "Bcc", "BCC", "bcc", "Resent-Bcc", "RESENT-BCC", "resent-bcc", "Bcc ", "Bcc\t",
      "\239\187\191Bcc", "Bcc:", "X: y\r\nBcc" } do
      it(("named %q is refused"):format(name), function()
         for _, headers in ipairs { { [name] = secret }, { { name, secret } } } do
            local receipt, err = send(nil, { text = "x", headers = headers })
            is_usage(receipt, err, "headers")
         end
      end)
   end
end)

describe("A raw message that begins with", function()
   local rest = "Subject: x\r\n\r\nx\r\n"
   local wrong = {
      ["the line of an mbox file"] = { "From ann@me.example Mon Nov 30 12:00:00 2026\r\n" .. rest, "mbox" },
      ["the line of an mbox file that ends in LF"] = { "From MAILER-DAEMON Fri Jul  8 12:08:34 2011\nSubject: x\n\nx\n",
         "mbox" },
      ["the line of an mbox file with a colon in it"] = { "From - Mon: x\r\n" .. rest, "mbox" },
      ["the line of an mbox file, quoted"] = { ">From ann@me.example Mon Nov 30 12:00:00 2026\n" .. rest, "mbox" },
      ["the shortest line of an mbox file"] = { "From \r\n" .. rest, "mbox" },
      ["a byte order mark"] = { "\239\187\191" .. rest, "byte_order_mark" },
      ["a byte order mark before the line of an mbox file"] = { "\239\187\191From x\r\n" .. rest, "byte_order_mark" },
      ["that of UTF-16"] = { "\254\255\0S\0u\0b\0j", "byte_order_mark" },
      ["that of UTF-16 in the other order"] = { "\255\254S\0u\0b\0j\0", "byte_order_mark" },
   }
   local remedies = { mbox = "Remove that line", byte_order_mark = "without a byte order mark" }
   local dkim = { domain = "me.example", selector = "s", key = keys.rfc.ed25519 }

   local function has_remedy(reason, receipt, err, option)
      assert.is_nil(receipt)
      assert.same(option and { "usage", option } or { "source", nil }, { err.kind, err.option })
      assert.equal(not option and reason or nil, not option and err.reason or nil)
      assert.truthy(err.hint:find(remedies[reason], 1, true), tostring(err))
      assert.equal("no", err.sent)
   end

   for name, row in pairs(wrong) do
      local text, reason = row[1], row[2]

      it(name .. " is refused with the remedy, signed or not", function()
         for _, more in ipairs { {}, { dkim = dkim }, { eightbit = true },
            { extensions = { binarymime = "prefer" } } } do
            local receipt, err, _, left = send(text, more)
            has_remedy(reason, receipt, err, "raw")
            assert.equal("", left())
            has_remedy(reason, nil, select(2, safe.message(message(text, more))), "raw")
            for _, kind in ipairs { as_file(text), as_file("xx" .. text) } do
               if kind:seek("end") > #text then kind:seek("set", 2) else kind:seek("set", 0) end
               receipt, err = send(kind, more)
               has_remedy(reason, receipt, err, "raw")
               kind:close()
            end
         end
      end)

      it(name .. " is refused from a function, however it is cut", function()
         for _, more in ipairs { {}, { dkim = dkim }, { eightbit = true }, { extensions = { binarymime = "require" } },
            { extensions = { chunking = "prefer" } } } do
            local capabilities = { "8BITMIME", "CHUNKING", "BINARYMIME" }
            for cut = -1, math.min(#text, 12) do
               local function pieces()
                  if cut < 0 then return each_byte(text) end
                  return as_pieces(text:sub(1, cut), text:sub(cut + 1))
               end
               if not (more.dkim and more.extensions) then
                  local receipt, err, server = send(pieces(), more, { capabilities = capabilities })
                  has_remedy(reason, receipt, err)
                  assert.same({}, server.taken)
               end
               has_remedy(reason, nil, select(2, safe.message(message(pieces(), more))))
            end
         end
      end)

      it(name .. " is refused from a pipe, and by send_many, connection:send, LMTP and smtp.dkim", function()
         local path = os.tmpname()
         local file = io.open(path, "wb")
         file:write(text)
         file:close()
         local pipe = io.popen("cat " .. path)
         local receipt, err = send(pipe)
         has_remedy(reason, receipt, err)
         pipe:close()
         os.remove(path)
         local server = spec_server.new()
         local way = { host = "mx.example", domain = "me.example", tls = "skip", transport = server }
         local good = message "Subject: 1\r\n\r\nx\r\n"
         local summary = assert(safe.send_many(way, { good, message(text), good }, { connections = 1 }))
         assert.equal(2, summary.sent)
         has_remedy(reason, nil, summary.results[2], "raw")
         way.transport = spec_server.new()
         local connection = assert(safe.connect(way))
         has_remedy(reason, nil, select(2, connection:send(message(text))), "raw")
         assert(connection:send(good))
         connection:close()
         has_remedy(reason, nil, select(2, safe.send { transport = spec_server.new(), protocol = "lmtp", port = 24,
            host = "mx.example", tls = "skip", from = "ann@me.example", to = "bob@there.example", raw = text }), "raw")
         receipt, err = require("smtp.dkim").sign(text, dkim)
         assert.is_nil(receipt)
         has_remedy(reason, nil, err, "message")
      end)
   end

   for name, text in pairs {
      ["From"] = "From: ann@me.example\r\n" .. rest,
      ["From and blanks before its colon"] = "From : ann@me.example\r\n" .. rest,
      ["From and a TAB before its colon"] = "From \t : ann@me.example\r\n" .. rest,
      ["a name that begins with From"] = "From-Somewhere: x\r\n" .. rest,
      ["From in small letters"] = "from: x\r\n" .. rest,
      ["nothing of a header"] = "\r\nFrom ann@me.example Mon\r\n",
      ["another header, and has such a line in its body"] = rest .. "From ann@me.example Mon\r\n",
      ["three letters"] = "Fro",
      ["a letter"] = "F",
   } do
      it(name .. " is sent", function()
         local wire = core.encode(text, "7bit")
         if wire:sub(-1) ~= "\n" then wire = wire .. "\r\n" end
         for cut = 0, math.min(#text, 12) do
            for _, raw in ipairs { text, as_file(text), as_pieces(text:sub(1, cut), text:sub(cut + 1)),
               each_byte(text) } do
               local receipt, err, server = send(raw)
               assert(receipt, tostring(err))
               assert.equal(wire, server.taken[1].body)
            end
         end
      end)
   end

   it("few bytes is read from a function once only, and an empty one is empty", function()
      for _, text in ipairs { "", "X: y" } do
         local calls = 0
         local receipt = assert(send(function()
            calls = calls + 1
            if calls == 1 and text ~= "" then return text end
            assert(calls <= 2, "called after its end")
         end))
         assert.is_table(receipt)
      end
   end)
end)
