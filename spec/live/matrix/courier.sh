#!/usr/bin/env bash
# Courier on loopback: ports without TLS, with STARTTLS and a required login, and with implicit TLS. It delivers to
# Maildirs of its own users.
# Prints "ready plain=PORT submission=PORT smtps=PORT pid=PID work=DIRECTORY" and serves until it gets SIGTERM.
set -eu
. spec/live/unpacked.sh
enter "${1:-}" courier courier-mta courier-base courier-authlib courier-authdaemon courier-authlib-userdb \
   libcourier-unicode4 libltdl7 libgamin0 libgdbm6 libidn12 gnutls-bin libnet-cidr-perl libperl5.36

echo 'courier:x:7018:7018::/nonexistent:/bin/false' >>/etc/passwd
echo 'courier:x:7018:' >>/etc/group
echo 'mailbox:x:7005:7005::/var/boxes:/bin/sh' >>/etc/passwd
echo 'mailbox:x:7005:' >>/etc/group
read -r plain submission smtps < <(free_ports 3)
etc=/etc/courier
mkdir -p $etc/{smtpaccess,aliases,aliasdir,filters/active,esmtpacceptmailfor.dir,hosteddomains,shared}
mount -t tmpfs tmpfs /run
mkdir -p /run/courier/authdaemon /var/lib/courier/sts /var/lib/courier/track
echo mx.live.example >$etc/me
echo live.example >$etc/defaultdomain
printf 'localhost\nlive.example\nmx.live.example\n' >$etc/locals
echo live.example >$etc/esmtpacceptmailfor.dir/live
echo '"Mail" <@>' >$etc/dsnfrom
echo 20000000 >$etc/sizelimit
: >$etc/esmtproutes
printf '127.0.0\tallow,BLOCK=\n' >$etc/smtpaccess/default
printf 'opt BOFHCHECKDNS=0\nopt BOFHCHECKHELO=0\nbadfrom refused@live.example\n' >$etc/bofh
echo 'postmaster: ann' >$etc/aliases/system
cat build/spec/certs/good.pem build/spec/certs/good.key >$etc/esmtpd.pem
openssl dhparam -dsaparam -out $etc/dhparams.pem 2048 2>/dev/null
for box in ann bob carol pelé; do
   mkdir -p /var/boxes/$box/{cur,new,tmp}
   printf '%s\thome=/var/boxes/%s|uid=7005|gid=7005|systempw=%s|hmac-md5pw=%s\n' $box $box \
      "$(openssl passwd -1 sesame)" "$(echo sesame | userdbpw -hmac-md5)"
done >$etc/userdb
chown -R mailbox:mailbox /var/boxes
chown -R courier:courier /run/courier /var/lib/courier
chown -R root:courier $etc
chown courier $etc/esmtpd.pem
chmod 600 $etc/esmtpd.pem $etc/userdb
[ -e /usr/bin/makedat ] || ln -s /usr/bin/makedat.courier /usr/bin/makedat
makeuserdb
sed -i 's/^authmodulelist=.*/authmodulelist="authuserdb"/; s/^daemons=.*/daemons=2/' $etc/authdaemonrc
sed -i 's|^DEFAULTDELIVERY=.*|DEFAULTDELIVERY=./|' $etc/courierd
for make in makesmtpaccess makeacceptmailfor makealiases; do
   PATH=$PATH:/usr/lib/courier:/usr/sbin $make || :
done >/var/log/start.log 2>&1

daemons=
stop() {
   trap - TERM INT EXIT
   kill $daemons 2>/dev/null || :
   wait 2>/dev/null || :
   leave
}
trap stop TERM INT EXIT
run() { # a command; its environment may have been changed by a subshell
   exec "$@" >>/var/log/start.log 2>&1
}
(set -a; . $etc/authdaemonrc; run /usr/lib/courier/courier-authlib/authdaemond) & daemons="$daemons $!"
(set -a; . $etc/courierd; run /usr/lib/courier/courier/courierd) & daemons="$daemons $!"
listen() { # port, what comes before the server, settings
   local port=$1 before=$2 setting
   shift 2
   (
      set -a
      prefix=/usr exec_prefix=/usr sysconfdir=$etc sbindir=/usr/sbin
      . $etc/esmtpd
      TARPIT=0 BOFHCHECKDNS=0
      for setting; do eval "${setting%%=*}='${setting#*=}'"; done
      run /usr/sbin/couriertcpd -address=127.0.0.1 -noidentlookup -user=courier -group=courier -access=$etc/smtpaccess.dat \
         -maxprocs=100 -maxperc=100 -maxperip=100 -pid=/run/courier/"$port".pid "$port" $before /usr/sbin/courieresmtpd
   ) & daemons="$daemons $!"
}
mechanisms='PLAIN LOGIN CRAM-MD5'
listen "$plain" '' COURIERTLS=
listen "$submission" '' ESMTPAUTH= "ESMTPAUTH_TLS=$mechanisms" AUTH_REQUIRED=1
listen "$smtps" '/usr/bin/couriertls -server -tcpd' "ESMTPAUTH=$mechanisms" "ESMTPAUTH_TLS=$mechanisms" AUTH_REQUIRED=1
up() { is_listening "$plain" && is_listening "$submission" && is_listening "$smtps"; }
wait_for up || { echo "Courier did not start:"; tail -n 4 /var/log/start.log; exit 1; }
echo "ready plain=$plain submission=$submission smtps=$smtps pid=$$ work=$work"
while :; do sleep 0.2; done
