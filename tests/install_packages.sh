#!/bin/sh
# Installs what Letterdesk needs from Debian's packages, and only what is missing:
#
#   sh tests/install_packages.sh venv       what `make setup` needs
#   sh tests/install_packages.sh servers    what the tests need: real servers, a browser, the compiler of the styles
#   sh tests/install_packages.sh fonts      what the screenshots need, so that letters of every language show
#
# As root it installs at once, otherwise through sudo. Where neither works it names the packages: for the tests that is
# only a warning on a person's machine, since the tests that need a missing server say so; in CI it is a fault.
set -eu

PATH="$PATH:/usr/sbin:/usr/local/sbin"

missing_venv() {
    "${PYTHON:-python3}" -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
}

missing_servers() {
    { command -v dovecot && test -e /usr/lib/dovecot/imap; } >/dev/null || echo dovecot-imapd
    test -e /usr/lib/dovecot/lmtp || echo dovecot-lmtpd
    test -e /usr/lib/postfix/sbin/master || echo postfix
    { command -v initdb || ls /usr/lib/postgresql/*/bin/initdb; } >/dev/null 2>&1 || echo postgresql
    command -v chromium >/dev/null || echo chromium
    command -v node >/dev/null || echo nodejs
    command -v npm >/dev/null || echo npm
}

missing_fonts() {
    fc-list :lang=ja 2>/dev/null | grep -q . || echo fonts-noto-cjk
    fc-list :lang=ar 2>/dev/null | grep -q . || echo fonts-noto-core
}

as_root() {
    if test "$(id -u)" -eq 0; then
        "$@"
    elif test -t 0; then
        sudo "$@"
    else
        sudo -n "$@"
    fi
}

can_install() {
    command -v apt-get >/dev/null || return 1
    test "$(id -u)" -eq 0 && return 0
    command -v sudo >/dev/null || return 1
    sudo -n true 2>/dev/null || test -t 0
}

refuse() {
    echo "Not installed, and neither root nor sudo is at hand to do it. Please install: $*" >&2
    test "$what" = servers && test -z "${CI:-}" && exit 0
    exit 1
}

what=${1:?venv, servers or fonts}
packages=$("missing_$what" | tr '\n' ' ')
test -z "$packages" && exit 0
can_install || refuse "$packages"

echo "Installing from Debian's packages: $packages"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
if ! { as_root apt-get update && as_root apt-get install -y --no-install-recommends $packages; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "Installing $packages failed." >&2
    exit 1
fi

# The tests start servers of their own. One that is new here and was started on the usual ports is stopped again.
disable() {
    command -v systemctl >/dev/null || return 0
    as_root systemctl disable --now "$1" >/dev/null 2>&1 || true
}
case " $packages " in *" postfix "*) disable postfix ;; esac
case " $packages " in *" dovecot-imapd "*) disable dovecot ;; esac
