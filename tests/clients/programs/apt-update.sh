#!/bin/sh
# SPDX-License-Identifier: MIT
#
# apt-update.sh PORT: `apt-get update` of one source through the proxy 127.0.0.1:PORT. All of its
# state is in the current folder, and nothing of the machine's own is read or changed.
set -eu

mkdir -p apt/lists/partial apt/cache/archives/partial
echo 'deb [trusted=yes] http://deb.example.org/ stable main' >apt/sources.list
exec apt-get \
    -o "Acquire::http::Proxy=http://127.0.0.1:$1" -o Acquire::http::Timeout=3600 \
    -o Acquire::Retries=0 -o APT::Sandbox::User=root -o Dir::Etc::sourcelist="$PWD/apt/sources.list" \
    -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists="$PWD/apt/lists" \
    -o Dir::Cache="$PWD/apt/cache" -q update
