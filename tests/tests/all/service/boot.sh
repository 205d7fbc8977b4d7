# Boots a copy-on-write view of this machine's own system under systemd-nspawn, with the unit and a
# binary put into it. Run as `unshare --mount --propagation private sh boot.sh FOLDER`: all mounts are
# gone when it ends, however it ends. FOLDER holds what is laid over the root (`files`), the shell
# script to run inside (`inside.sh`) and gets `boot.log` and `result`.
set -eu
folder=$1
cannot() {
    echo "cannot boot here: $1" >&2
    exit 77
}
layers=$folder/layers
mkdir "$layers"
mount -t tmpfs -o size=512m,mode=755 tmpfs "$layers" || cannot 'no tmpfs can be mounted'
mkdir "$layers/upper" "$layers/work" "$layers/root"
mount -t overlay overlay \
    -o "lowerdir=/,upperdir=$layers/upper,workdir=$layers/work" "$layers/root" \
    || cannot 'no overlay can be mounted'
root=$layers/root
cp -r "$folder/files/." "$root/"
mkdir -p "$root/out"
cp "$folder/inside.sh" "$root/out/"
rm -f "$root/etc/machine-id"
systemd-id128 new > "$root/etc/machine-id"
# The machine's own enabled services are not wanted: only this target is started.
cat > "$root/etc/systemd/system/lapsed-test.target" <<'UNIT'
[Unit]
Description=Test of the lapsed service
Requires=lapsed-test.service
UNIT
cat > "$root/etc/systemd/system/lapsed-test.service" <<'UNIT'
[Unit]
Description=Looks at the lapsed service
[Service]
Type=oneshot
ExecStart=/bin/sh /out/inside.sh
ExecStopPost=/bin/systemctl poweroff --no-block
StandardOutput=append:/out/result
StandardError=inherit
UNIT
timeout 240 systemd-nspawn --quiet --register=no --keep-unit --directory="$root" --boot \
    --console=pipe --private-network --machine="lapsed-test-$$" -- \
    systemd.unit=lapsed-test.target \
    < /dev/null > "$folder/boot.log" 2>&1 || ended=$?
cp "$root/out/result" "$folder/result" 2>/dev/null || true
exit "${ended:-0}"
