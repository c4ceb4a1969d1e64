#!/usr/bin/env bash
# Sourced by the scripts here that start servers. Nothing is installed: Debian packages are unpacked under
# build/live, and seen in their places by the script alone (a mount namespace of its own, in which /usr, /etc
# and /var take writes that vanish with it).

# The packages of the set `name`, unpacked once, and the libraries they name and this machine lacks.
unpack() { # name, package ...
   local name=$1
   shift
   mkdir -p "build/live/$name/deb" "build/live/$name/root"
   exec 9>"build/live/$name/lock"
   flock 9 # specs may run in two places at a time
   cd "build/live/$name/deb"
   fetch() { apt-get -q -o DPkg::Lock::Timeout=300 download "$@" >/dev/null 2>fetch.log; }
   missing_libraries() { # that the fetched packages name, that exist, and that this machine lacks
      local library
      for library in $(for deb in *.deb; do dpkg-deb -f "$deb" Pre-Depends Depends; done |
         sed 's/^[A-Za-z-]*: //' | tr ',|' '\n\n' | sed 's/^ *//; s/[ (:].*//' | grep '^lib' | sort -u |
         comm -12 - <(apt-cache pkgnames lib | sort)); do
         dpkg-query -W -f '${Status}' "$library" 2>/dev/null | grep -q ' installed$' ||
            ls "$library"_*.deb >/dev/null 2>&1 || echo "$library"
      done
   }
   if [ ! -e ../fetched ]; then
      fetch "$@" || { apt-get -q update >/dev/null 2>&1; fetch "$@"; } ||
         { echo "cannot fetch $*: $(tail -n 1 fetch.log)"; exit 1; }
      local libraries
      while libraries=$(missing_libraries) && [ -n "$libraries" ]; do # and those that these name
         # shellcheck disable=SC2086
         fetch $libraries || { echo "cannot fetch" $libraries: "$(tail -n 1 fetch.log)"; exit 1; }
      done
      for deb in *.deb; do dpkg-deb -x "$deb" ../root; done
      # Debian's /lib is /usr/lib.
      [ ! -d ../root/lib ] || cp -a ../root/lib/. ../root/usr/lib/
      touch ../fetched
   fi
   exec 9>&-
   cd - >/dev/null
}

# Runs the script again with the packages in their places; then sets `work`, a directory that `leave` removes.
# `outside`: the namespace of the first run, empty in it.
enter() { # outside, name, package ...
   local outside=$1 here propagation=private
   local root=$PWD/build/live/$2/root
   shift
   here=$(readlink /proc/self/ns/mnt)
   if [ -z "$outside" ]; then
      [ "$(id -u)" = 0 ] || { echo "the live servers need root (a mount namespace)"; exit 1; }
      unpack "$@"
      # In a chroot "/" is no mount, and its propagation cannot be changed.
      unshare --mount --propagation private true 2>/dev/null || propagation=unchanged
      exec unshare --mount --propagation $propagation bash "$0" "$here"
   fi
   [ "$outside" != "$here" ] || { echo "not in a mount namespace of its own"; exit 1; }
   work=$(mktemp -d /tmp/lua-smtp-live.XXXXXX)
   chmod 755 "$work"
   mkdir -p "$work"/{usr,usr.work,etc,etc.work,var,var.work} "$root/etc"
   cp -a "$root/var/." "$work/var/" 2>/dev/null || :
   mount -t overlay overlay -o "lowerdir=$root/usr:/usr,upperdir=$work/usr,workdir=$work/usr.work" /usr
   mount -t overlay overlay -o "lowerdir=$root/etc:/etc,upperdir=$work/etc,workdir=$work/etc.work" /etc
   mount -t overlay overlay -o "lowerdir=/var,upperdir=$work/var,workdir=$work/var.work" /var
   ldconfig 2>/dev/null || :
}

# Ends what the servers have left in this namespace: daemons that forked, programs that they run.
end_others() {
   local process
   for process in /proc/[0-9]*; do
      [ "$process" = /proc/$$ ] || [ "$process" = "/proc/$BASHPID" ] || # a subshell has another number
         [ ! "$process/ns/mnt" -ef /proc/$$/ns/mnt ] ||
         kill -KILL "${process#/proc/}" 2>/dev/null || :
   done
}

leave() {
   end_others
   cd /
   umount -l /var /etc /usr
   rm -rf "$work" 2>/dev/null || :
   exit 0
}

# Packages of npm, installed once in a folder of their own.
npm_install() { # folder, package@version ...
   local modules=$1
   shift
   mkdir -p "$modules"
   exec 9>"$modules/lock"
   flock 9 # specs may run in two places at a time
   if [ ! -e "$modules/fetched" ]; then
      echo '{ "private": true }' >"$modules/package.json"
      (cd "$modules" && npm install --cache "$modules/cache" --no-audit --no-fund --ignore-scripts "$@" \
         >npm.log 2>&1) || { echo "cannot install $*: $(tail -n 1 "$modules/npm.log")"; exit 1; }
      rm -rf "$modules/cache"
      touch "$modules/fetched"
   fi
   exec 9>&-
}

free_ports() { # as many as asked for, free just now, and below those that outgoing connections get
   python3 -c '
import random, socket, sys
held = []
while len(held) < int(sys.argv[1]):
    try:
        held.append(socket.create_server(("127.0.0.1", random.randrange(10000, 20000))))
    except OSError:
        pass
ports = [s.getsockname()[1] for s in held]
for s in held: s.close() # before the ports are known: is_listening must not meet these
print(*ports)' "$1"
}

wait_for() { # a command that succeeds within 10 seconds
   local _
   for _ in $(seq 100); do
      "$@" 2>/dev/null && return
      sleep 0.1
   done
   return 1
}

is_listening() { (: </dev/tcp/127.0.0.1/"$1") 2>/dev/null; }

# Writes the program `deliver`: it keeps the message on its standard input for each box that its arguments name.
write_deliver() { # path
   cat >"$1" <<'DELIVER'
#!/bin/sh
name=$(date +%s%N).$$
cat >/var/boxes/$name
for box; do
   box=${box%@*}
   mkdir -p "/var/boxes/$box/new"
   cp "/var/boxes/$name" "/var/boxes/$box/new/.$name"
   mv "/var/boxes/$box/new/.$name" "/var/boxes/$box/new/$name"
done
rm "/var/boxes/$name"
DELIVER
   chmod 755 "$1"
}
