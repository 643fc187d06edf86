"""Where the chat window can be served, and whether a browser can show it here."""

from __future__ import annotations

import errno
import os
import socket
import sys

from ui.terminal import write_note

PORTS_TRIED = 20
"""Ports tried in turn where the usual one is taken and none was asked for."""


def free_port(host: str, port: int, *, asked_for: bool) -> int:
    """Return a port that can be served on.

    Args:
        host: address to serve on.
        port: the port wanted; 0 stays 0, which takes any.
        asked_for: whether somebody chose it; else one that follows is as good.

    Raises:
        SettingsError: nothing can be served there.
    """
    last = port if asked_for or port == 0 else min(port + PORTS_TRIED, 65535)
    for candidate in range(port, last + 1):
        if _is_free(host, candidate):
            if candidate != port:
                write_note(f"Port {port} is in use; the chat window takes {candidate}.")
            return candidate
    from index import SettingsError

    which = f"port {port}" if last == port else f"the ports {port} to {last}"
    raise SettingsError(
        f"The chat window cannot be served on {which} of {host}: in use by another program, or "
        "reserved. Close what uses it, give another port (--port, or ASKARTICLE_PORT), or take any "
        "free one: --port 0."
    )


def _is_free(host: str, port: int) -> bool:
    """Tell whether a port can be served on; refuse a host that cannot be at all."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as probe:
            if os.name == "posix":  # else a port that was just closed seems taken
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, UnicodeError) as error:
        if isinstance(error, OSError) and error.errno in (errno.EADDRINUSE, errno.EACCES):
            return False
        from index import SettingsError

        reason = getattr(error, "strerror", None) or error
        raise SettingsError(
            f"The chat window cannot be served on the host {host!r}: {reason}. Give an address of "
            "this computer: 127.0.0.1 for itself alone, 0.0.0.0 for the whole network (--host)."
        ) from error
    return True


def has_desktop() -> bool:
    """Tell whether a browser can open here and be seen: not over ssh, not on a bare server."""
    if sys.platform in ("win32", "darwin"):
        return "SSH_CONNECTION" not in os.environ
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
