--- The option `dkim`: the signers of a message, each with its domain, selector and key.
-- @module smtp.compose.dkim_options

local address = require "smtp.options.address"
local ascii = require "smtp.ground.ascii"
local check = require "smtp.options.check"
local core = require "smtp.core"
local dkim_headers = require "smtp.compose.dkim_headers"
local keys = require "smtp.compose.dkim_keys"
local refuse = require("smtp.errors").refuse
local system = require "smtp.ground.resources"

local dkim_options = {}

local texts = { "domain", "selector", "key", "canonicalization", "identity" }
local fields = { "domain", "selector", "key", "canonicalization", "identity", "headers", "skip",
   "expires" }

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

-- The fields of a signer, without metatables.
local function copy_fields(value, at)
   check.names(value, fields, at, nil, "dkim")
   local t = { domain = rawget(value, "domain"), selector = rawget(value, "selector"),
      key = rawget(value, "key"), canonicalization = rawget(value, "canonicalization"),
      identity = rawget(value, "identity"), headers = rawget(value, "headers"),
      skip = rawget(value, "skip"), expires = rawget(value, "expires") }
   for i = 1, #texts do
      local text = t[texts[i]]
      if text ~= nil and type(text) ~= "string" then
         local name = at .. "." .. texts[i]
         refuse(name, ("%s: expected a string, got %s"):format(name, check.type_name(text)),
            "Write " .. FORM)
      end
   end
   return t
end

local function check_visible(text, option)
   local invisible = core.invisible(text)
   if invisible then
      refuse(option, ("%s contains %s, which is invisible"):format(option, invisible),
         "Remove that character: it often comes with a copied address")
   end
end

-- -> the domain in A-labels
local function read_domain(domain, option)
   if not domain then
      refuse(option, option .. " is missing", 'Write domain = "example.org", the domain of from')
   end
   check_visible(domain, option)
   local name, hint = domain, nil
   local ok, why = core.domain(name)
   if not ok and domain:find("[\128-\255]") then
      name, why, hint = address.domain(domain)
      if name then ok, why = core.domain(name) end
   end
   if ok and (name:byte() == 91 or not name:find(".", 1, true)) then -- [
      ok, why = nil, "it has no dot"
   end
   return ok and name or refuse(option, ("%s cannot be used: %s"):format(option, why),
      hint or 'Write it as in DNS: "example.org"')
end

-- RFC 6376 3.1. Underscores are not allowed in host names, but DNS allows them here and many
-- providers use them.
local function is_selector(selector)
   if #selector < 64 and selector:find("^[A-Za-z0-9_]+$") then return true end -- most are
   for label in (selector .. "."):gmatch("([^.]*)%.") do
      if #label > 63 or not label:find("^[A-Za-z0-9_][A-Za-z0-9_-]*$") or label:find("-$") then
         return false
      end
   end
   return true
end

local function check_selector(selector, domain, option)
   if not selector then
      refuse(option, option .. " is missing",
         'Write selector = "2026": the public key is at SELECTOR._domainkey.DOMAIN in DNS')
   end
   if not is_selector(selector) then
      refuse(option, option .. " is not a valid selector",
         "It has letters, digits, hyphens and dots, as in 2026.mail")
   end
   if ("." .. ascii.lower(selector) .. "."):find("._domainkey.", 1, true) then
      refuse(option, option .. " contains _domainkey, which this library adds",
         ('Write selector = "2026" for the public key at 2026._domainkey.%s'):format(domain))
   end
   if #selector + #"._domainkey." + #domain > 253 then
      refuse(option, option .. " and the domain are longer together than DNS allows (253 bytes)",
         "Use a shorter selector")
   end
end

-- RFC 6376 3.5, i=. -> the identity, its domain in A-labels, in dkim-quoted-printable (2.11)
local function read_identity(identity, domain, option)
   if not identity then return nil end
   check_visible(identity, option)
   local name, of = identity:match("^(.*)@([^@]*)$")
   if of and of:find("[\128-\255]") then of = address.domain(of) end
   if not of or ("." .. ascii.lower(of)):sub(-#domain - 1) ~= "." .. ascii.lower(domain) then
      refuse(option, ("%s does not end with @%s or a domain below it"):format(option, domain),
         "Leave it out unless you know that you need it")
   end
   local ok, why = core[name == "" and "domain" or "address"](name == "" and of
      or name .. "@" .. of)
   if not ok then
      refuse(option, ("%s is not a valid address: %s"):format(option, why),
         ('Write identity = "@%s"'):format(domain))
   end
   return ascii.escape(name .. "@" .. of, "[^!-:<>-~]", "=%02X")
end

local EXPIRES_MAX = 315360000 -- seconds: ten years. A larger number is a date.

-- -> whole seconds
local function read_expires(value, option)
   if value == nil then return nil end
   local number = ascii.number(value)
   if not number or number ~= number or number <= 0 or number > EXPIRES_MAX then
      refuse(option, option .. (number and number > EXPIRES_MAX and " is more than ten years"
         or " is not a positive number of seconds"),
         "Write expires = 1209600: the signature expires so many seconds after it is made")
   end
   return math.ceil(number)
end

local function read_key(key, option, crypto)
   if not key then
      refuse(option, option .. " is missing",
         "Give the private key: the text of a PEM file, or its path")
   end
   return keys.get(key, option, crypto)
end

local function check_table(value, option)
   if type(value) ~= "table" then
      check.refuse_value(option, "a table", value, "Write " .. FORM)
   end
end

local function read_signer(t, at, crypto)
   check_table(t, at)
   t = copy_fields(t, at)
   local domain = read_domain(t.domain, at .. ".domain")
   check_selector(t.selector, domain, at .. ".selector")
   local identity = read_identity(t.identity, domain, at .. ".identity")
   local form = canonicalizations[t.canonicalization or "relaxed/relaxed"]
      or refuse(at .. ".canonicalization", at
         .. ".canonicalization is not a valid canonicalization",
         'Write "relaxed/relaxed": the first word is for the header, the second for the body')
   local rules = dkim_headers.rules(t.headers, t.skip, at)
   local expires = read_expires(t.expires, at .. ".expires")
   local key = read_key(t.key, at .. ".key", crypto)
   return { domain = domain, selector = t.selector, key = key, algorithm = key:algorithm(),
      headers = form[1], body = form[2], identity = identity, rules = rules, expires = expires }
end

local Signers = { __name = "smtp.DkimSigners" }

function Signers.__tostring()
   return Signers.__name
end

--- Is the value a result of dkim_options.check?
function dkim_options.is(value)
   return getmetatable(value) == Signers
end

--- Check the option `dkim`, and read its keys: see dkim.check. Raises a UsageError or SystemError.
---@param value any
---@return table   { crypto =, { domain, selector, key, algorithm, headers, body, identity,
--   rules, expires } … }
function dkim_options.check(value)
   if dkim_options.is(value) then return value end
   check_table(value, "dkim")
   local crypto = load_crypto()
   local signers = setmetatable({ crypto = crypto }, Signers)
   if rawget(value, 1) == nil then
      signers[1] = read_signer(value, "dkim", crypto)
      return signers
   end
   value = check.copy(value)
   check.is_list(value, "dkim", "Write { " .. FORM .. ", … }")
   for i = 1, #value do
      signers[i] = read_signer(value[i], ("dkim[%d]"):format(i), crypto)
   end
   return signers
end

return dkim_options
