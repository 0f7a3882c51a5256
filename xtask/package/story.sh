#!/bin/sh
# The life of the package on a Debian with systemd: in the place of gearman-job-server, upgraded, removed, purged, installed anew.
# Ends with a line that counts as cargo's do. Each step says what it is about to show.
set -eu
package=$1 newer=$2 library=$3
steps=0
now=

step() {
    [ -z "$now" ] || echo "test package::$now ... ok"
    now=$(echo "$1" | tr ' ' '_')
    steps=$((steps + 1))
}
ended() {
    if [ "$1" = 0 ]; then
        echo "test package::$now ... ok"
        echo "test result: ok. $steps passed; 0 failed; 0 ignored; 0 measured; 0 filtered out"
    else
        echo "test package::$now ... FAILED"
        systemctl status --no-pager lineshaft.service gearman-job-server.service || true
        journalctl --no-pager --lines 60 || true
        echo "test result: FAILED. $((steps - 1)) passed; 1 failed; 0 ignored; 0 measured; 0 filtered out"
    fi
}
trap 'ended $?' EXIT
# Only a story that fails waits so long.
until_ok() {
    tries=0
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt 600 ] || { echo "for a minute in vain: $*"; "$@"; }
        # Nobody tells when it will be: ask again soon.
        sleep 0.1
    done
}
is() {
    [ "$1" = "$2" ] || { echo "is '$1', not '$2'"; return 1; }
}
main_pid() { systemctl show --property MainPID --value lineshaft.service; }
answers() { gearadmin -p "$1" --server-version; }
restarted() { [ "$(main_pid)" != "$1" ] && [ "$(main_pid)" != 0 ] && systemctl is-active lineshaft.service; }
export DEBIAN_FRONTEND=noninteractive

step "gearman-job-server runs with options of its own and has a job"
cat >/etc/default/gearman-job-server <<'FILE'
# Changed by whoever runs it.
PARAMS="--listen=localhost --port=4799 \
 --daemon \
 --log-file=/var/log/gearman-job-server/gearmand.log \
 -q libsqlite3 --libsqlite3-db=/var/lib/gearman/queue.db"
FILE
install -d -o gearman /var/lib/gearman
systemctl start gearman-job-server.service
until_ok answers 4799
gearadmin -p 4799 --server-version | grep -q "^1.1.20+ds$"
echo "a job of before" | gearman -p 4799 -b -f keep

step "the package takes its place and its options"
dpkg --install "$package"
is "$(dpkg-query --show --showformat '${db:Status-Status}' gearman-job-server)" config-files
until_ok systemctl is-active lineshaft.service
until_ok answers 4799
is "$(gearadmin -p 4799 --getpid)" "$(main_pid)"
is "$(readlink -f "$(command -v gearmand)")" /usr/bin/lineshaft
is "$(stat -c %U /proc/"$(main_pid)")" lineshaft
is "$(systemctl show --property Id --value gearman-job-server.service)" lineshaft.service
is "$(stat -c %U /var/log/gearman-job-server/gearmand.log)" lineshaft
is "$(cat /run/gearman/gearmand.pid)" "$(main_pid)"
test -z "$(dpkg --verify lineshaft)"

step "the job of before is done"
gearman -p 4799 -w -c 1 -f keep tee /story/done
is "$(cat /story/done)" "a job of before"

step "systemd finds no fault with the units"
systemd-analyze verify lineshaft.service lineshaft.socket
systemd-analyze security --no-pager --threshold=20 lineshaft.service >/dev/null
is "$(systemctl is-enabled lineshaft.service)" enabled
is "$(systemctl is-enabled lineshaft.socket || true)" disabled

step "manual pages and completions are where they are looked for"
man -w lineshaft-serve gearmand gearman gearadmin
bash -c '. /usr/share/bash-completion/completions/gearmand; complete -p gearmand'

step "a reload and logrotate change no process"
pid=$(main_pid)
systemctl reload lineshaft.service
kill -HUP "$(cat /run/gearman/gearmand.pid)"
until_ok answers 4799
is "$(main_pid)" "$pid"
is "$(systemctl is-active lineshaft.service)" active

