#!/usr/bin/env bash
# Sendmail on loopback: ports without TLS, with STARTTLS and a required login (by Cyrus SASL), and with implicit TLS.
# Prints "ready plain=PORT submission=PORT smtps=PORT pid=PID work=DIRECTORY" and serves until it gets SIGTERM.
set -eu
. spec/live/unpacked.sh
enter "${1:-}" sendmail-mta sendmail-bin sendmail-base sendmail-cf sasl2-bin libsasl2-modules libsasl2-modules-db m4

printf 'smmta:x:7011:7011::/nonexistent:/bin/false\nsmmsp:x:7012:7012::/nonexistent:/bin/false\n' >>/etc/passwd
printf 'smmta:x:7011:\nsmmsp:x:7012:\n' >>/etc/group
# Sendmail waits a minute for a name of this machine that has a dot.
printf '127.0.0.1 %s.live.example %s localhost\n' "$(hostname)" "$(hostname)" >/etc/hosts
read -r plain submission smtps < <(free_ports 3)
mkdir -p /var/boxes /var/spool/mqueue /etc/mail/tls /usr/lib/sasl2 /etc/mail/sasl
chown smmta:smmsp /var/boxes /var/spool/mqueue
chmod 700 /var/spool/mqueue
cp build/spec/certs/{good.pem,good.key,ca.pem} /etc/mail/tls/
for realm in localhost mx.live.example live.example; do
   printf sesame | saslpasswd2 -p -c -f /etc/mail/tls/sasldb -u $realm ann
done
chown -R smmta:smmsp /etc/mail/tls
chmod 644 /etc/mail/tls/*.pem
chmod 600 /etc/mail/tls/good.key /etc/mail/tls/sasldb
cat >/usr/lib/sasl2/Sendmail.conf <<CONF
pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: /etc/mail/tls/sasldb
mech_list: PLAIN LOGIN CRAM-MD5 DIGEST-MD5 SCRAM-SHA-1 SCRAM-SHA-256
CONF
cp /usr/lib/sasl2/Sendmail.conf /etc/mail/sasl/Sendmail.conf.2
write_deliver /usr/lib/deliver
echo 'hosts files' >/etc/mail/switch
mechanisms='SCRAM-SHA-256 SCRAM-SHA-1 DIGEST-MD5 CRAM-MD5 LOGIN PLAIN'
cat >/etc/mail/live.mc <<CONF
divert(0)dnl
OSTYPE(\`linux')dnl
define(\`confDOMAIN_NAME', \`mx.live.example')dnl
define(\`confPID_FILE', \`/var/spool/mqueue/pid')dnl
define(\`QUEUE_DIR', \`/var/spool/mqueue')dnl
define(\`STATUS_FILE', \`/var/spool/mqueue/statistics')dnl
define(\`confCW_FILE', \`-o /etc/mail/none')dnl
define(\`confRUN_AS_USER', \`smmta:smmsp')dnl
define(\`confTRUSTED_USER', \`smmta')dnl
define(\`confDEF_USER_ID', \`7011:7012')dnl
undefine(\`ALIAS_FILE')dnl
define(\`confSERVICE_SWITCH_FILE', \`/etc/mail/switch')dnl
define(\`confDONT_BLAME_SENDMAIL', \`GroupReadableKeyFile,GroupReadableSASLDBFile,AssumeSafeChown')dnl
define(\`confQUEUE_LA', \`400')dnl
define(\`confREFUSE_LA', \`800')dnl
define(\`confDELAY_LA', \`0')dnl
define(\`confBAD_RCPT_THROTTLE', \`0')dnl
define(\`confTO_IDENT', \`0')dnl
define(\`confMAX_MESSAGE_SIZE', \`20000000')dnl
define(\`confCACERT', \`/etc/mail/tls/ca.pem')dnl
define(\`confCACERT_PATH', \`/etc/mail/tls')dnl
define(\`confSERVER_CERT', \`/etc/mail/tls/good.pem')dnl
define(\`confSERVER_KEY', \`/etc/mail/tls/good.key')dnl
define(\`confTLS_SRV_OPTIONS', \`V')dnl
define(\`confAUTH_MECHANISMS', \`$mechanisms')dnl
define(\`confBIND_OPTS', \`-DNSRCH -DEFNAMES')dnl
TRUST_AUTH_MECH(\`$mechanisms')dnl
FEATURE(\`nocanonify')dnl
FEATURE(\`accept_unresolvable_domains')dnl
FEATURE(\`no_default_msa')dnl
FEATURE(\`promiscuous_relay')dnl
define(\`SMART_HOST', \`box:localhost')dnl
DAEMON_OPTIONS(\`Name=plain, Addr=127.0.0.1, Port=$plain, M=AS')dnl
DAEMON_OPTIONS(\`Name=submission, Addr=127.0.0.1, Port=$submission, M=a')dnl
DAEMON_OPTIONS(\`Name=smtps, Addr=127.0.0.1, Port=$smtps, M=sa')dnl
MAILER(\`smtp')dnl
MAILER_DEFINITIONS
Mbox,	P=/usr/lib/deliver, F=DFMlnsqmuh8, S=EnvFromSMTP/HdrFromSMTP, R=EnvToSMTP/HdrFromSMTP, T=DNS/RFC822/X-Unix,
	U=7011:7012, A=deliver \$u
LOCAL_RULESETS
SLocal_check_mail
R\$* <refused@\$*	\$#error \$@ 5.1.8 \$: "550 not this one"
R<refused@\$*	\$#error \$@ 5.1.8 \$: "550 not this one"
SLocal_check_rcpt
R<nobody@\$*	\$#error \$@ 5.1.1 \$: "550 no such box"
CONF
(cd /usr/share/sendmail/cf && m4 -D_CF_DIR_=/usr/share/sendmail/cf/ m4/cf.m4 /etc/mail/live.mc) >/etc/mail/live.cf 2>/var/log/m4

sendmail=
stop() {
   trap - TERM INT EXIT
   [ -z "$sendmail" ] || { kill "$sendmail" && wait "$sendmail"; } 2>/dev/null || :
   leave
}
trap stop TERM INT EXIT
/usr/libexec/sendmail/sendmail -C /etc/mail/live.cf -bD -q1m -X /dev/null >/var/log/start.log 2>&1 &
sendmail=$!
up() { is_listening "$plain" && is_listening "$smtps"; }
wait_for up || { echo "Sendmail did not start:"; tail -n 4 /var/log/start.log; exit 1; }
echo "ready plain=$plain submission=$submission smtps=$smtps pid=$$ work=$work"
while :; do sleep 0.2; done
