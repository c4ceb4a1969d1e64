--- A server that checks each command by the grammar of its RFC, and what a message's header has.

local lower = require("smtp.ground.ascii").lower -- in any locale
local spec_server = require "spec.tools.server"
local values = require "spec.fuzz.values"

local wire = {}

local offers = { "PIPELINING", "CHUNKING", "8BITMIME", "SMTPUTF8", "DSN", "SIZE 20000", "REQUIRETLS", "DELIVERBY",
   "FUTURERELEASE 86400 2030-12-31T00:00:00Z", "MT-PRIORITY MIXER", "AUTH PLAIN LOGIN XOAUTH2", "STARTTLS",
      "LIMITS RCPTMAX=2" }

local replies = { mail = { "451 later", "550 5.7.1 no" }, rcpt = { "550 5.1.1 no", "452 4.5.3 too many", "450 later" },
   data = { "554 no", "451 later" }, final = { "554 5.7.1 no", "451 later" }, chunk = { "554 no" } }

--- A server with some of what servers offer. `refuses`: one command that it refuses now and then.
function wire.server(r)
   local list = {}
   for i = 1, #offers do
      if r:once_in(2) then list[#list + 1] = offers[i] end
   end
   local refused = r:once_in(4) and r:pick { "mail", "rcpt", "data", "final", "chunk" }
   local server = spec_server.new { capabilities = list, refuses = refused, connects = 0, reply = function(_, what)
      if what == refused and r:once_in(2) then return r:pick(replies[what]) end
   end }
   function server.connect()
      server.connects = server.connects + 1
      return true
   end
   function server.sslhandshake(_, _, _, verify)
      server.secure = verify or nil
      return true
   end
   return server
end

local path = "<[^%z\1-\31\127]*>"

local grammar = {
   "^EHLO %S+$", "^HELO %S+$", "^LHLO %S+$", "^MAIL FROM:" .. path .. "( .*)$", "^RCPT TO:" .. path .. "( .*)$",
      "^DATA$",
   "^BDAT %d+$", "^BDAT %d+ LAST$", "^RSET$", "^NOOP$", "^QUIT$", "^STARTTLS$", "^AUTH [%u%d_-]+ ?[%w+/=]*$",
   "^VRFY [^%z\1-\31\127-\255]+$", "^[%w+/=*]*$",
}

-- KEYWORD or KEYWORD=value, each after a space (RFC 5321 4.1.2).
local function are_parameters(text)
   local rest = text:gsub(" [%w][%w-]*=[%w!#-<>-~]+", ""):gsub(" [%w][%w-]*", "")
   return rest == ""
end

local function is_command(line)
   for _, pattern in ipairs(grammar) do
      local parameters = (line .. (pattern:find("( .*)", 1, true) and " " or "")):match(pattern)
      if parameters then
         return parameters == line or are_parameters((parameters:gsub(" $", "")))
      end
   end
end

--- Nothing but commands was said, to this many recipients where that is known.
function wire.check_commands(server)
   for _, line in ipairs(server.lines) do
      if line:find("[%z\1-\31\127]") or not is_command(line) then error(("the client said %q"):format(line), 0) end
      if line:find(values.EVIL, 1, true) and not line:find("[<:;]\"", 1) then
         error(("a recipient was injected: %q"):format(line), 0)
      end
   end
end

--- The fields of a message's header: a list of { name, value }; values are unfolded.
function wire.header(message)
   local list = {}
   local head = message:match("^(.-\r\n)\r\n") or message
   for line in head:gmatch("(.-)\r\n") do
      local name, value = line:match("^([!-9;-~]+):(.*)$")
      if line:find("^[ \t]") and #list > 0 then
         list[#list][2] = list[#list][2] .. line
      elseif name then
         list[#list + 1] = { name, value }
      else
         error(("this is not a field of a header: %q"):format(line), 0)
      end
   end
   return list
end

local composed = {}
for name in ([[Date From To Cc Reply-To Sender Subject Message-ID In-Reply-To References MIME-Version Content-Type
   Content-Transfer-Encoding Content-Disposition Content-ID X-Priority Importance Priority X-MSMail-Priority
   List-Unsubscribe List-Unsubscribe-Post DKIM-Signature]]):gmatch "%S+" do composed[lower(name)] = true end

--- A composed message has the fields that options stand for, and those that the caller named.
function wire.check_header(message, options)
   local own = {}
   for key, value in next, type(options.headers) == "table" and options.headers or {} do
      local name = type(value) == "table" and rawget(value, 1) or key
      if type(name) == "string" then own[lower(name)] = true end
   end
   local seen = {}
   for _, field in ipairs(wire.header(message)) do
      local name = lower(field[1])
      if not composed[name] and not own[name] then error("a header was injected: " .. field[1], 0) end
      if seen[name] and composed[name] and name ~= "dkim-signature" then error("twice: " .. field[1], 0) end
      seen[name] = true
   end
   if message:find("[^\r]\n") or message:find("\r[^\n]") or message:find("%z") then error("a bare line end", 0) end
end

--- A message that was given whole arrives as it was, but for line ends, and signatures before it.
function wire.check_whole(message, raw)
   local text = raw:gsub("\r\n", "\n"):gsub("\r", "\n"):gsub("\n", "\r\n")
   if text ~= "" and not text:find("\r\n$") then text = text .. "\r\n" end
   local added = message:sub(1, #message - #text)
   if added .. text ~= message then error(("the message arrived as %q"):format(message), 0) end
   for _, field in ipairs(wire.header(added)) do
      if field[1] ~= "DKIM-Signature" then error("a header was added: " .. field[1], 0) end
   end
end

return wire
