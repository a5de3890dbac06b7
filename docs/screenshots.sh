#!/bin/sh
# Make the pictures of reports.md, with Chromium: sh docs/screenshots.sh
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
python example_report.py report.svg "$work/report.html"
# Chromium's windows are 500 pixels wide at least; a frame may be as narrow as a telephone.
frame='<iframe src="report.html" style="border: 0; width: 360px; height: 960px; color-scheme:'
echo "<!DOCTYPE html><body style='margin: 0'>$frame light\"></iframe>$frame dark\"></iframe>" \
    > "$work/phones.html"
shot() {
    chromium --headless --no-sandbox --hide-scrollbars --allow-file-access-from-files \
        --window-size="$3" --screenshot="$PWD/$1" "file://$work/$2"
}
shot report-desktop.png report.html 1280,1240
shot report-phone.png phones.html 724,960
