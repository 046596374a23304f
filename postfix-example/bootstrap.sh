# Prepares a Debian 12 machine for the trial and the tests: packages and a virtual environment.
# To be sourced by sh scripts that have set $checkout. Does only what is missing, so it is quick the second time.

# What Mailweir runs with, and what its Python libraries are built and loaded with.
used_by_mailweir='postfix clamav-daemon python3 python3-venv python3-dev gcc libc6-dev libmilter-dev libarchive13'

say() { printf '==> %s\n' "$*"; }

# need_root NAME ARGUMENTS…: Postfix starts for root only.
need_root() {
    [ "$(id -u)" -eq 0 ] && return
    printf 'Postfix needs root to start. Type:  sudo %s\n' "$*" >&2
    exit 77
}

# need_packages NAME…: install those Debian packages that are missing.
need_packages() {
    missing=
    for package; do
        dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed ||
            missing="$missing $package"
    done
    [ -z "$missing" ] && return
    if ! command -v apt-get >/dev/null; then
        printf 'This machine has no apt-get. Install by hand:%s\n' "$missing" >&2
        exit 1
    fi
    say "installing Debian packages:$missing"
    # Without this, the package's own questions would set up a Postfix in /etc/postfix and start it.
    echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections
    # shellcheck disable=SC2086  # a list of words
    apt_install $missing >/dev/null 2>&1 || { quietly apt-get update && quietly apt_install $missing; } || {
        printf 'apt-get could not install%s; its words stand above.\n' "$missing" >&2
        exit 1
    }
}

apt_install() {
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" </dev/null
}

# quietly COMMAND…: show what it says only when it fails.
quietly() {
    said=$(mktemp)
    if "$@" >"$said" 2>&1; then rm -f "$said"; else cat "$said" >&2; rm -f "$said"; return 1; fi
}

# need_venv EXTRA: a virtual environment in .venv with this checkout and its EXTRA requirements.
# One that works is kept, whoever made it; one that is broken or was made elsewhere is made again.
need_venv() {
    venv=$checkout/.venv
    exec 9>"$checkout/.venv.lock"
    flock 9
    # The sources, too, as setup.py compiles some.
    wanted=$(cd "$checkout" && cat setup.cfg setup.py pyproject.toml postlog/*.py records/ids.py | cksum)
    stamp=$venv/mailweir-$1
    if ! venv_fits; then
        python=$(python_found)
        [ -n "$python" ] || { echo 'Python 3.11 or newer is needed and was not found.' >&2; exit 1; }
        say "making a virtual environment in $venv with $python"
        rm -rf "$venv"
        quietly "$python" -m venv "$venv" || exit 1
    fi
    if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ] || ! [ -x "$venv/bin/mailweir" ]; then
        say "installing Mailweir and the libraries it uses into $venv"
        (cd "$checkout" && quietly "$venv/bin/python" -m pip install -q -e ".[$1]") || exit 1
        printf '%s\n' "$wanted" >"$stamp"
    fi
    exec 9>&-
}

# Whether the virtual environment runs, is recent enough, and stands where it was made.
venv_fits() {
    [ -x "$venv/bin/python" ] && grep -qF "$venv/bin/python" "$venv/bin/pip" 2>/dev/null &&
        "$venv/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

python_found() {
    for candidate in /usr/bin/python3 python3 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
}
