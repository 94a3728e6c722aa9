"""The edges: sockets, webhooks, REST and messengers. They act; the machines decide."""
