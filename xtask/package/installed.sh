#!/bin/sh
# Installs PACKAGE in the copy at FOLDER/root, then runs COMMAND outside of the copy with PROGRAM_UNDER_TEST naming the program
# that the package has brought: `installed.sh FOLDER PACKAGE COMMAND...`.
set -eu
folder=$1 package=$2
shift 2
root=$(readlink -f "$folder/root")
cp "$package" "$root/package.deb"
mount -t proc proc "$root/proc"
DEBIAN_FRONTEND=noninteractive chroot "$root" dpkg --install /package.deb
PROGRAM_UNDER_TEST=$root/usr/bin/lineshaft exec "$@"
