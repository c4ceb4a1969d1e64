#!/usr/bin/env bash
# smtp-server, the one of Nodemailer, on loopback: ports without TLS, with STARTTLS and a required login, with implicit
# TLS, and LMTP. Installed by npm under build/live; nothing else of this machine changes.
# Prints "ready plain=PORT submission=PORT smtps=PORT lmtp=PORT pid=PID work=DIRECTORY" and serves until it gets SIGTERM.
set -eu
. spec/live/unpacked.sh
modules=$PWD/build/live/smtp-server
npm_install "$modules" smtp-server@3.21.6
read -r plain submission smtps lmtp < <(free_ports 4)
work=$(mktemp -d /tmp/lua-smtp-live.XXXXXX)
mkdir -p "$work/var/boxes"
server=
stop() {
   trap - TERM INT EXIT
   [ -z "$server" ] || { kill "$server" && wait "$server"; } 2>/dev/null || :
   rm -rf "$work"
   exit 0
}
trap stop TERM INT EXIT
NODE_PATH=$modules/node_modules node spec/live/matrix/smtp-server.js build/spec/certs "$work/var/boxes" \
   "$plain" "$submission" "$smtps" "$lmtp" >"$work/log" 2>&1 &
server=$!
up() { is_listening "$plain" && is_listening "$lmtp"; }
wait_for up || { echo "smtp-server did not start:"; tail -n 4 "$work/log"; exit 1; }
echo "ready plain=$plain submission=$submission smtps=$smtps lmtp=$lmtp pid=$$ work=$work"
while :; do sleep 0.2; done
