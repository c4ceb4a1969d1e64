--- Certificates, good and bad, made by the openssl command under build/spec/certs.

local command = require "spec.tools.command"

local certs = {}

local script = [=[
set -eu
mkdir -p build/spec && cd build/spec
rm -rf certs.new && mkdir certs.new && cd certs.new
key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"; }
cat >ca.cnf <<END
[ca]
default_ca = here
[here]
database = index
new_certs_dir = .
default_md = sha256
policy = any
rand_serial = yes
unique_subject = no
copy_extensions = none
[any]
commonName = supplied
END
: >index
root() { # name, CN
   key "$1"
   openssl req -x509 -new -key "$1.key" -out "$1.pem" -days 3650 -subj "/CN=${2:-$1}" \
      -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign"
}
leaf() { # name, issuer, CN, extensions, from, to, digest
   [ -e "$1.key" ] || key "$1"
   openssl req -new -key "$1.key" -subj "/CN=$3" -out "$1.csr"
   printf '%b' "$4" >"$1.ext"
   openssl ca -batch -notext -config ca.cnf -cert "$2.pem" -keyfile "$2.key" -in "$1.csr" -out "$1.pem" \
      -extfile "$1.ext" -startdate "${5:-20200101000000Z}" -enddate "${6:-20490101000000Z}" -md "${7:-sha256}"
}
here='subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\n'
root ca
root other
leaf good ca localhost "$here"
leaf wrong_host ca localhost 'subjectAltName=DNS:elsewhere.example\n'
leaf expired ca localhost "$here" 20200101000000Z 20210101000000Z
leaf not_yet_valid ca localhost "$here" 20480101000000Z 20490101000000Z
leaf unknown_issuer other localhost "$here"
leaf cn_only ca localhost 'basicConstraints=CA:FALSE\n'
leaf ip_as_name ca localhost 'subjectAltName=DNS:127.0.0.1\n'
leaf client_only ca localhost "${here}extendedKeyUsage=clientAuth\n"
leaf middle ca middle 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n'
leaf no_chain middle localhost "$here"
cp no_chain.key chain.key && cat no_chain.pem middle.pem >chain.pem
openssl genrsa -out weak.key 1024
leaf weak ca localhost "$here"
leaf sha1 middle localhost "$here" '' '' sha1
cat middle.pem >>sha1.pem
leaf bad_issuer good localhost "$here"
cat good.pem >>bad_issuer.pem
root proxy 'Corporate Proxy CA'
leaf proxied proxy localhost "$here"
cat proxy.pem >>proxied.pem
leaf many_names ca localhost "subjectAltName=IP:192.0.2.7$(printf ',DNS:host-%03d.elsewhere.example' $(seq 40))\n"
leaf client ca ann 'extendedKeyUsage=clientAuth\n'
key self_signed
openssl req -x509 -new -key self_signed.key -out self_signed.pem -days 30 -subj /CN=localhost \
   -addext subjectAltName=DNS:localhost
cd .. && rm -rf certs && mv certs.new certs
]=]

local function exists(name)
   local file = io.open(name)
   if file then file:close() end
   return file ~= nil
end

--- Makes them once. -> function(name): the path of a certificate, the path of its key
function certs.make()
   if not exists("build/spec/certs/bad_issuer.pem") then
      local said = command.run_with("bash", script)
      assert(exists("build/spec/certs/bad_issuer.pem"), said)
   end
   return function(name)
      return "build/spec/certs/" .. name .. ".pem", "build/spec/certs/" .. name .. ".key"
   end
end

--- A certificate like `good` that expires in so many seconds, or one like `chain` whose issuer does.
--- -> its path, the path of its key, and a function that removes it
function certs.make_short(seconds, issuer)
   local folder = os.tmpname()
   os.remove(folder)
   local name, key = issuer and "middle" or "good", issuer and "no_chain" or "good"
   os.execute(("env -u LD_PRELOAD sh -c 'mkdir %s && cd build/spec/certs && cp ca.cnf %s.key %s && cd %s && "
      .. ": >index && openssl ca -batch -notext -config ca.cnf -cert \"$OLDPWD/ca.pem\" -keyfile \"$OLDPWD/ca.key\" "
      .. "-in \"$OLDPWD/%s.csr\" -extfile \"$OLDPWD/%s.ext\" -out short.pem -startdate 20200101000000Z "
      .. "-enddate %s 2>/dev/null && cat %s short.pem >served.pem'"):format(folder, key, folder, folder, name, name,
         os.date("!%Y%m%d%H%M%SZ", os.time() + seconds), issuer and "\"$OLDPWD/no_chain.pem\"" or ""))
   return folder .. "/served.pem", folder .. "/" .. key .. ".key", function() os.execute("rm -r " .. folder) end
end

--- SHA-256 of the public key, in base64, as tls_pin wants it.
function certs.pin(path)
   local pipe = io.popen(("env -u LD_PRELOAD sh -c 'openssl x509 -in %s -noout -pubkey | openssl pkey -pubin "
      .. "-outform der | openssl dgst -sha256 -binary | openssl base64 -A'"):format(path))
   local pin = pipe:read("*a")
   pipe:close()
   return pin
end

return certs
