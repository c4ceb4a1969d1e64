#!/usr/bin/env bash
# Dovecot's LMTP on loopback and on a unix socket, for the live specs. It knows ann, bob and carol, and full,
# whose box is where nobody can write.
# Prints "ready lmtp=PORT pid=PID work=DIRECTORY" and serves until it gets SIGTERM; the socket is DIRECTORY/lmtp.
set -eu
. spec/live/unpacked.sh
enter "${1:-}" dovecot dovecot-core dovecot-lmtpd

cat >>/etc/passwd <<END
dovecot:x:7002:7002::/nonexistent:/bin/false
dovenull:x:7003:7003::/nonexistent:/bin/false
mailbox:x:7005:7005::/nonexistent:/bin/false
END
cat >>/etc/group <<END
dovecot:x:7002:
dovenull:x:7003:
mailbox:x:7005:
END

read -r port < <(free_ports 1)
mkdir -p /var/boxes /var/dovecot /var/full
chown mailbox:mailbox /var/boxes
cat >/etc/dovecot/live.conf <<END
protocols = lmtp
base_dir = /var/dovecot
log_path = /var/log/dovecot.log
hostname = mx.live.example
ssl = no
auth_username_format = %Ln
passdb {
  driver = passwd-file
  args = /etc/dovecot/users
}
userdb {
  driver = passwd-file
  args = /etc/dovecot/users
}
service lmtp {
  inet_listener lmtp {
    address = 127.0.0.1
    port = $port
  }
  unix_listener $work/lmtp {
    mode = 0666
  }
}
END
for box in ann bob carol; do
   echo "$box::7005:7005::/var/boxes/$box::userdb_mail=maildir:/var/boxes/$box"
done >/etc/dovecot/users
echo "full::7005:7005::/var/full::userdb_mail=maildir:/var/full/box" >>/etc/dovecot/users
chmod -R go+rX /etc/dovecot

dovecot=
stop() {
   trap - TERM INT EXIT
   [ -z "$dovecot" ] || { kill "$dovecot" && wait "$dovecot"; } 2>/dev/null || :
   leave
}
trap stop TERM INT EXIT
dovecot -F -c /etc/dovecot/live.conf >/var/log/dovecot.start 2>&1 &
dovecot=$!
up() { [ -S "$work/lmtp" ] && is_listening "$port"; }
wait_for up || { echo "Dovecot did not start:"; tail -n 4 -q /var/log/dovecot.start /var/log/dovecot.log; exit 1; }
echo "ready lmtp=$port pid=$$ work=$work"
while :; do sleep 0.2; done
