--- The private keys that sign messages: read from the text of a PEM file, or from its path, and
-- kept. To read a key takes longer than to compose a message.
-- @module smtp.compose.dkim_keys

local bounded = require "smtp.ground.bounded"
local core = require "smtp.core"
local refuse = require("smtp.errors").refuse
local system = require "smtp.ground.resources"

local dkim_keys = {}

-- No error in this file repeats a value that may be a key.

-- ---- texts that are not the text of a private key ----

local NEW_KEY = "Make a new one: openssl genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:2048"

local why_not = {
   public = { "is a public key, or a certificate", "Give the private key that belongs to it" },
   unreadable = { "does not contain a private key that can be read", NEW_KEY },
   encrypted = { "is encrypted",
      "Give an unencrypted key: decrypt it with openssl pkey, and protect the file" },
   kind = { "is neither an RSA nor an Ed25519 key", "DKIM uses only these two (RFC 8463)" },
   length = { "is an RSA key of under 1,024 bits, or over 16,384",
      "Make one of 2,048 (RFC 8301 3.2)" },
   flattened = { "has lost its line breaks",
      "Keep them: the lines BEGIN and END are lines of their own" },
   cut = { "is cut off: it has no line END", "Give the whole text of the PEM file" },
   utf16 = { "is in UTF-16", "Save it in ASCII or UTF-8" },
   binary = { "is a key in binary form (DER)",
      "Convert it: openssl pkey -inform der -in FILE -out KEY.pem" },
   foreign = { "is in the format of another program (OpenSSH, PuTTY, PGP), which DKIM does not use",
      NEW_KEY },
   seed = { "is 32 bytes in base64, not the text of a PEM file",
      "Make a new key: openssl genpkey -algorithm ed25519" },
}

local PBES = "\42\134\72\134\247\13\1\5" -- the first bytes of the name of a cipher (RFC 8018)

-- What bytes in DER are: a word, and the label of PEM for a private key. After the lengths, a
-- private key begins with its version, and a public one with an algorithm or a large number.
local function of_der(bytes)
   if not bytes:find("^\48.") then return nil end
   if bytes:sub(1, 40):find(PBES, 1, true) then return "encrypted" end
   local at = 3 + math.max(bytes:byte(2) - 128, 0)
   if bytes:sub(at, at + 1) ~= "\2\1" then return "public" end
   return "bare", bytes:byte(at + 3) == 48 and "PRIVATE KEY" or "RSA PRIVATE KEY"
end

-- The same of base64 without the lines BEGIN and END.
local function of_base64(text)
   local bare = text:gsub("[ \t\r\n]+", "")
   local is_base64 = #bare > 42 and #bare < 65536 and bare:find("^[A-Za-z0-9+/]+=*$")
   local bytes = is_base64 and core.base64_decode(bare) or ""
   if #bytes == 32 then return "seed" end
   return of_der(bytes)
end

-- { pattern, word }: the first that matches a text which is not a private key decides.
local looks = {
   { "^\255\254", "utf16" }, { "^\254\255", "utf16" }, { "^%-%z%-%z", "utf16" },
   { "%-BEGIN [A-Z0-9 ]*PUBLIC KEY", "public" }, { "%-BEGIN [A-Z0-9 ]*CERTIFICATE", "public" },
   { "^[ \t\r\n\"(]*[vkp]=[^\r\n]*;", "public" }, { "^ssh%-[a-z0-9-]+ ", "public" },
   { "^ecdsa%-", "public" },
   { "%-BEGIN OPENSSH ", "foreign" }, { "%-BEGIN PGP ", "foreign" },
   { "^PuTTY%-User%-Key", "foreign" }, { "^\48\130..\2\1", "binary" }, { "^\48%.\2\1", "binary" },
   { "%-BEGIN [A-Z0-9 ]+%-%-%-%-%-[ \t]*[^ \t\r\n]", "flattened" },
   { "%-BEGIN [A-Z0-9 ]+%-%-%-%-%-[^%z]*[^\r\n]%-%-%-%-%-END ", "flattened" },
}

-- Line breaks that are two characters each: what such a text often comes from is JSON or the
-- environment.
local function refuse_escaped(text, option)
   if not text:find("\\+n") and not text:find("\\+r") then return end
   refuse(option, option .. " contains \\n as two characters where a line has to end",
      'Write key = key:gsub("\\\\+r", ""):gsub("\\\\+n", "\\n"), or use the path of the file')
end

-- The word of what is wrong with a text from which no key could be read.
local function word_of(text)
   for i = 1, #looks do
      if text:find(looks[i][1]) then return looks[i][2] end
   end
   local begins = text:find("-----BEGIN", 1, true)
   return begins and not text:find("-----END", 1, true) and "cut" or nil
