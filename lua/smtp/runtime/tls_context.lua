--- The TLS settings of connections, made once for the same options and files.
-- @module smtp.runtime.tls_context

local bounded = require "smtp.ground.bounded"
local core = require "smtp.core"
local errors = require "smtp.errors"
local system = require "smtp.ground.resources"

local tls_context = {}

local function file_stamp(path)
   local _, stamp = core.file(path)
   return stamp -- or why there is none
end

--- A text that changes when one of the certificate files in the options does: certificates are
-- renewed.
---@return string
function tls_context.stamp(server)
   local stamp = server.tls_ca_file and file_stamp(server.tls_ca_file) or ""
   if not server.tls_cert then return stamp end
   return table.concat({ stamp, file_stamp(server.tls_cert), file_stamp(server.tls_key) }, "\n")
end

-- One TLS context per configuration, as long as its files are the same: making one costs more than
-- a message, and sessions resume within it. { context =, stamp =, forgotten = } by the options of
-- TLS, and by server.
local contexts, by_server = bounded.new(64), setmetatable({}, { __mode = "k" })

-- The same, held by the others. Values are weak too: Lua 5.1 keeps an entry that names its key.
local by_context = setmetatable({}, { __mode = "kv" })

local FORGET_AGAIN = 60 -- seconds after which settings may be forgotten once more

local function key_of(server)
   return table.concat({ tostring(server.tls_verify), server.tls_ca_file or "",
      server.tls_ca_path or "", server.tls_cert or "", server.tls_key or "",
      server.tls_min_version or "", server.tls_pin or "" }, "\0")
end

local hints = {
   ca_file = "Give a file with certificates of authorities in PEM",
   ca_path = "Run openssl rehash on it, or give tls_ca_file",
   cert = "Give a certificate in PEM, with the intermediate certificates after it",
   key = "Give the private key of tls_cert, in PEM and unencrypted",
   pin = "Give the SHA-256 of the server's public key in base64 (44 characters)",
}

--- The error of an option of TLS that cannot be used.
---@param option string    its name without tls_, or "system": this machine lacks something
---@param why string
---@param path? string     its value; nil: the certificates of this machine
---@return table   a UsageError or a SystemError
function tls_context.unusable(option, why, path)
   if option == "system" then return system.error("TLS cannot be used: " .. why) end
   local hint = hints[option]
   if not path then
      hint = "Install ca-certificates, or give tls_ca_file"
   elseif option ~= "pin" and option ~= "ca_path" and not system.read_file(path, 1) then
      hint = system.PATH_HINT
   end
   return errors.usage("tls_" .. option, ("tls_%s cannot be used: %s"):format(option, why), hint)
end

local function make(server, stamp)
   local key = key_of(server)
   local entry = contexts:get(key)
   if entry and entry.stamp == stamp then return entry end
   local tls, lack = system.load "smtp.tls" -- which brings OpenSSL into the process
   if not tls then return nil, system.error("TLS cannot be used: " .. lack) end
   local context, option, why = tls.context {
      verify = server.tls_verify, ca_file = server.tls_ca_file, ca_path = server.tls_ca_path,
      cert = server.tls_cert, key = server.tls_key,
      min_version = server.tls_min_version or "1.2", pin = server.tls_pin,
   }
   if not context then return nil, tls_context.unusable(option, why, server["tls_" .. option]) end
   entry = { context = context, stamp = stamp, forgotten = entry and entry.forgotten }
   by_context[context] = entry
   return contexts:set(key, entry)
end

--- A handshake failed. OpenSSL may be at fault: where it had no memory for a moment, it remembers
-- of a certificate or a cipher that it is of no use. The next connection has other settings; but a
-- server that always fails does not take them from other servers each time.
---@param context any
function tls_context.forget(context)
   local entry = by_context[context]
   if not entry or (entry.forgotten and core.now() - entry.forgotten < FORGET_AGAIN) then return end
   entry.stamp, entry.forgotten = nil, core.now()
end

--- The settings for this server.
---@return userdata|nil context
---@return table|nil err
function tls_context.get(server)
   local entry, stamp, err = by_server[server], tls_context.stamp(server), nil
   if not entry or entry.stamp ~= stamp then
      entry, err = make(server, stamp)
      by_server[server] = entry
   end
   return entry and entry.context, err
end

return tls_context
