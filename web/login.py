"""Ask for the password, where the settings have one, before anything is shown.

A browser logs in on a page and gets a cookie; a program sends HTTP Basic with each request, any user name.
"""

import re
from typing import TYPE_CHECKING

from flask import Blueprint, Flask, Response, current_app, g, redirect, request
from werkzeug.http import parse_cookie
from werkzeug.wrappers import Response as AnyResponse

from config import Config
from web.assets import asset_url
from web.cookies import cookie_name
from web.csrf import form_token
from web.guesses import MAX_FAILURES, WINDOW_SECONDS, Guess, Guesses
from web.hosts import is_behind_proxy
from web.preferences import preferences
from web.problems import ProblemError
from web.sessions import COOKIE, MAX_AGE_SECONDS, Sessions
from web.site_stores import live

# A supervisor asks for health, and the login page needs its style: neither tells anything of the market.
OPEN_ENDPOINTS = frozenset(
    {"health.alive", "health.ready", "assets.plain", "assets.versioned", "assets.favicon", "login.page", "login.enter"}
)
if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_CHALLENGE = {"WWW-Authenticate": 'Basic realm="Candela", charset="UTF-8"'}
_PLACE = re.compile(r"/(?![/\\])[!-\[\]-~]*")  # a path of this site: visible ASCII, no backslash, no second slash
_MAX_PLACE_LETTERS = 500

login = Blueprint("login", __name__)


def register(site: Flask, config: Config) -> None:
    """Let the site show nothing to whoever does not know PASSWORD; without one everybody may look."""
    if config.PASSWORD is None:
        site.before_request(_let_in)
        return
    site.extensions["guesses"] = Guesses(config.PASSWORD)
    site.extensions["sessions"] = Sessions(config.INSTANCE_DIR, config.PASSWORD)
    site.register_blueprint(login)
    site.before_request(_require_password)
    site.after_request(_keep_private)
    site.jinja_env.globals["has_login"] = True


def may_have(site: Flask, environ: "WSGIEnvironment") -> bool:
    """Return whether who sends this cookie may still have what was shown to the same cookie before.

    A password that is sent along is judged anew each time: to somebody who must wait for the next guess, an answer that
    was kept would tell which password is right.
    """
    sessions: Sessions | None = site.extensions.get("sessions")
    if sessions is None:
        return True
    return "HTTP_AUTHORIZATION" not in environ and sessions.is_open(
        parse_cookie(environ).get(cookie_name(site, COOKIE))
    )


@login.get("/login")
def page() -> Response:
    """Show the form to log in, or to log out."""
    return login_page(200, next_place=local_place(request.args.get("next")))


@login.post("/login")
def enter() -> AnyResponse:
    """Open a session for who knows the password."""
    place = local_place(request.form.get("next"))
    guess = _guesses().judge(request.form.get("password", ""), _client())
    if guess is Guess.REFUSED:
        return login_page(429, place, _refused_words(), {"Retry-After": str(_guesses().wait_seconds(_client()))})
    if guess is Guess.WRONG:
        return login_page(401, place, "That is not the password.")
    answer = redirect(place, 303)
    answer.set_cookie(
        cookie_name(current_app, COOKIE),
        _sessions().open(),
        MAX_AGE_SECONDS,
        httponly=True,
        samesite="Lax",
        secure=request.is_secure,
    )
    return answer


@login.post("/logout")
def leave() -> AnyResponse:
    """End every session and every open stream."""
    _sessions().end_all()
    live().end_streams()
    answer = redirect("/login", 303)
    answer.delete_cookie(cookie_name(current_app, COOKIE), httponly=True, samesite="Lax", secure=request.is_secure)
    return answer


def local_place(text: str | None) -> str:
    """Return a place of this site to go to: `text` when it is a plain path here, else the board."""
    is_plain = text is not None and len(text) <= _MAX_PLACE_LETTERS and _PLACE.fullmatch(text)
    return text if text is not None and is_plain else "/"


def login_page(
    status: int, next_place: str = "/", complaint: str | None = None, headers: dict[str, str] | None = None
) -> Response:
    """Return the page with the form; it tells nothing of the market."""
    template = current_app.jinja_env.get_template("login.html")
    text = template.render(
        is_known=g.get("is_known", False),
        next_place=next_place,
        complaint=complaint,
        theme=preferences().theme,
        asset_url=asset_url,
        form_token=form_token,
    )
    answer = Response(text, status, headers, mimetype="text/html")
    answer.cache_control.no_store = True
    return answer


def _let_in() -> None:
    g.is_known = True


def _require_password() -> Response | None:
    g.is_known = _sessions().is_open(request.cookies.get(cookie_name(current_app, COOKIE)))
    if g.is_known or request.endpoint in OPEN_ENDPOINTS:
        return None
    given = request.authorization.password if request.authorization else None
    guess = Guess.WRONG if given is None else _guesses().judge(given, _client())
    if guess is Guess.RIGHT:
        g.is_known = True
        return None
    if guess is Guess.REFUSED:
        wait = {"Retry-After": str(_guesses().wait_seconds(_client()))}
        raise ProblemError(429, "too_many_guesses", _refused_words(), wait)
    challenge = {} if _is_browser() else _CHALLENGE
    if not _asks_for_page() or request.path.startswith("/api/"):
        detail = "this board asks for its password: log in at /login, or send it by HTTP Basic with any user name"
        raise ProblemError(401, "password_needed", detail, challenge)
    is_reading = request.method in ("GET", "HEAD")
    return login_page(401, local_place(request.full_path.removesuffix("?") if is_reading else None), None, challenge)


def _asks_for_page() -> bool:
    return "text/html" in request.headers.get("Accept", "")


def _is_browser() -> bool:
    """Return whether a challenge would open the browser's own window, in front of our page or over a script."""
    return _asks_for_page() or "Sec-Fetch-Mode" in request.headers or bool(request.referrer)


def _keep_private(answer: Response) -> Response:
    if request.endpoint not in OPEN_ENDPOINTS:
        answer.cache_control.private = True
        answer.vary.add("Cookie")
    return answer


def _client() -> str:
    """Return the address of who asks; behind a proxy on this machine, the one that the proxy has seen."""
    forwarded = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    if forwarded and is_behind_proxy(current_app.extensions["settings"]):
        return forwarded
    return request.remote_addr or ""


def _refused_words() -> str:
    minutes = -(-_guesses().wait_seconds(_client()) // 60)
    limit = f"{MAX_FAILURES} wrong passwords in {WINDOW_SECONDS / 60:.0f} minutes"
    return f"{limit}: the next one is looked at in {minutes} minutes"


def _guesses() -> Guesses:
    guesses: Guesses = current_app.extensions["guesses"]
    return guesses


def _sessions() -> Sessions:
    sessions: Sessions = current_app.extensions["sessions"]
    return sessions
