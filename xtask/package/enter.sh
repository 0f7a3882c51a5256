#!/bin/sh
# A copy of this machine that is thrown away: `enter.sh FOLDER COMMAND...`, as root in a mount namespace of its own (unshare --mount).
# What is written to the copy is kept in memory and gone with the namespace. It lies at FOLDER/root while COMMAND runs.
set -eu
folder=$1
shift
mkdir -p "$folder/memory"
mount -t tmpfs none "$folder/memory"
mkdir "$folder/memory/upper" "$folder/memory/work" "$folder/memory/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/memory/upper,workdir=$folder/memory/work" "$folder/memory/root"
ln -sfn memory/root "$folder/root"
# A machine whose image forbids services to be started forbids it to the copy as well.
rm -f "$folder/root/usr/sbin/policy-rc.d"
exec "$@"
