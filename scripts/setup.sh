#!/bin/sh
# Installs what the build and the tests need on Debian 12, only what is missing. Usage: scripts/setup.sh build|test
set -eu
packages="git pkg-config libxml2-dev libsqlite3-dev zlib1g-dev"
# The tests' judges: what others wrote, as publishers, players and the other end of relays.
judges="ffmpeg curl openssl python3-pip libnginx-mod-rtmp gstreamer1.0-tools gstreamer1.0-plugins-base
    gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly gstreamer1.0-rtsp
    gstreamer1.0-plugins-base-apps vlc-bin vlc-plugin-base iproute2 chromium-headless-shell firefox-esr libavcodec59"
[ "${1:-build}" = test ] && packages="$packages $judges"
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
# Debian 12's ffmpeg knows no Enhanced RTMP. Without a newer one the tests that need it are skipped, and say so.
tools="$(dirname "$0")/../.build/test-tools"
if [ "${1:-build}" = test ] && [ ! -d "$tools/imageio_ffmpeg" ] && [ -z "${GBGATE_FFMPEG:-}" ]; then
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps --target "$tools" imageio-ffmpeg ||
        echo "setup: no recent ffmpeg (imageio-ffmpeg from PyPI): the tests of Enhanced RTMP will be skipped"
fi
