#!/usr/bin/env bash
# Programs of Debian that send mail by /usr/sbin/sendmail, which is a link to lua-smtp here, for the live specs.
# Prints "ready pid=PID work=DIRECTORY". The specs run the programs in the mount namespace of PID, until it gets SIGTERM.
set -eu
. spec/live/unpacked.sh
if [ -z "${1:-}" ]; then
   root=$PWD/build/live/sendmail/root
   make -s LUA=lua5.4 install DESTDIR="$root" PREFIX=/usr >/dev/null
   mkdir -p "$root/usr/sbin" && ln -sf ../bin/lua-smtp "$root/usr/sbin/sendmail"
fi
php() { apt-cache depends php-cli 2>/dev/null | sed -n 's/^ *Depends: \(php[0-9.]*-cli\)$/\1/p'; }
[ -n "$(php)" ] || apt-get -q update >/dev/null 2>&1
enter "${1:-}" sendmail cron git-email libmailtools-perl mutt bsd-mailx s-nail logwatch "$(php)"

mount -t tmpfs tmpfs /run # cron writes its number there, and notes that the machine has started
rm -rf /etc/crontab /etc/cron.*/* /etc/environment /etc/default/locale /etc/mailname /var/spool/cron
echo 'crontab:x:7007:' >>/etc/group
mkdir -p /var/spool/cron/crontabs /var/cache/logwatch /var/home
echo "Nov 30 10:00:00 box sudo:     ann : TTY=pts/0 ; PWD=/home/ann ; USER=root ; COMMAND=/bin/ls" >/var/log/auth.log
trap leave TERM INT EXIT
echo "ready pid=$$ work=$work"
while :; do sleep 0.2; done
