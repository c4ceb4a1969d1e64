#!/usr/bin/env bash
# The LMTP of Cyrus IMAP on loopback. It keeps each message as a file with a number and a dot; a copy goes to /var/boxes.
# Prints "ready lmtp=PORT pid=PID work=DIRECTORY" and serves until it gets SIGTERM.
set -eu
. spec/live/unpacked.sh
enter "${1:-}" cyrus cyrus-imapd cyrus-common

echo 'cyrus:x:7017:7017::/nonexistent:/bin/false' >>/etc/passwd
echo 'cyrus:x:7017:' >>/etc/group
grep -q '^mail:' /etc/group || echo 'mail:x:8:' >>/etc/group
read -r lmtp < <(free_ports 1)
var=/var/cyrus
mkdir -p $var/{conf/db,conf/proc,conf/socket,conf/log,conf/msg,conf/lock,spool,sieve} /var/boxes
chown -R cyrus:mail $var
cat >/etc/live-imapd.conf <<CONF
configdirectory: $var/conf
partition-default: $var/spool
defaultpartition: default
sievedir: $var/sieve
servername: mx.live.example
admins: cyrus
allowplaintext: yes
sasl_pwcheck_method: auxprop
virtdomains: off
unixhierarchysep: no
autocreate_post: yes
autocreate_quota: 0
autocreate_users: ann bob carol
munge8bit: no
duplicatesuppression: no
maxmessagesize: 20000000
proc_path: $var/conf/proc
mboxname_lockpath: $var/conf/lock
lmtpsocket: $var/conf/socket/lmtp
CONF
cat >/etc/live-cyrus.conf <<CONF
START {
   recover cmd="/usr/lib/cyrus/bin/ctl_cyrusdb -C /etc/live-imapd.conf -r"
}
SERVICES {
   lmtp cmd="/usr/lib/cyrus/bin/lmtpd -C /etc/live-imapd.conf -a" listen="127.0.0.1:$lmtp" prefork=0
}
EVENTS {
}
CONF
master=
stop() {
   trap - TERM INT EXIT
   [ -z "$master" ] || { kill "$master" && wait "$master"; } 2>/dev/null || :
   leave
}
trap stop TERM INT EXIT
mount -t tmpfs tmpfs /run
/usr/lib/cyrus/bin/master -C /etc/live-imapd.conf -M /etc/live-cyrus.conf -p $var/pid >/var/log/start.log 2>&1 &
master=$!
up() { is_listening "$lmtp"; }
wait_for up || { echo "Cyrus did not start:"; tail -n 4 /var/log/start.log; exit 1; }
echo "ready lmtp=$lmtp pid=$$ work=$work"
while :; do
   sleep 0.2
   for box in bob carol; do
      folder=$(/usr/lib/cyrus/bin/mbpath -C /etc/live-imapd.conf "user.$box" 2>/dev/null) || continue
      for file in $(find "$folder" -name '[0-9]*.' | sort -V); do
         name=$(basename "$file" .)
         [ ! -e "/var/boxes/$box/$name" ] || continue
         mkdir -p "/var/boxes/$box/new"
         tr -d '\r' <"$file" >"/var/boxes/$box/$name"
         cp "/var/boxes/$box/$name" "/var/boxes/$box/new/.$name"
         mv "/var/boxes/$box/new/.$name" "/var/boxes/$box/new/$(printf %09d "$name")"
      done
   done
done
