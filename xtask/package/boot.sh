#!/bin/sh
# Boots the copy at FOLDER/root with its own systemd, as the first process of namespaces of its own, and lets it run story.sh:
# `boot.sh FOLDER PACKAGE NEWER LIBRARY`. The story's output is in FOLDER/said.
set -eu
folder=$1
root=$folder/root
mkdir -p "$root/story"
cp "$(dirname "$0")/story.sh" "$2" "$3" "$4" "$root/story/"
: >"$folder/said"
: >"$root/story/said"
mount --bind "$folder/said" "$root/story/said"

# What is below /proc/sys and /sys is the machine's own, whatever the namespace: nothing of it is to change.
mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty; do
    : >"$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/shm" "$root/dev/pts" "$root/dev/mqueue"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts "$root/dev/pts"
mount -t mqueue mqueue "$root/dev/mqueue"
ln -s pts/ptmx "$root/dev/ptmx"
: >"$root/dev/console"

cat >"$root/etc/systemd/system/story.service" <<UNIT
[Unit]
After=dbus.socket
Wants=dbus.socket

[Service]
Type=oneshot
ExecStart=/bin/sh /story/story.sh /story/$(basename "$2") /story/$(basename "$3") /story/$(basename "$4")
StandardOutput=append:/story/said
StandardError=inherit
ExecStopPost=/bin/systemctl --force --force poweroff
UNIT
cat >"$root/etc/systemd/system/story.target" <<UNIT
[Unit]
Requires=story.service
AllowIsolate=yes
UNIT
# The copy becomes the root of this namespace, not only of a process: services get namespaces made from it.
cd "$root"
mkdir -p outside
pivot_root . outside
exec chroot . /bin/sh -c 'umount --lazy /outside && rmdir /outside && exec env -i container=lineshaft \
    PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 /lib/systemd/systemd --system --unit=story.target'
