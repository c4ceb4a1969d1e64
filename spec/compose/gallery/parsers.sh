#!/usr/bin/env bash
# Installs the parsers of npm under build/gallery, once; nothing else of this machine changes.
set -eu
modules=$PWD/build/gallery
mkdir -p "$modules"
exec 9>"$modules/lock"
flock 9
[ ! -e "$modules/fetched" ] || exit 0
command -v npm >/dev/null || { echo "npm is missing: apt-get install npm"; exit 1; }
echo '{ "private": true }' >"$modules/package.json"
(cd "$modules" && timeout 300 npm install --cache "$modules/cache" --no-audit --no-fund --ignore-scripts \
   mailparser@3.7.2 postal-mime@2.4.3 >npm.log 2>&1) ||
   { echo "cannot install mailparser and postal-mime: $(tail -n 1 "$modules/npm.log")"; exit 1; }
rm -rf "$modules/cache"
touch "$modules/fetched"
