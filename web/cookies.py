"""What our cookies are called: a browser sends them to every port of a host, so the names tell instances apart."""

from flask import Flask


def cookie_name(site: Flask, name: str) -> str:
    """Return what the instance behind this site calls a cookie; two on one host cannot have the same PORT."""
    return f"candela-{site.extensions['settings'].PORT}-{name}"
