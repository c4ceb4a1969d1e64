#!/usr/bin/env bash
# Postfix with Dovecot's SASL on loopback, for the live specs. Nothing is installed: the packages are
# unpacked under build/live, and seen in their places by these processes alone (a mount namespace of
# their own). Prints "ready SUBMISSION RELAY" and serves until it gets SIGTERM.
set -eu
live=$PWD/build/live
[ "$(id -u)" = 0 ] || { echo "the live servers need root (a mount namespace)"; exit 1; }

if [ "${1:-}" != inside ]; then
   mkdir -p "$live/deb" "$live/root"
   cd "$live/deb"
   fetch() { apt-get -q -o DPkg::Lock::Timeout=300 download "$@" >/dev/null 2>fetch.log; }
   # The libraries they name and this machine lacks, and those that these name in turn.
   fetch_libraries() {
      local library
      for library in $(for deb in *.deb; do dpkg-deb -f "$deb" Pre-Depends Depends; done |
         sed 's/^[A-Za-z-]*: //' | tr ',|' '\n\n' | sed 's/^ *//; s/[ (:].*//' | grep '^lib' | sort -u); do
         dpkg-query -W -f '${Status}' "$library" 2>/dev/null | grep -q ' installed$' ||
            ls "$library"_*.deb >/dev/null 2>&1 || fetch "$library" || :
      done
   }
   if [ ! -e ../fetched ]; then
      fetch postfix dovecot-core || { apt-get -q update >/dev/null 2>&1; fetch postfix dovecot-core; } ||
         { echo "cannot fetch postfix and dovecot-core: $(tail -n 1 fetch.log)"; exit 1; }
      fetch_libraries
      fetch_libraries
      for deb in *.deb; do dpkg-deb -x "$deb" ../root; done
      # Debian's /lib is /usr/lib.
      [ ! -d ../root/lib ] || cp -a ../root/lib/. ../root/usr/lib/
      touch ../fetched
   fi
   cd - >/dev/null
   # In a chroot "/" is no mount, and its propagation cannot be changed.
   propagation=private
   unshare --mount --propagation private true 2>/dev/null || propagation=unchanged
   exec unshare --mount --propagation $propagation bash "$0" inside
fi

work=$(mktemp -d /tmp/lua-smtp-live.XXXXXX)
chmod 755 "$work"
mkdir -p "$work"/{etc,etc.work,var,var.work}
cp -a "$live/root/var/." "$work/var/" 2>/dev/null || :
mount -t overlay overlay -o "lowerdir=$live/root/usr:/usr" /usr
mount -t overlay overlay -o "lowerdir=$live/root/etc:/etc,upperdir=$work/etc,workdir=$work/etc.work" /etc
mount -t overlay overlay -o "lowerdir=/var,upperdir=$work/var,workdir=$work/var.work" /var
ldconfig 2>/dev/null || :

cat >>/etc/passwd <<END
postfix:x:7001:7001::/var/spool/postfix:/bin/false
dovecot:x:7002:7002::/nonexistent:/bin/false
dovenull:x:7003:7003::/nonexistent:/bin/false
mailbox:x:7005:7005::/nonexistent:/bin/false
END
cat >>/etc/group <<END
postfix:x:7001:
dovecot:x:7002:
dovenull:x:7003:
postdrop:x:7004:
mailbox:x:7005:
END

port() { # one that is free just now
   python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
submission=$(port) relay=$(port)
mkdir -p /var/spool/postfix /var/lib/postfix /var/boxes /var/dovecot /etc/postfix
chown postfix /var/lib/postfix
chown mailbox:mailbox /var/boxes
certs=$PWD/build/spec/certs
mkdir -p /etc/postfix/tls && cp "$certs/good.pem" "$certs/good.key" /etc/postfix/tls/

cat >/etc/postfix/main.cf <<END
compatibility_level = 3.6
myhostname = mx.live.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
maillog_file = /var/log/postfix.log
smtputf8_enable = no
strict_smtputf8 = no
virtual_transport = virtual
virtual_mailbox_domains = live.example
virtual_mailbox_base = /var/boxes
virtual_mailbox_maps = texthash:/etc/postfix/boxes
virtual_uid_maps = static:7005
virtual_gid_maps = static:7005
virtual_mailbox_limit = 0
mailbox_size_limit = 0
message_size_limit = 20000000
smtpd_tls_cert_file = /etc/postfix/tls/good.pem
smtpd_tls_key_file = /etc/postfix/tls/good.key
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_recipient_restrictions = reject_unlisted_recipient
smtpd_soft_error_limit = 1000
smtpd_hard_error_limit = 2000
local_recipient_maps =
alias_maps =
END
for box in ann bob carol; do echo "$box@live.example $box/"; done >/etc/postfix/boxes
cat >/etc/postfix/master.cf <<END
127.0.0.1:$submission inet n - n - - smtpd
   -o smtpd_tls_security_level=encrypt
   -o smtpd_tls_auth_only=yes
   -o smtpd_sasl_auth_enable=yes
   -o smtpd_client_restrictions=permit_sasl_authenticated,reject
127.0.0.1:$relay inet n - n - - smtpd
   -o smtpd_tls_security_level=none
pickup    unix n - n 60 1 pickup
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
tlsmgr    unix - - n 1000? 1 tlsmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
verify    unix - - n - 1 verify
flush     unix n - n 1000? 0 flush
proxymap  unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp      unix - - n - - smtp
error     unix - - n - - error
retry     unix - - n - - error
discard   unix - - n - - discard
virtual   unix - n n - - virtual
anvil     unix - - n - 1 anvil
scache    unix - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
END
cat >/etc/dovecot/live.conf <<END
protocols =
base_dir = /var/dovecot
log_path = /var/log/dovecot.log
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_failure_delay = 0
auth_verbose = yes
passdb {
  driver = passwd-file
  args = scheme=PLAIN /etc/dovecot/users
}
userdb {
  driver = static
  args = uid=mailbox gid=mailbox home=/var/boxes
}
service anvil {
  chroot =
}
service auth {
  unix_listener /var/spool/postfix/private/auth {
    mode = 0666
  }
}
END
echo 'ann:sesame' >/etc/dovecot/users
chmod 644 /etc/dovecot/users

dovecot=
stop() {
   trap - TERM INT EXIT
   postfix stop >/dev/null 2>&1 || :
   [ -z "$dovecot" ] || { kill "$dovecot" && wait "$dovecot"; } 2>/dev/null || :
   cd /
   umount -l /var /etc /usr
   rm -rf "$work" 2>/dev/null || :
   exit 0
}
trap stop TERM INT EXIT
postfix start >/var/log/start.log 2>&1 || { cat /var/log/start.log; tail -n 5 /var/log/postfix.log; exit 1; }
dovecot -F -c /etc/dovecot/live.conf >/var/log/dovecot.start 2>&1 &
dovecot=$!
up() { [ -S /var/spool/postfix/private/auth ] && (: </dev/tcp/127.0.0.1/$submission); } 2>/dev/null
for _ in $(seq 100); do
   up && break
   sleep 0.1
done
up || { echo "the servers did not start:"; tail -n 4 -q /var/log/dovecot.start /var/log/*.log; exit 1; }
echo "ready $submission $relay $$ $work"
while :; do sleep 0.2; done
