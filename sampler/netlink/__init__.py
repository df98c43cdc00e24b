"""Connections from the kernel's socket statistics (NETLINK_SOCK_DIAG)."""
