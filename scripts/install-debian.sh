#!/bin/sh
# Installs Debian packages and starts nothing: as root, scripts/install-debian.sh PACKAGE…
set -eu

policy=/usr/sbin/policy-rc.d
ours=
before=$(mktemp)
after=$(mktemp)
finish() {
  if [ -n "$ours" ]; then rm -f "$policy"; fi
  rm -f "$before" "$after"
}
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# What starts at boot: units by symbolic links, init scripts by S links.
starts() {
  find /etc/systemd/system /etc/systemd/user /etc/rc[2-5].d -type l 2>/dev/null | sort
}

echo "installing the Debian packages: $*"
if [ ! -e "$policy" ]; then
  ours=yes
  printf '#!/bin/sh\n# Temporary: Switchyard installs packages without starting their services.\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi
starts >"$before"

export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
apt="apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0"
$apt update || echo "apt-get update failed; trying with the package lists at hand" >&2
$apt install --yes --no-install-recommends "$@" </dev/null

starts >"$after"
comm -13 "$before" "$after" | while read -r link; do
  unit=$(basename "$link")
  case $link in
    # Only what would run by itself: an alias or a target that pulls in others does not.
    /etc/systemd/user/*.wants/*.service | /etc/systemd/user/*.wants/*.socket | /etc/systemd/user/*.wants/*.timer)
      systemctl --quiet --global disable "$unit" 2>/dev/null && echo "not started at login: $unit" || true ;;
    *.wants/*.service | *.wants/*.socket | *.wants/*.timer)
      systemctl --quiet disable "$unit" 2>/dev/null &&
        echo "not started at boot: $unit (systemctl enable $unit changes that)" || true ;;
    /etc/rc[2-5].d/S*)
      update-rc.d "${unit#S[0-9][0-9]}" disable >/dev/null 2>&1 || true ;;
  esac
done