end

local function refuse_word(option, word)
   refuse(option, option .. " " .. why_not[word][1], why_not[word][2])
end

-- Refuse a text that contains a key in another form than PEM; others pass.
local function refuse_other_forms(text, option)
   if text:find("PRIVATE KEY", 1, true) then refuse_escaped(text, option) end
   local word, label = word_of(text), nil
   if not word then word, label = of_base64(text) end
   if word == "bare" then
      refuse(option, option .. " is base64 without the lines BEGIN and END",
         ('Put the line "-----BEGIN %s-----" above it and "-----END %s-----" below'):format(label,
            label))
   end
   if word then refuse_word(option, word) end
end

-- ---- reading ----

-- May an error show this value? It may if it is a path, and not the base64 of a key.
local function looks_like_path(value)
   if #value > 255 or value:find("^[A-Za-z0-9+/]+=*$") and #value > 42 then return false end
   return (value:find("^%.*/") or value:find("%.[A-Za-z][A-Za-z0-9]*$")) ~= nil
end

-- -> the text of the file with this path
local function read_path(value, option)
   local is_path, text, why, errno = not value:find("[%z\1-\31]") and value ~= "", nil, nil, nil
   if is_path then text, why, errno = system.read_file(value, 65537) end
   if system.lacks(errno) then error(system.error(option .. " cannot be read: " .. why), 0) end
   if not is_path or errno and not looks_like_path(value) then
      refuse_other_forms(value, option)
      refuse(option, option .. " is neither the text of a PEM file nor the path of one",
         "Give a path, or the whole text, which begins with -----BEGIN PRIVATE KEY-----")
   end
   if not text then
      refuse(option, ("%s cannot be read: %s"):format(option, why or value .. ": it is empty"),
         system.PATH_HINT)
   end
   if not text:find("-----BEGIN", 1, true) then
      refuse_other_forms(text, option)
      refuse(option, option .. " is the path of a file that is not a PEM file",
         "It has to contain -----BEGIN PRIVATE KEY-----; openssl pkey -inform der converts others")
   end
   return text
end

-- The text without a byte order mark, quotes and blanks around it and around its lines, and without
-- empty lines.
local function tidy(pem)
   return (pem:gsub("^[^\n]-(%-%-%-%-%-BEGIN)", "%1"):gsub("%-[\"' \t\r\n]+$", "-")
      :gsub("[ \t]*[\r\n][ \t\r\n]*", "\n"))
end

-- -> the key | raises
local function parse(pem, option, crypto)
   local key, word = crypto.dkim_key(pem)
   if word == "unreadable" then key, word = crypto.dkim_key(tidy(pem)) end
   if key then return key end
   if word == "crypto" then error(system.error(option .. " cannot be read: no memory"), 0) end
   if word == "unreadable" then refuse_other_forms(pem, option) end
   refuse_word(option, word)
end

-- ---- keys that are kept ----

local KEPT_MAX = 256

-- Keys by the SHA-256 of their text: the texts themselves are not kept. A key that is forgotten is
-- wiped by the collector, once no message needs it any more.
local kept = bounded.new(KEPT_MAX)

-- By path: the stamp that the file had when it was read, and the SHA-256 of its text.
local files = bounded.new(KEPT_MAX)

-- -> the key; the SHA-256 of its text
local function of_text(pem, option, crypto)
   local id = crypto.digest("SHA256", pem)
   if not id then return parse(pem, option, crypto) end
   return kept:get(id) or kept:set(id, parse(pem, option, crypto)), id
end

-- Was the file changed in this second or the last one? It may change once more with the same stamp:
-- on many systems time moves in steps of some milliseconds.
local function is_new(stamp)
   return os.time() - tonumber(stamp:match("^%-?%d+")) < 2
end

local function of_path(path, option, crypto)
   local kind, stamp = core.file(path)
   local file = kind and files:get(path)
   local key = file and file.stamp == stamp and kept:get(file.id)
   if key then return key end
   local id
   key, id = of_text(read_path(path, option), option, crypto)
   if file and file.id ~= id then kept:remove(file.id) end -- the key that was there before
   if kind and id and not is_new(stamp) then files:set(path, { stamp = stamp, id = id }) end
   return key
end

--- The private key of a signer. Raises a UsageError or a SystemError.
---@param value string    the text of a PEM file, or its path
---@param option string   its name
---@param crypto table    smtp.crypto
---@return userdata
function dkim_keys.get(value, option, crypto)
   if value:find("-----BEGIN", 1, true) then return (of_text(value, option, crypto)) end
   return of_path(value, option, crypto)
end

return dkim_keys
