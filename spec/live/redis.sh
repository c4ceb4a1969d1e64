#!/usr/bin/env bash
# Unpacks Debian's redis-server and clients of it, which needs no root, and prints where it is and as many free ports as
# asked for.
set -eu
. spec/live/unpacked.sh
unpack redis redis-server redis-tools
unpack nginx-redis lua-nginx-redis
unpack lua-redis lua-redis
echo "$PWD/build/live/redis/root"
free_ports "$1"
