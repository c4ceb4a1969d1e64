#!/usr/bin/env bash
# qpsmtpd on loopback, with STARTTLS and a login that is not required.
# Prints "ready submission=PORT pid=PID work=DIRECTORY" and serves until it gets SIGTERM.
set -eu
. spec/live/unpacked.sh
enter "${1:-}" qpsmtpd qpsmtpd libdigest-hmac-perl libnet-dns-perl libnet-ip-perl libmailtools-perl \
   libipc-shareable-perl libsocket6-perl libio-socket-inet6-perl libio-socket-ssl-perl libnet-ssleay-perl \
   libmail-spf-perl liburi-perl libtimedate-perl perl-openssl-defaults libnetaddr-ip-perl liberror-perl

echo 'qpsmtpd:x:7014:7014::/nonexistent:/bin/false' >>/etc/passwd
echo 'qpsmtpd:x:7014:' >>/etc/group
read -r submission < <(free_ports 1)
config=/var/qpsmtpd
mkdir -p $config /var/boxes /var/spool/qpsmtpd
chmod 700 /var/spool/qpsmtpd
cp build/spec/certs/{good.pem,good.key,ca.pem} $config
chown -R qpsmtpd:qpsmtpd $config /var/boxes /var/spool/qpsmtpd
echo /var/spool/qpsmtpd >$config/spool_dir
echo mx.live.example >$config/me
echo 20000000 >$config/databytes
echo 4 >$config/loglevel
echo logging/warn >$config/logging
printf '/usr/share/qpsmtpd/plugins\n/var/qpsmtpd-plugins\n' >$config/plugin_dirs
echo ann@live.example:sesame >$config/flat_auth_pw
echo live.example >$config/rcpthosts
mkdir -p /var/qpsmtpd-plugins
cat >/var/qpsmtpd-plugins/boxes <<'PLUGIN'
# Knows no box "nobody", and keeps each message for each of its recipients.
sub hook_rcpt {
    my ($self, $transaction, $recipient) = @_;
    return (DENY, "no such box") if $recipient->user eq "nobody";
    return (DECLINED);
}

sub hook_queue {
    my ($self, $transaction) = @_;
    our $count;
    my $name = "$$." . sprintf("%06d", ++$count);
    for my $to ($transaction->recipients) {
        my $box = "/var/boxes/" . $to->user;
        mkdir $box;
        mkdir "$box/new";
        open(my $file, ">:raw", "/var/boxes/$name") or return (DENYSOFT, "no room");
        $transaction->header->print($file);
        print $file "\n";
        $transaction->body_resetpos;
        $transaction->body_getline if $transaction->body_start;
        while (my $line = $transaction->body_getline) { print $file $line; }
        close $file;
        rename "/var/boxes/$name", "$box/new/$name";
    }
    return (OK, "kept");
}
PLUGIN
printf 'tls %s/good.pem %s/good.key %s/ca.pem\nauth/auth_flat_file\nboxes\nrcpt_ok\n' \
   $config $config $config >$config/plugins
server=
stop() {
   trap - TERM INT EXIT
   [ -z "$server" ] || { kill "$server" && wait "$server"; } 2>/dev/null || :
   leave
}
trap stop TERM INT EXIT
QPSMTPD_CONFIG=$config qpsmtpd-forkserver -l 127.0.0.1 -p "$submission" -u qpsmtpd -m 100 -c 100 -H \
   >/var/log/start.log 2>&1 &
server=$!
up() { is_listening "$submission"; }
wait_for up || { echo "qpsmtpd did not start:"; tail -n 4 /var/log/start.log; exit 1; }
echo "ready submission=$submission user=ann@live.example pid=$$ work=$work"
while :; do sleep 0.2; done
