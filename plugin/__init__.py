"""The kernel: addons, settings, store, people, events, web and worker. It knows no other addon by name."""
