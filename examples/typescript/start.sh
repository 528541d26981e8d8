#!/bin/sh
# Starts the platform and the kiosk, and stops both with Ctrl-C. The first time it also makes a key and installs packages.
set -eu
cd "$(dirname "$0")"
[ -d node_modules ] || npm install --no-fund --no-audit
npm run --silent build
mkdir -p .isthmus
isthmus migrate
[ -s .isthmus/kiosk.key ] || isthmus client create kiosk --name kiosk > .isthmus/kiosk.key
isthmus serve & platform=$!
trap 'kill $platform 2>/dev/null; wait' EXIT INT TERM
ISTHMUS_KEY_FILE=.isthmus/kiosk.key KIOSK_DATA=.isthmus/kiosk npm run --silent serve
