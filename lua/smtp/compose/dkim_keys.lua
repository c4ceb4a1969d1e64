--- The option `dkim`: the signers of a message, each with its domain, selector and key.
-- @module smtp.compose.dkim_keys

local ascii = require "smtp.ground.ascii"
local check = require "smtp.options.check"
local core = require "smtp.core"
local refuse = require("smtp.errors").refuse
local system = require "smtp.ground.resources"
local user_call = require "smtp.options.user_call"

local dkim_keys = {}

local fields = { "domain", "selector", "key", "canonicalization", "identity" }

-- The first word is for the headers, the second for the body: "simple" where it is missing (RFC
-- 6376 3.5).
local canonicalizations = {
   ["relaxed/relaxed"] = { "relaxed", "relaxed" }, ["relaxed/simple"] = { "relaxed", "simple" },
   ["simple/relaxed"] = { "simple", "relaxed" }, ["simple/simple"] = { "simple", "simple" },
   relaxed = { "relaxed", "simple" }, simple = { "simple", "simple" },
}

local FORM = "{ domain = …, selector = …, key = … }"

-- No error in this file repeats a value: the caller may have put a key into the wrong field.

local function load_crypto()
   local crypto, why, err = system.load_crypto()
   if err then error(err, 0) end
   return crypto or refuse("dkim", "the message cannot be signed: " .. why,
      "Install what is missing, or leave dkim out and let the server sign")
end

local function check_fields(t, at)
   check.names(t, fields, at, nil, "dkim")
   for i = 1, #fields do
      local name = at .. "." .. fields[i]
      if t[fields[i]] ~= nil and type(t[fields[i]]) ~= "string" then
         refuse(name, ("%s: expected a string, got %s"):format(name,
            user_call.type_name(t[fields[i]])), "Write " .. FORM)
      end
   end
end

local function check_domain(t, option)
   if not t.domain then
      refuse(option, option .. " is missing", 'Write domain = "example.org", the domain of from')
   end
   local ok, why = core.domain(t.domain)
   if ok and not t.domain:find("^[^%[]+%.") then
      ok, why = nil, "it has no dot"
   end
   if not ok then
      refuse(option, ("%s cannot be used: %s"):format(option, why),
         "Write it as in DNS (example.org), a name in another script in its form with xn--")
   end
end

-- RFC 6376 3.1. Underscores are not allowed in host names, but DNS allows them here and many
-- providers use them.
local function is_selector(selector)
   for label in (selector .. "."):gmatch("([^.]*)%.") do
      if #label > 63 or not label:find("^[A-Za-z0-9_][A-Za-z0-9_-]*$") or label:find("-$") then
         return false
      end
   end
   return true
end

local function check_selector(t, option)
   if not t.selector then
      refuse(option, option .. " is missing",
         'Write selector = "2026": the public key is at SELECTOR._domainkey.DOMAIN in DNS')
   end
   if not is_selector(t.selector) then
      refuse(option, option .. " is not a valid selector",
         "It has letters, digits, hyphens and dots, as in 2026.mail")
   end
   if #t.selector + #"._domainkey." + #t.domain > 253 then
      refuse(option, option .. " and the domain are longer together than DNS allows (253 bytes)",
         "Use a shorter selector")
   end
end

