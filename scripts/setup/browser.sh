#!/usr/bin/env bash
# Sees to Chromium and its driver for the browser test.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

browser() { has chromium || has chromium-browser || has google-chrome; }
driver() { has chromedriver; }

if browser && driver; then exit 0; fi
# Debian's names, then Ubuntu's.
apt_install chromium chromium-driver || apt_install chromium-browser chromium-chromedriver || true
if browser && driver; then exit 0; fi
fail "The browser test needs Chromium and chromedriver on the PATH." \
    "Debian: apt-get install chromium chromium-driver" \
    "Ubuntu: apt-get install chromium-browser chromium-chromedriver"
