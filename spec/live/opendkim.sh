#!/usr/bin/env bash
# opendkim -t ...: reads messages, and keys from a file. Where it is not installed, its package is
# unpacked under build/live, since an installed one is a service that runs from then on.
set -euo pipefail
if ! command -v opendkim >/dev/null; then
   at=$PWD/build/live/opendkim
   if [ ! -e "$at/ready" ]; then
      rm -rf "$at" && mkdir -p "$at" && cd "$at"
      wanted() { apt-get -s install --no-install-recommends opendkim | awk '$1 == "Inst" { print $2 }'; }
      packages=$(wanted 2>/dev/null) || { apt-get -q update >/dev/null && packages=$(wanted); }
      # shellcheck disable=SC2086
      apt-get -q -o DPkg::Lock::Timeout=300 download $packages >fetch.log 2>&1 ||
         { echo "cannot fetch opendkim: $(tail -n 1 fetch.log)"; exit 1; }
      for deb in *.deb; do dpkg-deb -x "$deb" root; done
      touch ready
      cd - >/dev/null
   fi
   PATH=$PATH:$at/root/usr/sbin
   # Debian's libraries are in the folder of their architecture, one of these is not.
   libraries=$(dirname "$(find "$at/root/usr/lib" -name 'libopendkim.so.*' -print -quit)")
   export LD_LIBRARY_PATH=$libraries:$at/root/usr/lib
fi
exec opendkim "$@"
