"""The gateway for programs that run on an event loop: each call runs on a thread of the gateway."""