step "a graceful end is a restart"
systemctl kill --signal=USR1 --kill-who=main lineshaft.service
until_ok restarted "$pid"

step "a hung server is restarted by the watchdog"
mkdir -p /run/systemd/system/lineshaft.service.d
printf '[Service]\nWatchdogSec=2\nTimeoutAbortSec=1\n' >/run/systemd/system/lineshaft.service.d/hang.conf
systemctl daemon-reload
systemctl restart lineshaft.service
pid=$(main_pid)
kill -STOP "$pid"
until_ok restarted "$pid"
rm -r /run/systemd/system/lineshaft.service.d
systemctl daemon-reload

step "a socket unit starts it"
systemctl stop lineshaft.service
systemctl start lineshaft.socket
is "$(systemctl is-active lineshaft.service || true)" inactive
until_ok answers 4730
is "$(systemctl is-active lineshaft.service)" active
systemctl stop lineshaft.socket lineshaft.service

step "an upgrade keeps what the administrator has changed"
echo 'PARAMS="--listen=127.0.0.1 --port=4711"' >>/etc/default/lineshaft
systemctl start lineshaft.service
until_ok answers 4711
pid=$(main_pid)
echo kept | gearman -p 4711 -b -f keep
dpkg --install "$newer"
until_ok restarted "$pid"
until_ok answers 4711
is "$(tail -n 1 /etc/default/lineshaft)" 'PARAMS="--listen=127.0.0.1 --port=4711"'
gearman -p 4711 -w -c 1 -f keep tee /story/done
is "$(cat /story/done)" kept

step "removed it leaves its settings and its queue"
files=$(dpkg --listfiles lineshaft)
dpkg --remove lineshaft
is "$(systemctl is-active lineshaft.service || true)" inactive
for file in $files; do
    case $file in
    /etc/*) test -e "$file" ;;
    *) test -d "$file" || test ! -e "$file" || { echo "$file is left"; exit 1; } ;;
    esac
done
test -d /var/lib/lineshaft

is "$(readlink /etc/systemd/system/gearman-job-server.service || true)" ""
is "$(stat -c %U /var/lib/gearman/queue.db)" gearman

step "purged it leaves nothing"
dpkg --purge lineshaft
left=$(find /etc /run /usr /var -xdev -path /var/cache/man -prune -o -name "*lineshaft*" -print)
is "$left" ""
test -f /etc/default/gearman-job-server

step "where gearmand listened on every address it goes on doing so"
printf 'PARAMS="--port=4798"\n' >/etc/default/gearman-job-server
dpkg --install "$package"
until_ok answers 4798
until_ok sh -c "ss -ltnpH 'sport = :4798' | grep -q '0.0.0.0:4798'"
dpkg --purge lineshaft
left=$(find /etc /run /usr /var -xdev -path /var/cache/man -prune -o -name "*lineshaft*" -print)
is "$left" ""

step "installed anew it serves this machine and keeps jobs"
dpkg --purge gearman-job-server
dpkg --install "$package"
until_ok answers 4730
echo durable | gearman -b -f keep
pid=$(main_pid)
kill -KILL "$pid"
until_ok restarted "$pid"
until_ok answers 4730
lineshaft doctor keep
gearman -w -c 1 -f keep tee /story/done
is "$(cat /story/done)" durable
is "$(stat -c %U:%a /var/lib/lineshaft)" lineshaft:750

step "the library takes the place of libgearman8 under PHP"
dpkg --install "$library"
apt-get check
found=$(ldd "$(php-config --extension-dir 2>/dev/null || php -r 'echo ini_get("extension_dir");')/gearman.so" | awk '/libgearman/ { print $3 }')
is "$(dpkg --search "$(readlink -f "$found")" | cut -d: -f1)" lineshaft-libgearman8
gearman -w -c 1 -f upper tr a-z A-Z &
is "$(php -r '$c = new GearmanClient; $c->addServer("127.0.0.1"); echo $c->doNormal("upper", "php");')" PHP
wait
