#!/usr/bin/env bash
# Runs the command lines in $1/lines, one after the other, in a network and file system of its own: mail.example.org,
# relay.example.org and partner.example.org are sinks on this machine. $1/log contains what the sinks heard, $1/N.out
# and $1/N.status what the Nth line printed and its status. Usage: unshare -nm spec/live/programs.sh FOLDER LUA
# In a chroot, where the propagation of mounts cannot be changed, its mounts are seen outside until it ends.
set -eu
folder=$1 lua=$2
export LUA_PATH="$PWD/lua/?.lua;;" LUA_CPATH="$PWD/build/${lua##*/}/?.so;;"
new() { # name, CN, more arguments
   openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 9 -keyout "$folder/$1.key" \
      -out "$folder/$1.pem" -subj "/CN=$2" "${@:3}" 2>/dev/null
}
new ca ca
new mail mail.example.org -CA "$folder/ca.pem" -CAkey "$folder/ca.key" -addext basicConstraints=CA:FALSE \
   -addext subjectAltName=DNS:mail.example.org,DNS:partner.example.org
new ann ann -CA "$folder/ca.pem" -CAkey "$folder/ca.key" -addext basicConstraints=CA:FALSE
mkdir "$folder/bin"
printf '#!/bin/sh\necho correct-horse\n' >"$folder/bin/pass"
printf '#!/bin/sh\nexec %s "%s/csrc/lua-smtp" "$@"\n' "$lua" "$PWD" >"$folder/bin/lua-smtp"
chmod 755 "$folder"/bin/*
chmod 600 "$folder"/.[a-z]*
echo "127.0.0.1 localhost mail.example.org relay.example.org $(hostname)
127.0.0.2 partner.example.org" >"$folder/hosts"

ip link set lo up
trap 'kill $(jobs -p); umount /etc/hosts /etc/ssl/certs/ca-certificates.crt' EXIT
mount --bind "$folder/hosts" /etc/hosts
mount --bind "$folder/ca.pem" /etc/ssl/certs/ca-certificates.crt
for sink in "587 starttls" "465 implicit" "25 none"; do
   # shellcheck disable=SC2086
   $lua spec/live/programs_sink.lua $sink "$folder/mail.pem" "$folder/mail.key" >>"$folder/log" 2>&1 &
done
python3 -B spec/live/programs_partner.py "$folder/ca.pem" "$folder/mail.pem" "$folder/mail.key" >>"$folder/log" 2>&1 &
for _ in $(seq 200); do
   [ "$(grep -c ^ready "$folder/log")" != 4 ] || break
   sleep 0.02
done
# s-nail takes the home of root from passwd(5).
export HOME=$folder SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt PATH="$folder/bin:$PATH"
export MAILRC=$folder/.mailrc NETRC=$folder/.netrc DEAD=$folder/dead.letter TERM=dumb LC_ALL=C.UTF-8
cd "$folder"
n=0
while IFS= read -r line; do
   n=$((n + 1))
   echo "line $n" >>log
   status=0
   timeout 20 sh -c "$line" >$n.out 2>&1 </dev/null || status=$?
   echo $status >$n.status
done <lines
