# Sourced by the scripts at the root: finds or installs what a bare Debian machine lacks. Prints only when it does something.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1

fail() {
    echo "error: $*" >&2
    exit 1
}

# need_packages COMMAND_OR_FILE:PACKAGE... installs the Debian packages whose command or file is missing.
need_packages() {
    local missing=() pair
    for pair in "$@"; do
        local probe=${pair%%=*} package=${pair#*=}
        if [[ $probe == /* ]]; then
            [[ -e $probe ]] || missing+=("$package")
        else
            command -v "$probe" >/dev/null 2>&1 || missing+=("$package")
        fi
    done
    [[ ${#missing[@]} -eq 0 ]] && return 0
    command -v apt-get >/dev/null 2>&1 || fail "missing: ${missing[*]}. Install them with this system's package manager."
    [[ $(id -u) -eq 0 ]] || fail "missing: ${missing[*]}. Run this once as root, or: sudo apt-get install ${missing[*]}"
    echo "setup: installing ${missing[*]}" >&2
    local log
    log=$(mktemp)
    if ! install_packages "${missing[@]}" >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        rm -f "$log"
        fail "could not install ${missing[*]}"
    fi
    rm -f "$log"
}

# install_packages PACKAGE... without starting their services. Debian would start, now and at every boot, an etcd that listens on
# localhost, a STUN server that listens everywhere and a gateway daemon; our nodes and tests start their own. A machine's own
# policy-rc.d decides where there is one.
install_packages() (
    policy=/usr/sbin/policy-rc.d
    if [[ ! -e $policy ]]; then
        trap 'rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" || exit 1
    # Only if it came just now: one that was there before is somebody's.
    [[ " $* " != *" etcd-server "* ]] || update-rc.d etcd disable
    [[ " $* " != *" coturn "* ]] || update-rc.d coturn disable
    [[ " $* " != *" miniupnpd "* ]] || update-rc.d miniupnpd disable
)

need_dotnet() {
    if ! command -v dotnet >/dev/null 2>&1; then
        need_packages dotnet=dotnet-sdk-10.0
    fi
    dotnet --version >/dev/null 2>&1 || fail "the .NET 10 SDK is needed (global.json says which); 'dotnet --list-sdks' shows what is here"
}

# need_npm FOLDER... installs the npm packages that a test peer names in its package.json, once.
need_npm() {
    need_packages node=nodejs npm=npm
    local folder log
    for folder in "$@"; do
        [[ -d $folder/node_modules && $folder/node_modules -nt $folder/package.json ]] && continue
        echo "setup: installing the test peer in $folder" >&2
        log=$(mktemp)
        if ! (cd "$folder" && npm install --no-package-lock --no-audit --no-fund && touch node_modules) >"$log" 2>&1; then
            tail -n 20 "$log" >&2
            rm -f "$log"
            fail "npm could not install the packages of $folder"
        fi
        rm -f "$log"
    done
}
