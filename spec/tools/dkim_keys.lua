--- Keys for DKIM: those of RFC 8463 A, and others, good and bad, made by the openssl command under
-- build/spec/dkim.

local command = require "spec.tools.command"
local dkim = require "smtp.dkim"
local errors = require "smtp.errors"

local keys = {}

--- RFC 8463 A.1, A.2: what is signed with, and what is published.
keys.rfc = {
   domain = "football.example.com",
   ed25519 = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMc"
      .. "rn9g\n-----END PRIVATE KEY-----\n",
   rsa = [[
-----BEGIN RSA PRIVATE KEY-----
MIICXQIBAAKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQi
Y/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqM
KrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB
AoGAH0cxOhFZDgzXWhDhnAJDw5s4roOXN4OhjiXa8W7Y3rhX3FJqmJSPuC8N9vQm
6SVbaLAE4SG5mLMueHlh4KXffEpuLEiNp9Ss3O4YfLiQpbRqE7Tm5SxKjvvQoZZe
zHorimOaChRL2it47iuWxzxSiRMv4c+j70GiWdxXnxe4UoECQQDzJB/0U58W7RZy
6enGVj2kWF732CoWFZWzi1FicudrBFoy63QwcowpoCazKtvZGMNlPWnC7x/6o8Gc
uSe0ga2xAkEA8C7PipPm1/1fTRQvj1o/dDmZp243044ZNyxjg+/OPN0oWCbXIGxy
WvmZbXriOWoSALJTjExEgraHEgnXssuk7QJBALl5ICsYMu6hMxO73gnfNayNgPxd
WFV6Z7ULnKyV7HSVYF0hgYOHjeYe9gaMtiJYoo0zGN+L3AAtNP9huqkWlzECQE1a
licIeVlo1e+qJ6Mgqr0Q7Aa7falZ448ccbSFYEPD6oFxiOl9Y9se9iYHZKKfIcst
o7DUw1/hz2Ck4N5JrgUCQQCyKveNvjzkkd8HjYs0SwM0fPjK16//5qDZ2UiDGnOe
uEzxBDAr518Z8VFbR41in3W4Y3yCDgQlLlcETrS+zYcL
-----END RSA PRIVATE KEY-----
]],
   brisbane = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
   test = "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5"
      .. "qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4"
      .. "hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB",
   message = "From: Joe SixPack <joe@football.example.com>\r\nTo: Suzie Q <suzie@shopping.example.net>\r\n"
      .. "Subject: Is dinner ready?\r\nDate: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
      .. "Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n"
      .. "\r\nHi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n",
}

local script = [=[
set -eu
mkdir -p build/spec && cd build/spec
rm -rf dkim.new && mkdir dkim.new && cd dkim.new
made() { openssl genpkey "$@"; }
made -algorithm rsa -pkeyopt rsa_keygen_bits:2048 -out rsa.pem
made -algorithm rsa -pkeyopt rsa_keygen_bits:1024 -out rsa1024.pem
made -algorithm rsa -pkeyopt rsa_keygen_bits:768 -out rsa768.pem
made -algorithm rsa-pss -pkeyopt rsa_keygen_bits:1024 -out rsa_pss.pem
made -algorithm ed25519 -out ed25519.pem
made -algorithm ed448 -out ed448.pem
made -algorithm ec -pkeyopt ec_paramgen_curve:P-256 -out ec.pem
openssl pkey -in ed25519.pem -aes256 -passout pass:sesame -out encrypted.pem
openssl rsa -in rsa.pem -traditional -aes256 -passout pass:sesame -out encrypted_old.pem
openssl pkey -in rsa.pem -pubout -out public.pem
openssl req -x509 -new -key ec.pem -out certificate.pem -days 30 -subj /CN=localhost
openssl pkey -in ed25519.pem -outform der -out der.pem
sed '3s/.\{8\}$/AAAAAAAA/;4d' rsa.pem >damaged.pem
head -n 1 rsa.pem >cut.pem
echo 'no key' >none.pem
for key in rsa rsa1024; do openssl pkey -in $key.pem -pubout -outform der >$key.public; done
openssl pkey -in ed25519.pem -pubout -outform der | tail -c 32 >ed25519.public
cd .. && rm -rf dkim && mv dkim.new dkim
]=]

local function read(name)
   local file = io.open(name, "rb")
   local text = file and file:read("*a")
   if file then file:close() end
   return text
end

--- Makes them once. -> function(name): the path of a private key, its text, the octets of its public
-- key as DNS has them
function keys.make()
   if not read("build/spec/dkim/none.pem") then
      local said = command.run_with("bash", script)
      assert(read("build/spec/dkim/none.pem"), said)
   end
   return function(name)
      local path = "build/spec/dkim/" .. name
      return path .. ".pem", read(path .. ".pem"), read(path .. ".public")
   end
end

--- The time of the signatures in RFC 8463 A.3.
function keys.clock()
   return 1528637909
end

--- A header that can be signed.
keys.head = "From: ann@example.org\r\n"

--- The option dkim, and more.
function keys.signer(more)
   local t = { domain = "example.org", selector = "s", key = keys.rfc.ed25519 }
   for name, value in pairs(more or {}) do t[name] = value end
   return t
end

--- The signatures of a signed message, unfolded: a list of tables of tags; what follows them.
function keys.read(signed)
   local list, headers = {}, assert(dkim.headers(signed:match("^(.-\r\n)\r\n") or signed))
   local rest = 1
   for _, header in ipairs(headers) do
      if header[1] ~= "DKIM-Signature" then break end
      local tags = {}
      for name, value in header[2]:gsub("\r\n ", ""):gmatch("(%l+)=([^;\r]*)") do tags[name] = value end
      list[#list + 1], rest = tags, rest + #header[2]
   end
   return list, signed:sub(rest)
end

--- The option dkim with this value is refused for `option`, in these words. -> the error
function keys.refused(value, option, words)
   local found, err = dkim.check(value)
   assert(found == nil and errors.is(err, "usage"), tostring(err))
   assert(err.option == option, ("%s, not %s"):format(tostring(err.option), option))
   assert(not words or tostring(err):find(words, 1, true), tostring(err))
   return err
end

--- No field of the error shows a line of the key.
function keys.shows_nothing(err, pem)
   for _, shown in pairs(err) do
      for line in pem:gmatch("[^\r\n]+") do
         assert(#line <= 8 or not tostring(shown):find(line, 1, true), tostring(err))
      end
   end
end

return keys
