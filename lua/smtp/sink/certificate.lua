--- The certificate of a sink that got none: made by the openssl command, for this machine only.
-- @module smtp.sink.certificate

local core = require "smtp.core"
local errors = require "smtp.errors"
local system = require "smtp.ground.resources"

local function shell_word(text)
   return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- A pipe to a command; where this machine lacks the means: nil and a SystemError.
local function open_pipe(command, mode)
   local pipe, why, errno = io.popen(command, mode)
   if pipe or not system.lacks(errno) then return pipe end
   return nil, system.error("a certificate cannot be made: " .. why:gsub("^.*: ", ""))
end

-- In a folder that only this user may enter. Room comes first, since openssl does not report a
-- full disk.
local COMMAND = "exec 2>&1; umask 077; mkdir %s && cd %s || exit; "
   .. "head -c 16384 /dev/zero >key.pem || exit; "
   .. "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
   .. "-subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1 "
   .. "-keyout key.pem -out certificate.pem >/dev/null 2>&1 && echo made || echo none"

--- Make one. The name of its folder cannot be foreseen: mkdir fails where it exists. A shell waits
-- at the other end of a pipe until the sink closes it, or until this process ends in whatever way,
-- and then removes the folder.
---@return table|nil   key =, certificate = their paths; remover = the pipe
---@return table|nil err
local function make()
   local folder = ("%s/lua-smtp-%s"):format(os.getenv "TMPDIR" or "/tmp",
      core.base64(core.random(18)):gsub("/", "-"))
   local word = shell_word(folder)
   local made = { key = folder .. "/key.pem", certificate = folder .. "/certificate.pem" }
   local pipe, err
   made.remover, err = open_pipe("trap '' HUP INT QUIT TERM; exec >/dev/null 2>&1; read end; "
      .. "rm -rf " .. word, "w")
   if not err then pipe, err = open_pipe(COMMAND:format(word, word), "r") end
   local said = pipe and pipe:read("*l")
   if pipe then pipe:close() end
   if said == "made" then return made end
   if made.remover then made.remover:close() end
   if pipe and said ~= "none" then
      err = system.error("a certificate cannot be made: " .. (said or "the shell was ended"))
   end
   return nil, err or errors.usage("tls_cert", "the openssl command made no certificate",
      "Install it, or give tls_cert and tls_key")
end

return { make = make }
