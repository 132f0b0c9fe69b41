"""Ask for the password, where the settings have one, before anything is shown (HTTP Basic; any user name)."""

import hmac

from flask import Flask, request

from web.problems import ProblemError

OPEN_PATHS = frozenset({"/healthz", "/readyz"})  # a supervisor asks these, and they tell nothing of the market
_CHALLENGE = {"WWW-Authenticate": 'Basic realm="Candela", charset="UTF-8"'}


def register(site: Flask, password: str | None) -> None:
    """Let the site answer 401 to whoever does not know `password`; None lets everybody in."""
    if password is None:
        return
    expected = password.encode()

    def require_password() -> None:
        given = request.authorization.password if request.authorization else None
        if request.path in OPEN_PATHS or (given is not None and hmac.compare_digest(given.encode(), expected)):
            return
        raise ProblemError(
            401, "password_needed", "this board asks for its password; any user name will do", _CHALLENGE
        )

    site.before_request(require_password)
