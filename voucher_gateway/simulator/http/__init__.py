"""HTTP of a simulator: server, application, routes, messages, strict JSON, and replies sent in unusual ways."""
