#!/usr/bin/env bash
# Postfix with Dovecot's SASL on loopback, for the live specs. TOKEN_KEY: what tokens are signed with.
# Prints "ready submission=PORT plain=PORT smtps=PORT pid=PID work=DIRECTORY" and serves until it gets SIGTERM.
set -eu
: "${TOKEN_KEY:?is not set}"
. spec/live/unpacked.sh
enter "${1:-}" mail postfix dovecot-core

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

read -r submission relay smtps < <(free_ports 3)
# What `postfix start` would do as well, and take seconds.
mkdir -p /var/spool/postfix /var/lib/postfix /var/boxes /var/dovecot /etc/postfix
cd /var/spool/postfix
mkdir -p active bounce corrupt defer deferred flush hold incoming private saved trace maildrop public pid
chmod 700 active bounce corrupt defer deferred flush hold incoming private saved trace
chmod 730 maildrop && chmod 710 public
chown postfix active bounce corrupt defer deferred flush hold incoming private saved trace
chown postfix:postdrop maildrop public
cd - >/dev/null
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
smtputf8_enable = yes
virtual_transport = virtual
virtual_mailbox_domains = live.example
virtual_mailbox_base = /var/boxes
virtual_mailbox_maps = texthash:/etc/postfix/boxes
virtual_uid_maps = static:7005
virtual_gid_maps = static:7005
virtual_mailbox_limit = 0
mailbox_size_limit = 0
virtual_destination_recipient_limit = 200
message_size_limit = 20000000
smtpd_tls_cert_file = /etc/postfix/tls/good.pem
smtpd_tls_key_file = /etc/postfix/tls/good.key
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_recipient_restrictions = reject_unlisted_recipient
local_recipient_maps =
alias_maps =
END
for box in ann bob carol pelé; do echo "$box@live.example $box/"; done >/etc/postfix/boxes
for i in $(seq 2020); do echo "reader-$i@live.example readers/"; done >>/etc/postfix/boxes
echo "refused@live.example REJECT" >/etc/postfix/senders
cat >/etc/postfix/master.cf <<END
127.0.0.1:$submission inet n - n - - smtpd
   -o smtpd_tls_security_level=encrypt
   -o smtpd_tls_auth_only=yes
   -o smtpd_sasl_auth_enable=yes
   -o smtpd_client_restrictions=permit_sasl_authenticated,reject
127.0.0.1:$smtps inet n - n - - smtpd
   -o smtpd_tls_wrappermode=yes
   -o smtpd_sasl_auth_enable=yes
   -o smtpd_client_restrictions=permit_sasl_authenticated,reject
127.0.0.1:$relay inet n - n - - smtpd
   -o smtpd_tls_security_level=none
   -o smtpd_delay_reject=no
   -o smtpd_sender_restrictions=check_sender_access,texthash:/etc/postfix/senders
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
auth_mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256 oauthbearer xoauth2
auth_failure_delay = 0
auth_verbose = yes
passdb {
  driver = oauth2
  mechanisms = oauthbearer xoauth2
  args = /etc/dovecot/tokens
}
passdb {
  driver = passwd-file
  mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256
  args = scheme=PLAIN /etc/dovecot/users
}
userdb {
  driver = static
  args = uid=mailbox gid=mailbox home=/var/boxes
}
# Without its penalty, which makes logins after a refused one wait.
service anvil {
  chroot =
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service auth {
  unix_listener /var/spool/postfix/private/auth {
    mode = 0666
  }
}
END
echo 'ann:sesame' >/etc/dovecot/users
# Tokens are JWTs, checked here with a key that issuer and server share (RFC 7519, HS256).
cat >/etc/dovecot/tokens <<END
introspection_mode = local
local_validation_key_dict = fs:posix:prefix=/etc/dovecot/keys/
username_attribute = sub
END
mkdir -p /etc/dovecot/keys/default/HS256
printf %s "$TOKEN_KEY" | openssl base64 -A >/etc/dovecot/keys/default/HS256/default
chmod -R go+rX /etc/dovecot

dovecot=
stop() {
   trap - TERM INT EXIT
   kill "$(tr -d ' ' </var/spool/postfix/pid/master.pid)" 2>/dev/null || :
   [ -z "$dovecot" ] || { kill "$dovecot" && wait "$dovecot"; } 2>/dev/null || :
   leave
}
trap stop TERM INT EXIT
/usr/lib/postfix/sbin/master -w >/var/log/start.log 2>&1 ||
   { cat /var/log/start.log; tail -n 5 /var/log/postfix.log; exit 1; }
dovecot -F -c /etc/dovecot/live.conf >/var/log/dovecot.start 2>&1 &
dovecot=$!
up() { [ -S /var/spool/postfix/private/auth ] && is_listening "$submission"; }
wait_for up || { echo "the servers did not start:"; tail -n 4 -q /var/log/dovecot.start /var/log/*.log; exit 1; }
echo "ready submission=$submission plain=$relay smtps=$smtps pid=$$ work=$work"
while :; do sleep 0.2; done
