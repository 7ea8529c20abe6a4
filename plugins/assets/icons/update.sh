#!/bin/sh
# Takes the icons of this folder anew from the npm package lucide-static, which is where they come from.
# To add one: put its name behind the script, as in `./update.sh rocket`, and list it in
# src/composition/icons.rs. Icons are never edited by hand.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$work" && npm pack --silent "lucide-static@${LUCIDE_VERSION:-latest}" && tar xzf lucide-static-*.tgz)
for name in "$@" $(for file in *.svg; do echo "${file%.svg}"; done); do
    cp "$work/package/icons/$name.svg" .
done
cp "$work/package/LICENSE" LICENSE
