#!/bin/sh
# Installs PACKAGE in the copy at FOLDER/root, then runs COMMAND outside of the copy with PROGRAM_UNDER_TEST naming the program
# that the package has brought: `installed.sh FOLDER PACKAGE COMMAND...`.
set -eu
folder=$1 package=$2
shift 2
root=$(readlink -f "$folder/root")
cp "$package" "$root/package.deb"
# The scripts of packages start and stop services. Here they are to find none, those of this machine least of all.
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod +x "$root/usr/sbin/policy-rc.d"
unshare --pid --fork sh -c 'mount -t proc proc "$0/proc" && exec chroot "$0" \
    env DEBIAN_FRONTEND=noninteractive dpkg --install /package.deb' "$root"
PROGRAM_UNDER_TEST=$root/usr/bin/lineshaft exec "$@"
