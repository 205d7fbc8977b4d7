# Runs inside the booted system, as root. Writes one fact a line, `name value`; the test judges them.
fact() {
    name=$1
    shift
    printf '%s %s\n' "$name" "$*"
}
property() {
    systemctl show --value -p "$1" lapsed.service
}
# Waits until a command succeeds, for a minute at most.
until_true() {
    for _ in $(seq 600); do
        if "$@" > /dev/null 2>&1; then return 0; fi
        sleep 0.1
    done
    return 1
}
# Runs a command in the file system that the daemon sees, as the daemon's account.
as_daemon() {
    nsenter --target "$(property MainPID)" --mount -- \
        setpriv --reuid lapsed --regid lapsed --init-groups --inh-caps=-all -- "$@"
}
# The same, as root without the daemon's file permissions in the way: only mounts can say no.
in_its_mounts() {
    nsenter --target "$(property MainPID)" --mount -- "$@"
}
verdict() {
    if "$@" > /dev/null 2>&1; then echo yes; else echo no; fi
}
log_says() {
    journalctl --sync
    journalctl -u lapsed.service --no-pager -o cat | grep -qi -- "$1"
}

systemd-sysusers lapsed.conf
systemd-tmpfiles --create lapsed.conf

systemctl start lapsed.service
fact start "$?"
fact state "$(property ActiveState)/$(property SubState)"
first=$(property MainPID)
while read -r key value; do
    case $key in
        Uid: | CapEff: | CapBnd: | CapAmb: | NoNewPrivs: | Seccomp:) fact "process.$key" "$value" ;;
    esac
done < "/proc/$first/status"
fact process.user "$(ps -o user= -p "$first")"
# Of a process that may be dumped, these files belong to its account.
fact process.dumpable_by "$(stat -c %U "/proc/$first/environ")"
fact process.core "$(awk '/core file/ { print $5 "/" $6 }' "/proc/$first/limits")"

fact secret.copy "$(as_daemon cat /run/credentials/lapsed.service/directory-password)"
fact secret.source_readable "$(verdict as_daemon cat /etc/lapsed/secrets/directory-password)"
fact state.folder "$(stat -c '%U:%G:%a' /var/lib/lapsed)"
fact state.files "$(ls /var/lib/lapsed | tr '\n' ' ')"
fact logs.folder "$(stat -c '%U:%G:%a' /var/log/lapsed)"
fact socket "$(stat -c '%F:%U:%G:%a' /run/lapsed/control.sock)"
code() {
    "$@" > /dev/null 2>&1
    echo "$?"
}
useradd --no-create-home --groups lapsed-operators ann
fact status.root "$(code lapsed status)"
fact status.operator "$(code setpriv --reuid ann --regid ann --init-groups lapsed status)"
fact status.stranger "$(code setpriv --reuid nobody --regid nogroup --clear-groups lapsed status)"
useradd --no-create-home --groups hr-drop hank
fact status.hr "$(code setpriv --reuid hank --regid hank --init-groups lapsed status)"
fact status.command "$(code setpriv --reuid lapsed-command --regid lapsed-command --init-groups lapsed status)"
fact state.hr "$(verdict setpriv --reuid hank --regid hank --init-groups ls /var/lib/lapsed)"
fact adopt.operator "$(code setpriv --reuid ann --regid ann --init-groups \
    lapsed adopt --feed /etc/hostname --as hr)"

fact writes.etc "$(verdict in_its_mounts touch /etc/lapsed/written)"
fact writes.usr "$(verdict in_its_mounts touch /usr/bin/written)"
fact writes.inbox "$(verdict as_daemon touch /var/spool/lapsed/inbox/.written)"
before=$(as_daemon stat -c %i /var/spool/lapsed/inbox/.written)
as_daemon mv /var/spool/lapsed/inbox/.written /var/spool/lapsed/accepted/.written
after=$(as_daemon stat -c %i /var/spool/lapsed/accepted/.written)
fact moves.by_rename "$(verdict [ "$before" = "$after" ])"

useradd --no-create-home bob
mkdir -p /srv/homes/ann/letters /srv/homes/bob
install -d -m 0700 /srv/homes/.lapsed-quarantine
chown -R ann /srv/homes/ann
chmod 0 /srv/homes/ann/letters
systemctl start lapsed-helper.socket
# One line to a helper and its answer, under the account named first.
ask() {
    setpriv --reuid "$1" --clear-groups perl -MIO::Socket::UNIX -e '
        my $helper = IO::Socket::UNIX->new(Peer => $ARGV[1]) or die "shut out\n";
        print $helper "$ARGV[0]\n"; shutdown($helper, 1); print <$helper>;' \
        "$2" "${3:-/run/lapsed-helper.sock}" 2>&1
}
delete_home() {
    printf '{"connector":"homes","call":{"delete":{"order":{"step":"%s","user_id":"%s","home":null},"seconds":20}}}' \
        "$(cat /proc/sys/kernel/random/uuid)" "$1"
}
fact helper.stranger "$(ask nobody "$(delete_home ann)")"
fact helper.root "$(ask root "$(delete_home ann)")"
fact helper.probe "$(ask lapsed '{"connector":"homes","call":"probe"}')"
fact helper.outside "$(ask lapsed "$(delete_home ../lib)")"
fact helper.other "$(ask lapsed "$(delete_home bob)")"
fact helper.before "$(ls -A /srv/homes | tr '\n' ' ')"
fact helper.deleted "$(ask lapsed "$(delete_home ann)")"
fact helper.after "$(ls -A /srv/homes /srv/homes/.lapsed-quarantine | tr '\n' ' ')"

systemctl start lapsed-command.socket
run_program() {
    ask "$1" "$(printf '{"connector":"%s","request":{"version":1,"operation":"%s"}}' "$3" "$2")" \
        /run/lapsed-command.sock
}
fact command.stranger "$(run_program nobody probe mainframe)"
fact command.root "$(run_program root revoke mainframe)"
fact command.probe "$(run_program lapsed probe mainframe)"
fact command.changed "$(run_program lapsed revoke mainframe)"
fact command.not_offered "$(run_program lapsed delete mainframe)"
fact command.other "$(run_program lapsed revoke homes)"

systemctl reload lapsed.service
fact reload "$?"
cp /etc/lapsed/config.yaml /etc/lapsed/good
echo 'agancy: {}' >> /etc/lapsed/config.yaml
systemctl reload lapsed.service
fact reload.bad_is_told "$(verdict until_true log_says agancy)"
fact reload.same_process "$(verdict [ "$first" = "$(property MainPID)" ])"
fact reload.state "$(property ActiveState)"
cp /etc/lapsed/good /etc/lapsed/config.yaml

kill -STOP "$first"
restarted() { [ "$(property NRestarts)" -ge 1 ] && [ "$(property ActiveState)" = active ]; }
fact watchdog.restarted "$(verdict until_true restarted)"
fact watchdog.named "$(verdict log_says 'watchdog timeout')"
fact watchdog.new_process "$(verdict [ "$first" != "$(property MainPID)" ])"

begun=$(date +%s%3N)
systemctl stop lapsed.service
fact stop.milliseconds "$(($(date +%s%3N) - begun))"
fact stop.result "$(property Result)/$(property ExecMainStatus)"
fact stop.socket_left "$(verdict [ -e /run/lapsed/control.sock ])"
fact end reached
journalctl --sync
journalctl -u lapsed.service --no-pager -o cat | sed 's/^/log /'
