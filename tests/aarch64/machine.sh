#!/bin/sh
# An AArch64 userland to emulate: Debian's Python in ROOT/debian, the wheels of what nssbg and its tests
# need in ROOT/site. Nothing of this machine is changed: apt works in folders of its own.
#
#   machine.sh ROOT WHEEL    unpack once, then put this nssbg wheel into it
set -eu
root=$(realpath -m "$1") wheel=$2
here=$(dirname "$(realpath "$0")")
python=${PYTHON:-python3}
version=3.11 # Debian 12's
if [ ! -e "$root/.ready" ]; then
  rm -rf "$root"
  mkdir -p "$root/apt/lists/partial" "$root/apt/cache/archives/partial" "$root/debian"
  : > "$root/apt/status"
  apt() {
    apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures::=arm64 \
      -o Dir::State="$root/apt" -o Dir::State::status="$root/apt/status" \
      -o Dir::Cache="$root/apt/cache" "$@"
  }
  apt update
  apt install -y --no-install-recommends --download-only \
    python$version-minimal libpython$version-stdlib libstdc++6 libgomp1
  for package in "$root"/apt/cache/archives/*.deb; do
    dpkg-deb -x "$package" "$root/debian"
  done
  rm -rf "$root/apt"
  platforms=
  for tag in manylinux2014 manylinux_2_17 manylinux_2_27 manylinux_2_28; do
    platforms="$platforms --platform ${tag}_aarch64"
  done
  # shellcheck disable=SC2086
  "$python" -m pip install -q --target "$root/site" --python-version $version \
    --only-binary :all: $platforms -r "$here/requirements.txt"
  touch "$root/.ready"
fi
rm -rf "$root"/site/nssbg "$root"/site/nssbg-*.dist-info
"$python" -m zipfile -e "$wheel" "$root/site"
