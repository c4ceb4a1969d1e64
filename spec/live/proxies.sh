#!/usr/bin/env bash
# Runs a proxy of Debian, unpacked: microsocks, dante, tinyproxy or squid. Where a user and a password are given, all but
# dante require them; dante and squid refuse to connect to the port `closed`. Prints "ready", its port and its process.
set -eu
. spec/live/unpacked.sh
kind=$1 closed=$2 user=${3:-} password=${4:-}
case $kind in
   dante) unpack dante dante-server ;;
   tinyproxy) unpack tinyproxy tinyproxy-bin ;;
   squid) unpack squid squid squid-common squid-langpack ;;
   *) unpack "$kind" "$kind" ;;
esac
root=$PWD/build/live/$kind/root
work=$(mktemp -d /tmp/lua-smtp-proxy.XXXXXX)
chmod 755 "$work"
pid=
trap '{ kill $pid || :; } 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 0' TERM
LD_LIBRARY_PATH=$(find "$root/usr/lib" -name '*.so.*' -printf '%h\n' 2>/dev/null | sort -u | tr '\n' ':')
export LD_LIBRARY_PATH
unset LD_PRELOAD
port=$(free_ports 1)

case $kind in
   microsocks)
      "$root/usr/bin/microsocks" -i 127.0.0.1 -p "$port" ${user:+-u "$user" -P "$password"} >"$work/log" 2>&1 & ;;
   dante)
      cat >"$work/conf" <<END
logoutput: $work/log
internal: 127.0.0.1 port = $port
external: lo
socksmethod: none
clientmethod: none
user.privileged: root
user.unprivileged: nobody
client pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }
socks block { from: 0.0.0.0/0 to: 0.0.0.0/0 port = $closed }
socks pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }
END
      "$root/usr/sbin/danted" -f "$work/conf" -p "$work/pid" >"$work/out" 2>&1 & ;;
   tinyproxy)
      cat >"$work/conf" <<END
Port $port
Listen 127.0.0.1
Timeout 20
LogFile "$work/log"
MaxClients 20
${user:+BasicAuth $user $password}
END
      "$root/usr/bin/tinyproxy" -d -c "$work/conf" >"$work/out" 2>&1 & ;;
   squid)
      if [ -n "$user" ]; then
         printf '%s:%s\n' "$user" "$(openssl passwd -apr1 "$password")" >"$work/users"
         login="auth_param basic program $root/usr/lib/squid/basic_ncsa_auth $work/users
auth_param basic realm x
acl known proxy_auth REQUIRED
http_access deny !known"
      fi
      cat >"$work/conf" <<END
http_port 127.0.0.1:$port
pid_filename none
cache_log $work/log
access_log none
cache deny all
coredump_dir $work
cache_effective_user nobody
mime_table $root/usr/share/squid/mime.conf
icon_directory $root/usr/share/squid/icons
error_directory $root/usr/share/squid-langpack/templates
logfile_daemon $root/usr/lib/squid/log_file_daemon
unlinkd_program $root/usr/lib/squid/unlinkd
pinger_enable off
shutdown_lifetime 1 seconds
acl closed port $closed
http_access deny closed
${login:-}
http_access allow all
END
      chmod 777 "$work"
      "$root/usr/sbin/squid" -N -f "$work/conf" >"$work/out" 2>&1 & ;;
esac
pid=$!
wait_for is_listening "$port" || { echo "$kind does not listen:"; cat "$work/out" "$work/log" 2>/dev/null; exit 1; }
echo "ready $port $$"
wait "$pid"
