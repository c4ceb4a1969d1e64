#!/usr/bin/env bash
# aiosmtpd on loopback: ports without TLS, with STARTTLS and a required login, with implicit TLS, and LMTP.
# Prints "ready plain=PORT submission=PORT smtps=PORT lmtp=PORT pid=PID work=DIRECTORY" and serves until it gets SIGTERM.
set -eu
. spec/live/unpacked.sh
enter "${1:-}" aiosmtpd python3-aiosmtpd python3-attr python3-public

read -r plain submission smtps lmtp < <(free_ports 4)
mkdir -p /var/boxes
server=
stop() {
   trap - TERM INT EXIT
   [ -z "$server" ] || { kill "$server" && wait "$server"; } 2>/dev/null || :
   leave
}
trap stop TERM INT EXIT
/usr/bin/python3 spec/live/matrix/aiosmtpd_server.py build/spec/certs "$plain" "$submission" "$smtps" "$lmtp" \
   >/var/log/start.log 2>&1 &
server=$!
up() { is_listening "$plain" && is_listening "$lmtp"; }
wait_for up || { echo "aiosmtpd did not start:"; tail -n 4 /var/log/start.log; exit 1; }
echo "ready plain=$plain submission=$submission smtps=$smtps lmtp=$lmtp pid=$$ work=$work"
while :; do sleep 0.2; done
