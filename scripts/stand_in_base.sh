#!/usr/bin/env bash
# Makes sure that the base image of container/Dockerfile is there, also on a machine without a registry.
#
# In this order: the image is there already; a registry gives it; debootstrap builds a stand-in of the
# same name (Debian's own packages, slimmed like the official image). The stand-in carries what this
# machine needs to reach its package registries (mirror, apt and pip settings, CA certificates), read
# from the machine now. It is for building and testing here: push no image that is built on it.
#
#   scripts/stand_in_base.sh [IMAGE]        default: BASE_IMAGE of container/Dockerfile
set -euo pipefail
cd "$(dirname "$0")/.."

image=${1:-$(sed -n 's/^ARG BASE_IMAGE=//p' container/Dockerfile | head -1)}
tag=${image##*:}
suite=${tag%-slim}

say() { echo "base image: $*" >&2; }

if docker image inspect "$image" >/dev/null 2>&1; then
    say "$image is here"
    exit 0
fi
if timeout 300 docker pull --quiet "$image" >/dev/null 2>&1; then
    say "$image was pulled"
    exit 0
fi

case $image in
    debian:*-slim) ;;
    *) say "$image is not here and cannot be pulled; only debian:<suite>-slim has a stand-in"; exit 1 ;;
esac
for tool in debootstrap chroot tar; do
    command -v "$tool" >/dev/null || { say "no $tool here: apt-get install debootstrap"; exit 1; }
done
[ "$(id -u)" = 0 ] || { say "debootstrap needs root: sudo $0"; exit 1; }

# REPO_URI of one of this machine's own apt sources, by its label ("Debian", "Debian-Security").
mirror_of() {
    # shellcheck disable=SC2016  # apt fills in $(REPO_URI), not the shell
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Label: $1" 2>/dev/null | head -1
}
mirror=$(mirror_of Debian)  # none (not a Debian machine): debootstrap has a default of its own
security=$(mirror_of Debian-Security)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
say "cannot be pulled: building a stand-in of $image with debootstrap (a minute or two)"
if ! debootstrap --variant=minbase "$suite" "$root" ${mirror:+"$mirror"} >"$work/log" 2>&1; then
    tail -20 "$work/log" "$root/debootstrap/debootstrap.log" 2>/dev/null >&2 || true
    say "debootstrap failed"
    exit 1
fi

# --- slim, as the official image is: no manuals, no translations, no caches ------------------------
cat >"$root/etc/dpkg/dpkg.cfg.d/slim" <<'SLIM'
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/groff/*
path-exclude /usr/share/info/*
path-exclude /usr/share/linda/*
path-exclude /usr/share/lintian/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/man/*
SLIM
cat >"$root/etc/apt/apt.conf.d/slim" <<'SLIM'
APT::Install-Recommends "0";
Acquire::Languages "none";
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"; };
SLIM
find "$root/usr/share/doc" -type f ! -name copyright -delete
rm -rf "$root"/usr/share/{groff,info,linda,lintian,locale,man}/* \
    "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/* "$root"/var/cache/ldconfig/*
find "$root/usr/share/doc" -depth -type d -empty -delete

# --- what this machine needs to reach its registries -----------------------------------------------
mirror=${mirror:-$(awk '$1 == "deb" { print $2; exit }' "$root/etc/apt/sources.list")}
{
    echo "deb $mirror $suite main"
    echo "deb $mirror $suite-updates main"
    [ -z "$security" ] || echo "deb $security $suite-security main"
} >"$root/etc/apt/sources.list"
apt-config dump | grep -E '^Acquire::(http|https|Retries|Check-|ForceIPv)[^ ]* "[^"]+";' \
    >"$root/etc/apt/apt.conf.d/stand-in" || true
mkdir -p "$root/usr/local/share/ca-certificates" "$root/etc/ssl"
find /usr/local/share/ca-certificates -name '*.crt' \
    -exec cp {} "$root/usr/local/share/ca-certificates/" \; 2>/dev/null || true

# pip: indexes by http(s), trusted hosts, timeouts. A folder of this machine is of no use in a container.
# The certificates go along as one file.
python3 -m pip config list 2>/dev/null | python3 -c '
import ast, os, pathlib, shutil, sys
root = pathlib.Path(sys.argv[1])
kept = {}
for line in sys.stdin:
    name, _, value = line.strip().partition("=")
    name, value = name.rpartition(".")[2], ast.literal_eval(value)
    if name in ("index-url", "extra-index-url", "find-links"):
        value = " ".join(link for link in value.split() if link.startswith(("http://", "https://")))
    elif name == "cert":
        if not os.path.isfile(value):
            continue
        shutil.copyfile(value, root / "etc/ssl/stand-in.crt")
        value = "/etc/ssl/stand-in.crt"
    elif name not in ("trusted-host", "default-timeout", "timeout", "proxy", "retries"):
        continue
    if value:
        kept["timeout" if name == "default-timeout" else name] = value
if kept:
    lines = ["[global]", *(f"{name} = {value}" for name, value in sorted(kept.items()))]
    (root / "etc/pip.conf").write_text("\n".join(lines) + "\n")
' "$root"

tar --directory "$root" --numeric-owner --exclude './dev/*' --exclude './proc/*' --exclude './sys/*' \
    --create . |
    docker import --change 'CMD ["bash"]' --change 'LABEL canarywood.stand-in=true' \
        --message "stand-in of $image, built by debootstrap" - "$image" >/dev/null
say "stand-in of $image is ready ($(docker image inspect --format '{{.Size}}' "$image" | awk '{printf "%.0f MB", $1 / 1e6}'))"
