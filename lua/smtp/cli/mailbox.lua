--- Where lua-smtp sink stores messages: a Maildir, or a folder of .eml files. A message is written
-- under another name first, so that no program sees half of it.
-- @module smtp.cli.mailbox

local ascii = require "smtp.ground.ascii"
local core = require "smtp.core"
local errors = require "smtp.errors"
local socket = require "smtp.socket"

local Mailbox = { __name = "smtp.Mailbox" }
Mailbox.__index = Mailbox

local function random_digits()
   return ascii.escape(core.random(8) or "", ".", "%02x")
end

-- ---- names and contents, by kind ----

local kinds = {}

-- cr.yp.to/proto/maildir.html: seconds, what makes the name unique, the host. Lines end as in the
-- files of this system. Return-Path (RFC 5321 4.4) and Delivered-To are what a delivery adds: they
-- contain the envelope.
kinds.maildir = { folders = { "tmp", "new", "cur" }, from = "tmp/%s", to = "new/%s" }

function kinds.maildir.name(seconds, fraction, count)
   local host = core.hostname():gsub("/", "\\057"):gsub(":", "\\072")
   return ("%d.M%06dR%sQ%d.%s"):format(seconds, fraction, random_digits(), count,
      host ~= "" and host or "localhost")
end

function kinds.maildir.text(message)
   local lines = { ("Return-Path: <%s>"):format(message.from) }
   for i = 1, #message.to do lines[i + 1] = "Delivered-To: " .. message.to[i] end
   lines[#lines + 1] = message.data:gsub("\r\n", "\n")
   return table.concat(lines, "\n")
end

-- The message as it arrived.
kinds.eml = { folders = {}, from = ".%s.tmp", to = "%s" }

function kinds.eml.name(seconds, fraction)
   return ("%s.%06dZ-%s.eml"):format(os.date("!%Y%m%dT%H%M%S", seconds), fraction, random_digits())
end

function kinds.eml.text(message)
   return message.data
end

-- ---- the folders ----

-- Make a folder, and those that contain it. -> true | nil, the path, why
local function make_folders(path)
   for parent in path:gmatch("()/") do
      if parent > 1 then socket.make_folder(path:sub(1, parent - 1)) end
   end
   local ok, why = socket.make_folder(path)
   return ok, path, why
end

local function make_all(path, kind)
   local ok, failed, why = make_folders(path)
   for i = 1, #kind.folders do
      if ok then ok, failed, why = make_folders(path .. "/" .. kind.folders[i]) end
   end
   if not ok then return nil, ("%s: %s"):format(failed, why) end
   return true
end

-- A name of this moment, later than all before.
local function new_name(self)
   self.moment = math.max(socket.microseconds(), self.moment + 1)
   self.count = self.count + 1
   local seconds = math.floor(self.moment / 1e6)
   return self.kind.name(seconds, math.floor(self.moment - seconds * 1e6), self.count)
end

-- Write a text under a new name. -> its path | nil, why
local function write(self, text, is_trial)
   local name = new_name(self)
   local from = ("%s/" .. self.kind.from):format(self.path, name)
   local to = ("%s/" .. self.kind.to):format(self.path, name)
   self.unfinished = from
   local ok, why = socket.write_new(from, text)
   if not ok then
      why = ("%s: %s"):format(from, why)
   elseif is_trial then
      os.remove(from)
   else
      ok, why = os.rename(from, to)
      if not ok then os.remove(from) end
   end
   self.unfinished = nil
   if not ok then return nil, why end
   return to
end

--- Store a message.
---@param message smtp.SinkMessage
---@return string|nil path
---@return string|nil why
function Mailbox:store(message)
   return write(self, self.kind.text(message))
end

--- Remove the file of a message that is being stored: the command was interrupted.
function Mailbox:abandon()
   if self.unfinished then os.remove(self.unfinished) end
end

--- Open a mailbox; it is made if it does not exist. Raises a UsageError, which names the flag.
---@param flag string   "maildir" or "eml"
---@param path string
---@return table        a mailbox
local function open(flag, path)
   local bare = path:gsub("(.)/+$", "%1")
   local self = setmetatable({ kind = kinds[flag], path = bare, moment = 0, count = 0 }, Mailbox)
   local ok, why = make_all(bare, self.kind)
   if ok then ok, why = write(self, "", true) end
   if ok then return self end
   errors.refuse(flag, ("--%s %s cannot be used: %s"):format(flag, path, why),
      ("Write --%s DIR with a folder of yours"):format(flag))
end

return { open = open }
