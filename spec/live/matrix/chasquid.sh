#!/usr/bin/env bash
# chasquid on loopback: a port for its own domain with STARTTLS, one with STARTTLS and a required login, and one with
# implicit TLS. Prints "ready plain=PORT submission=PORT smtps=PORT pid=PID work=DIRECTORY" and serves until it gets
# SIGTERM.
set -eu
. spec/live/unpacked.sh
enter "${1:-}" chasquid chasquid

read -r plain submission smtps < <(free_ports 3)
mkdir -p /var/boxes /var/chasquid /etc/live/certs/localhost /etc/live/domains/live.example
cp build/spec/certs/good.pem /etc/live/certs/localhost/fullchain.pem
cp build/spec/certs/good.key /etc/live/certs/localhost/privkey.pem
write_deliver /usr/lib/deliver
for box in ann bob carol pelé; do echo "$box: $box@inside.example"; done >/etc/live/domains/live.example/aliases
mkdir -p /etc/live/domains/inside.example
for box in ann bob carol pelé; do echo "$box: | /usr/lib/deliver $box"; done >/etc/live/domains/inside.example/aliases
cp /etc/live/domains/inside.example/aliases /etc/live/domains/live.example/aliases
cat >/etc/live/chasquid.conf <<CONF
hostname: "mx.live.example"
max_data_size_mb: 20
smtp_address: "127.0.0.1:$plain"
submission_address: "127.0.0.1:$submission"
submission_over_tls_address: "127.0.0.1:$smtps"
mail_delivery_agent_bin: "/usr/lib/deliver"
mail_delivery_agent_args: "%to%"
data_dir: "/var/chasquid"
mail_log_path: "/var/log/mail.log"
CONF
chasquid-util -C=/etc/live user-add ann@live.example --password=sesame >/var/log/start.log 2>&1 ||
   chasquid-util --configdir=/etc/live user-add ann@live.example --password=sesame >>/var/log/start.log

chasquid=
stop() {
   trap - TERM INT EXIT
   [ -z "$chasquid" ] || { kill "$chasquid" && wait "$chasquid"; } 2>/dev/null || :
   leave
}
trap stop TERM INT EXIT
chasquid --config_dir=/etc/live >>/var/log/start.log 2>&1 &
chasquid=$!
up() { is_listening "$plain" && is_listening "$smtps"; }
wait_for up || { echo "chasquid did not start:"; tail -n 4 /var/log/start.log; exit 1; }
echo "ready plain=$plain submission=$submission smtps=$smtps user=ann@live.example pid=$$ work=$work"
while :; do sleep 0.2; done
