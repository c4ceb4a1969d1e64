--- What to write in the place of a word that other libraries use for the value of an option:
-- tls = true, "starttls", "ssl" and so on.
-- @module smtp.options.words

local ascii = require "smtp.ground.ascii"
local unknown = require("smtp.ground.resources").late "smtp.options.unknown"
local user_call = require "smtp.options.user_call"

local words = {}

local IMPLICIT = 'Write tls = "implicit" (TLS from the first byte, port 465)'
local OWN = "The user name and the password are options of their own: username and password"
local MECHANISM = OWN .. '; a mechanism goes into auth_mechanisms = { "PLAIN" }'
local PLAIN_SMTP = 'Leave protocol out: "smtp" is its default'

-- The words of features. { what to write, words elsewhere … }: compared in lower case, letters and
-- digits alone. A boolean counts as the word "true" or "false".
local features = {
   { "require", "true", "yes", "on", "1", "always", "required", "mandatory", "force", "forced",
      "must", "enable", "enabled", "strict" },
   { "prefer", "optional", "opportunistic", "auto", "may", "try", "preferred", "ifavailable",
      "allow", "allowed", "default", "if", "maybe" },
   { "skip", "false", "no", "none", "off", "0", "never", "disable", "disabled", "ignore", "deny",
      "not", "without" },
}

-- By option. A row whose first item is one of the option's words stands for: Write option = "word".
local by_option = {
   tls = {
      { 'Write tls = "require" (STARTTLS, port 587) or tls = "implicit" (TLS from the first byte, '
         .. "port 465)", "true", "yes", "on", "1", "tls", "secure", "enabled", "encrypt",
         "encrypted" },
      { 'Write tls = "require" (STARTTLS, port 587)', "starttls", "always", "required",
         "mandatory", "force", "explicit", "encryptstarttls", "587" },
      { IMPLICIT, "ssl", "smtps", "ssltls", "tlsssl", "wrapper", "wrapped", "onconnect",
         "tlsonconnect", "immediate", "direct", "465", "sslv3", "ssl3", "tlswrapper" },
      { "skip", "plain", "plaintext", "clear", "cleartext", "insecure", "unencrypted" },
      { 'A version of TLS goes into tls_min_version = "1.2"', "12", "13", "tlsv12", "tls12",
         "tlsv13", "tls13", "tls10", "tls11", "tlsv1", "tlsv10", "tlsv11" },
      { 'TLS has options of its own: tls_verify, tls_ca_file, tls_cert, tls_key, tls_host and '
         .. "tls_min_version", "table" },
   },
   auth = {
      { MECHANISM, "login", "plain", "crammd5", "digestmd5", "ntlm", "gssapi", "xoauth2", "oauth2",
         "oauth", "oauthbearer", "scram", "scramsha1", "scramsha256", "scramsha512", "external",
         "custom", "md5", "basic", "anonymous", "password", "user", "table" },
   },
   pipelining = {
      { "safe", "true", "yes", "on", "1", "require", "prefer", "auto", "default", "enabled" },
      { "off", "false", "no", "none", "0", "never", "skip", "disable", "disabled" },
      { "eager", "aggressive", "fast", "full", "always", "unsafe" },
   },
   protocol = {
      { 'Write tls = "implicit" (TLS from the first byte, port 465)', "smtps", "ssl", "tls",
         "submissions", "esmtps" },
      { PLAIN_SMTP, "esmtp", "submission", "tcp" },
      { "lmtp", "lmtps", "true" },
   },
   tls_min_version = {
      { "1.2", "12", "tlsv12", "tls12", "tlsv1.2" },
      { "1.3", "13", "tlsv13", "tls13", "tlsv1.3" },
      { 'This library supports TLS 1.2 and 1.3 only: write tls_min_version = "1.2"', "10", "11",
         "1", "tlsv1", "tlsv10", "tlsv11", "tls1", "tls10", "tls11", "sslv3", "sslv23", "ssl3" },
   },
   priority = {
      { "high", "1", "2", "urgent", "highest", "important", "veryhigh", "true" },
      { "normal", "3", "medium", "default", "none", "false", "0" },
      { "low", "4", "5", "lowest", "nonurgent", "bulk", "verylow" },
   },
   recipients = {
      { "any", "one", "some", "partial", "atleastone", "first" },
      { "all", "every", "everyone", "strict" },
      { 'The recipients go into to; recipients decides whether one refused recipient stops the '
         .. 'message ("all") or not ("any")', "table", "address" },
   },
   disposition = {
      { "inline", "true", "embed", "embedded" }, { "attachment", "false", "file", "download" },
   },
   ["dsn.ret"] = {
      { "hdrs", "headers", "header", "hdr", "false" }, { "full", "body", "message", "all", "true" },
   },
   ["deliver_by.mode"] = { { "return", "r", "bounce" }, { "notify", "n", "dsn" } },
   sink_tls = {
      { "starttls", "true", "yes", "on", "require", "prefer", "tls", "explicit" },
      { "implicit", "ssl", "smtps", "ssltls", "wrapper" },
      { 'Leave tls out: the sink then offers no TLS', "none", "skip", "no", "off", "never" },
   },
   sink_protocol = { { "smtp", "esmtp", "smtps" }, { "lmtp", "lmtps", "true" } },
}

