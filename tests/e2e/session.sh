#!/usr/bin/env bash
# Runs a command in a desktop session of its own: home, folders, bus, keyring and screen are new and
# go away with it. Nothing of the person who runs it is read or touched. Its network is its own as
# well, so that nothing outside is reached and a story may take it away.
set -euo pipefail
if [ -z "${SIGNALBOX_SESSION:-}" ]; then
  export CARGO_HOME=${CARGO_HOME:-$HOME/.cargo} RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup}
  SIGNALBOX_SESSION=$(mktemp -d)
  trap 'rm -rf "$SIGNALBOX_SESSION"' EXIT
  export SIGNALBOX_SESSION HOME=$SIGNALBOX_SESSION/home XDG_RUNTIME_DIR=$SIGNALBOX_SESSION/run
  export XDG_DATA_HOME=$HOME/data XDG_CONFIG_HOME=$HOME/config XDG_CACHE_HOME=$HOME/cache
  mkdir -p -m 700 "$HOME" "$XDG_RUNTIME_DIR" "$XDG_DATA_HOME" "$XDG_CONFIG_HOME" "$XDG_CACHE_HOME"
  # The plainest locale there is: a page that works here works everywhere.
  export LANG=C LC_ALL=C LANGUAGE=C TZ=Europe/Berlin
  export NO_AT_BRIDGE=1 WEBKIT_DISABLE_DMABUF_RENDERER=1 LIBGL_ALWAYS_SOFTWARE=1
  xvfb-run -a -s "-screen 0 1280x800x24 -nolisten tcp" "$0" "$@"
  exit
fi
# A bus at a path, not at an abstract name: those end where a network namespace begins.
export DBUS_SESSION_BUS_ADDRESS=unix:path=$XDG_RUNTIME_DIR/bus
bus=$(dbus-daemon --session --fork --print-pid --address="$DBUS_SESSION_BUS_ADDRESS")
printf %s e2e | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1
openbox >/dev/null 2>&1 &
desk=$!
trap 'kill "$desk" "$bus" 2>/dev/null || true' EXIT
apart=(unshare --net)
[ "$(id -u)" -eq 0 ] || apart=(unshare --map-current-user --keep-caps --net)
"${apart[@]}" sh -c 'ip link set lo up && "$0" on && exec "$@"' "$(dirname "$0")/wifi.sh" "$@"
