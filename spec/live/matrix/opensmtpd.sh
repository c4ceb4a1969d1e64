#!/usr/bin/env bash
# OpenSMTPD on loopback, without TLS: that of Debian 12 can start none with OpenSSL 3, and it offers no login without it.
# Prints "ready plain=PORT pid=PID work=DIRECTORY" and serves until it gets SIGTERM.
set -eu
. spec/live/unpacked.sh
enter "${1:-}" opensmtpd opensmtpd

printf 'opensmtpd:x:7015:7015::/var/lib/opensmtpd/empty:/bin/false\nopensmtpq:x:7016:7016::/var/lib/opensmtpd/empty:/bin/false\n' >>/etc/passwd
printf 'opensmtpd:x:7015:\nopensmtpq:x:7016:\n' >>/etc/group
read -r plain < <(free_ports 1)
mkdir -p /var/lib/opensmtpd/empty /var/spool/smtpd /var/boxes
chmod 711 /var/spool/smtpd
chmod 755 /var/lib/opensmtpd/empty
printf 'mailbox:x:7005:7005::/var/boxes:/bin/sh\n' >>/etc/passwd
echo 'mailbox:x:7005:' >>/etc/group
chown mailbox:mailbox /var/boxes
write_deliver /usr/lib/deliver
for box in ann bob carol; do echo "$box@live.example mailbox"; done >/etc/boxes
echo refused@live.example >/etc/senders
cat >/etc/smtpd.conf <<CONF
table known file:/etc/boxes
table unwelcome file:/etc/senders
smtp max-message-size 20000000
listen on 127.0.0.1 port $plain hostname mx.live.example
action keep mda "/usr/lib/deliver %{dest.user}" virtual <known>
match mail-from <unwelcome> for any reject
match from any for domain live.example action keep
CONF
server=
stop() {
   trap - TERM INT EXIT
   [ -z "$server" ] || { kill "$server" && wait "$server"; } 2>/dev/null || :
   leave
}
trap stop TERM INT EXIT
smtpd -d -f /etc/smtpd.conf >/var/log/start.log 2>&1 &
server=$!
up() { is_listening "$plain"; }
wait_for up || { echo "OpenSMTPD did not start:"; tail -n 4 /var/log/start.log; exit 1; }
echo "ready plain=$plain pid=$$ work=$work"
while :; do sleep 0.2; done
