#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# deps.sh PURPOSE... - see that the Debian packages for build, test, bench or cov are there.
# As root it installs what is missing; otherwise it prints the command and fails.
set -eu

# purpose  packages; a line may build on an earlier purpose with @
table='
build  gcc libc6-dev make meson ninja-build pkg-config libsqlite3-dev libjansson-dev libsodium-dev libyaml-dev libpq-dev libhiredis-dev libnghttp2-dev libssl-dev
test   @build libcmocka-dev clang libclang-rt-14-dev clang-format clang-tidy python3 sqlite3 curl postgresql-15 pgbouncer redis-server chromium
bench  @build python3 redis-server redis-tools sqlite3 wrk postgresql-15 apache2-utils curl
cov    @test gcovr
'

packages() {
	line=$(printf '%s' "$table" | sed -n "s/^$1  *//p")
	[ -n "$line" ] || { echo "deps.sh: unknown purpose: $1" >&2; exit 2; }
	for word in $line; do
		case $word in
		@*) packages "${word#@}" ;;
		*) echo "$word" ;;
		esac
	done
}

wanted=$(for purpose in "${@:-build}"; do packages "$purpose"; done)
# Elsewhere the names differ; meson will say what it misses.
command -v dpkg-query >/dev/null || exit 0

# Debian 12 provides pkg-config by pkgconf; the query names both.
# shellcheck disable=SC2086
have=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $wanted 2>/dev/null || :)
missing=
for package in $wanted; do
	printf '%s\n' "$have" | grep -qx "installed $package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
	echo "missing packages; install them with:" >&2
	echo "  sudo apt-get install --no-install-recommends$missing" >&2
	exit 1
fi
echo "installing:$missing" >&2
# No package may start a service here (redis-server would): 101 means "action forbidden by policy".
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	trap 'rm -f $policy' EXIT
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod 755 $policy
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -q update >&2
# shellcheck disable=SC2086
apt-get -qy install --no-install-recommends $missing >&2
case $missing in
*redis-server*) ! command -v systemctl >/dev/null || systemctl disable redis-server >&2 || : ;;
esac
