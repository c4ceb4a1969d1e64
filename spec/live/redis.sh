#!/usr/bin/env bash
# Unpacks Debian's redis-server, which needs no root, and prints where it is and a port that is free.
set -eu
. spec/live/unpacked.sh
unpack redis redis-server redis-tools
echo "$PWD/build/live/redis/root"
free_ports "$1"
