#!/usr/bin/env python3
"""Holds a message against a secret with the official Standard Webhooks library.

Reads {"secret", "headers", "body"} as JSON from standard input; exits with 0 if
the message is to be trusted. Needs standardwebhooks.
"""

import json
import sys

from standardwebhooks.webhooks import Webhook

message = json.load(sys.stdin)
Webhook(message["secret"]).verify(message["body"].encode(), message["headers"])