-- RFC 6376 3.5, i=.
local function check_identity(t, option)
   local identity = t.identity
   if not identity then return end
   local of = identity:match("@([^@]*)$")
   local domain = ascii.lower(t.domain)
   if not of or ("." .. ascii.lower(of)):sub(-#domain - 1) ~= "." .. domain then
      refuse(option, ("%s does not end with @%s or a domain below it"):format(option, t.domain),
         "Leave it out unless you know that you need it")
   end
   local is_domain = identity:sub(1, 1) == "@"
   local ok, why = core[is_domain and "domain" or "address"](is_domain and of or identity)
   if not ok then
      refuse(option, ("%s is not a valid address: %s"):format(option, why),
         ('Write identity = "@%s"'):format(t.domain))
   end
end

-- ---- keys ----

local why_not = {
   public = { "is a public key, or a certificate", "Give the private key that belongs to it" },
   unreadable = { "does not contain a private key that can be read",
      "A new one: openssl genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:2048" },
   encrypted = { "is encrypted",
      "Give an unencrypted key: decrypt it with openssl pkey, and protect the file" },
   kind = { "is neither an RSA nor an Ed25519 key", "DKIM uses only these two (RFC 8463)" },
   length = { "is an RSA key of under 1,024 bits, or over 16,384",
      "Make one of 2,048 (RFC 8301 3.2)" },
}

-- May an error show this value? It may if it is a path, and not the base64 of a key.
local function looks_like_path(value)
   if #value > 255 or value:find("^[A-Za-z0-9+/]+=*$") and #value > 42 then return false end
   return (value:find("^%.*/") or value:find("%.[A-Za-z][A-Za-z0-9]*$")) ~= nil
end

-- A PEM file, or its path. -> the text of the file
local function read_pem(value, option)
   if value:find("-----BEGIN", 1, true) then return value end
   local is_path, text, why, errno = not value:find("[%z\1-\31]") and value ~= "", nil, nil, nil
   if is_path then text, why, errno = system.read_file(value, 65537) end
   if system.lacks(errno) then error(system.error(option .. " cannot be read: " .. why), 0) end
   if not is_path or errno and not looks_like_path(value) then
      refuse(option, option .. " is neither the text of a PEM file nor the path of one",
         "The text contains -----BEGIN PRIVATE KEY-----")
   end
   if not text then
      refuse(option, ("%s cannot be read: %s"):format(option, why or value .. ": it is empty"),
         system.PATH_HINT)
   end
   if not text:find("-----BEGIN", 1, true) then
      refuse(option, option .. " is the path of a file that is not a PEM file",
         "It has to contain -----BEGIN PRIVATE KEY-----; openssl pkey -inform der converts others")
   end
   return text
end

local function read_key(t, option, crypto)
   if not t.key then
      refuse(option, option .. " is missing",
         "Give the private key: the text of a PEM file, or its path")
   end
   local pem = read_pem(t.key, option)
   local key, word = crypto.dkim_key(pem)
   if key then return key end
   if word == "crypto" then error(system.error(option .. " cannot be read: no memory"), 0) end
   if word == "unreadable" and (pem:find("-----BEGIN [A-Z ]*PUBLIC KEY")
      or pem:find("-----BEGIN [A-Z ]*CERTIFICATE")) then
      word = "public"
   end
   refuse(option, option .. " " .. why_not[word][1], why_not[word][2])
end

local function check_table(value, option)
   if type(value) ~= "table" then
      check.refuse_value(option, "a table", value, "Write " .. FORM)
   end
end

local function read_signer(t, at, crypto)
   check_table(t, at)
   check_fields(t, at)
   check_domain(t, at .. ".domain")
   check_selector(t, at .. ".selector")
   check_identity(t, at .. ".identity")
   local form = canonicalizations[t.canonicalization or "relaxed/relaxed"]
      or refuse(at .. ".canonicalization", at
         .. ".canonicalization is not a valid canonicalization",
         'Write "relaxed/relaxed": the first word is for the header, the second for the body')
   local key = read_key(t, at .. ".key", crypto)
   return { domain = t.domain, selector = t.selector, key = key, algorithm = key:algorithm(),
      headers = form[1], body = form[2], -- dkim-quoted-printable (RFC 6376 2.11):
      identity = t.identity and ascii.escape(t.identity, "[^!-:<>-~]", "=%02X") }
end

local Signers = { __name = "smtp.DkimSigners" }

function Signers.__tostring()
   return Signers.__name
end

--- Is the value a result of dkim_keys.check?
function dkim_keys.is(value)
   return getmetatable(value) == Signers
end

--- Check the option `dkim`, and read its keys: see dkim.check. Raises a UsageError or SystemError.
---@param value any
---@return table   { crypto =, { domain, selector, key, algorithm, headers, body, identity } … }
function dkim_keys.check(value)
   if dkim_keys.is(value) then return value end
   check_table(value, "dkim")
   value = check.plain(value)
   local crypto = load_crypto()
   local signers = setmetatable({ crypto = crypto }, Signers)
   if value[1] == nil then
      signers[1] = read_signer(value, "dkim", crypto)
      return signers
   end
   check.is_list(value, "dkim", "Write { " .. FORM .. ", … }")
   for i = 1, #value do signers[i] = read_signer(value[i], ("dkim[%d]"):format(i), crypto) end
   return signers
end

return dkim_keys