-- "TLSv1.2" -> "tlsv12"; 1.2 -> "12"
local function plain(value)
   local kind = type(value)
   if kind == "table" then return "table" end
   if kind == "string" and value:find("@", 1, true) then return "address" end
   if kind == "number" then value = ("%.14g"):format(value) end
   return (ascii.lower(tostring(value)):gsub("[^a-z0-9]", ""))
end

local function find(rows, word)
   for i = 1, #rows do
      for j = 2, #rows[i] do
         if rows[i][j] == word then return rows[i][1] end
      end
   end
end

local types = { string = true, number = true, boolean = true, table = true }

--- What to write in the place of a value; nil if the value is not known elsewhere.
---@param option string     its name, or its key in this module
---@param value any
---@param allowed string[]  its words
---@return string|nil hint
---@return string|nil word  the word that the value stands for
function words.find(option, value, allowed)
   if not types[type(value)] then return nil end
   local word = plain(value)
   local found = by_option[option] and find(by_option[option], word)
   for i = 1, #allowed do
      if found == allowed[i] then return nil, found end
      if not found and plain(allowed[i]) == word then return nil, allowed[i] end
   end
   if found then return found end
   found = find(features, word)
   for i = 1, #allowed do
      if found == allowed[i] then return nil, found end
   end
end

--- Options whose values may contain a secret, so that only known words are shown: the hint for all
-- other values.
words.private = { auth = MECHANISM }

local function quoted(list)
   if #list == 1 then return ('"%s"'):format(list[1]) end
   return ('"%s" or "%s"'):format(table.concat(list, '", "', 1, #list - 1), list[#list])
end

-- The hint for a value that stands for no word, or only resembles one.
local function similar(name, value, allowed)
   local near = type(value) == "string" and unknown.nearest(value, allowed)
   return near and ('Did you mean "%s"?'):format(near)
      or ('Write one of its words, such as %s = "%s"'):format(name, allowed[1])
end

--- The parts of the error for a value that is not a word of an option.
---@param name string       of the option
---@param value any
---@param allowed string[]  its words
---@param key string        the option's key in this module
---@return string expected
---@return string got
---@return string hint
function words.explain(name, value, allowed, key)
   local hint, word = words.find(key, value, allowed)
   if word then hint = ('Write %s = "%s"'):format(name, word) end
   if not hint and words.private[key] then
      return quoted(allowed), user_call.type_name(value), words.private[key]
   end
   return quoted(allowed), user_call.shown(value), hint or similar(name, value, allowed)
end

return words
