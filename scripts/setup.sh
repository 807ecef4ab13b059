#!/bin/sh
# Installs what the build and the tests need on Debian 12, only what is missing. Usage: scripts/setup.sh build|test
set -eu
packages="git pkg-config libxml2-dev libsqlite3-dev"
[ "${1:-build}" = test ] && packages="$packages ffmpeg curl"
missing=""
for package in $packages; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
done
if [ -n "$missing" ]; then
    echo "installing:$missing"
    sudo=""
    [ "$(id -u)" = 0 ] || sudo=sudo
    $sudo apt-get update -qq
    # shellcheck disable=SC2086 # a list of names
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi
if ! command -v swift >/dev/null; then
    echo "swift is not on the PATH: install Swift 6.3 for Debian 12 from https://www.swift.org/install/linux/" >&2
    exit 1
fi
