#!/usr/bin/env bash
# Exim (with GnuTLS) on loopback, for the live specs: AUTH PLAIN, and EXTERNAL from client certificates.
# On port OPEN it offers EXTERNAL to everybody, on STRICT only to those whose certificate it trusts.
# Prints "ready submission=OPEN strict=STRICT smtps=PORT pid=PID work=DIRECTORY" and serves until it gets SIGTERM.
set -eu
. spec/live/unpacked.sh
enter "${1:-}" exim exim4-daemon-heavy

echo 'Debian-exim:x:7006:7006::/var/spool/exim4:/bin/false' >>/etc/passwd
echo 'Debian-exim:x:7006:' >>/etc/group
mkdir -p /var/spool/exim4 /var/log/exim4 /var/boxes /etc/exim4
cp build/spec/certs/{good.pem,good.key,ca.pem} /etc/exim4/
chmod 644 /etc/exim4/*
chown -R Debian-exim:Debian-exim /var/spool/exim4 /var/log/exim4 /var/boxes

read -r open strict smtps < <(free_ports 3)
cat >/etc/exim4/exim4.conf <<END
keep_environment =
primary_hostname = mx.live.example
local_interfaces = 127.0.0.1
daemon_smtp_ports = $open : $strict : $smtps
tls_on_connect_ports = $smtps
pid_file_path = /var/spool/exim4/pid
tls_advertise_hosts = *
tls_certificate = /etc/exim4/good.pem
tls_privatekey = /etc/exim4/good.key
tls_verify_certificates = /etc/exim4/ca.pem
tls_try_verify_hosts = *
auth_advertise_hosts = \${if eq {\$tls_in_cipher}{}{}{*}}
acl_smtp_mail = from
acl_smtp_rcpt = to
acl_smtp_data = message
host_lookup =
rfc1413_query_timeout = 0s
smtp_accept_queue_per_connection = 0
log_file_path = /var/log/exim4/%slog

begin acl
from:
  deny condition = \${if eq {\$authenticated_id}{}}
       message = 530 5.7.0 Authentication required
  deny senders = refused@live.example
  accept
to:
  deny local_parts = nobody
  accept
message:
  accept add_header = X-Identity: \$authenticated_id by \$sender_host_authenticated

begin routers
boxes:
  driver = accept
  domains = live.example
  local_parts = ann : bob : carol : pelé
  transport = box

begin transports
box:
  driver = appendfile
  directory = /var/boxes/\$local_part_data
  maildir_format
  user = Debian-exim
  group = Debian-exim

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = \${if and {{eq {\$auth2}{ann}} {eq {\$auth3}{sesame}}}}
  server_set_id = \$auth2
# Who the certificate is for may act as himself, and ann as the office.
external:
  driver = external
  public_name = EXTERNAL
  server_advertise_condition = \${if eq {\$received_port}{$open}{true}{\$tls_in_certificate_verified}}
  server_param2 = \${certextract {subject,CN}{\$tls_in_peercert}}
  server_condition = \${if and {{bool {\$tls_in_certificate_verified}} \
     {or {{eq {\$auth1}{}} {eq {\$auth1}{\$auth2}} {eq {\$auth1/\$auth2}{office/ann}}}}}}
  server_set_id = \${if eq {\$auth1}{}{\$auth2}{\$auth1}}
END

exim=
stop() {
   trap - TERM INT EXIT
   [ -z "$exim" ] || { kill "$exim" && wait "$exim"; } 2>/dev/null || :
   leave
}
trap stop TERM INT EXIT
exim4 -bdf >/var/log/start.log 2>&1 &
exim=$!
up() { is_listening "$open" && is_listening "$strict"; }
wait_for up || { echo "Exim did not start:"; tail -n 4 -q /var/log/start.log /var/log/exim4/*; exit 1; }
echo "ready submission=$open strict=$strict smtps=$smtps pid=$$ work=$work"
while :; do sleep 0.2; done
