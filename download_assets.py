"""Fetch the pinned front-end packages, verify every byte, and write what the pages use into static/vendor.

A second run does nothing. Where nothing can be reached the site works without them: `python download_assets.py`.
"""

import argparse
import base64
import hashlib
import io
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utils.file_operations import write_atomically

CHECKOUT = Path(__file__).resolve().parent
LOCK = CHECKOUT / "assets.lock.json"
VENDOR = CHECKOUT / "static" / "vendor"
_NPM_SECONDS = 30
_CDN_SECONDS = 8
_MAX_BYTES = 32 * 2**20


class MismatchError(Exception):
    """What came is not what is pinned."""


class UnreachableError(Exception):
    """Nothing came."""


@dataclass(frozen=True, slots=True)
class Asset:
    """One file of a package: its path inside, its name here, and its pinned hash."""

    member: str
    to: str
    integrity: str


@dataclass(frozen=True, slots=True)
class Package:
    """One pinned package and the files wanted of it."""

    name: str
    version: str
    tarball: str
    assets: tuple[Asset, ...]


def read_lock(path: Path) -> tuple[str, list[Package]]:
    """Return the address template of the public CDN and the pinned packages."""
    lock = json.loads(path.read_text("utf-8"))
    packages = [
        Package(
            entry["name"],
            entry["version"],
            entry["tarball"],
            tuple(Asset(file["member"], file["to"], file["integrity"]) for file in entry["files"]),
        )
        for entry in lock["packages"]
    ]
    return lock["cdn"], packages


def missing_assets(packages: list[Package], folder: Path) -> list[str]:
    """Return the names of the files that are not there, or are not what is pinned."""
    return [
        asset.to
        for package in packages
        for asset in package.assets
        if not _is_pinned(folder / asset.to, asset.integrity)
    ]


def fetch_from_npm(package: Package, npm: str) -> dict[str, bytes]:
    """Return the wanted files out of the package's tarball, fetched by the user's own npm client."""
    with tempfile.TemporaryDirectory(prefix="candela-assets-") as folder:
        spec = f"{package.name}@{package.version}"
        limits = ["--fetch-retries=0", f"--fetch-timeout={_NPM_SECONDS * 1_000}", "--ignore-scripts"]
        try:
            done = subprocess.run(
                [npm, "pack", spec, "--json", *limits],
                cwd=folder,
                capture_output=True,
                timeout=_NPM_SECONDS,
                check=True,
            )
            told = json.loads(done.stdout)  # warnings go to stderr; older clients answer with one object
            entry = told[0] if isinstance(told, list) else told
            tarball = (Path(folder) / Path(entry["filename"]).name).read_bytes()
        except (OSError, subprocess.SubprocessError, ValueError, KeyError, IndexError) as error:
            raise UnreachableError(f"npm did not fetch {spec}") from error
    require_pinned(spec, tarball, package.tarball)
    return extract(package, tarball)


def fetch_from_cdn(package: Package, template: str) -> dict[str, bytes]:
    """Return the wanted files, one request each, from the public CDN over HTTPS."""
    found = {}
    for asset in package.assets:
        url = template.format(name=package.name, version=package.version, member=asset.member)
        if not url.startswith("https://"):
            raise MismatchError(f"{url} is no HTTPS address")
        try:
            with urllib.request.urlopen(url, timeout=_CDN_SECONDS) as answer:  # noqa: S310  HTTPS only, see above
                found[asset.member] = answer.read(_MAX_BYTES)
        except (OSError, urllib.error.URLError) as error:
            raise UnreachableError(f"the CDN did not give {asset.to}") from error
    return found


def extract(package: Package, tarball: bytes) -> dict[str, bytes]:
    """Return the wanted members of a package tarball; nothing is written, no other member is looked at."""
    wanted = {f"package/{asset.member}": asset.member for asset in package.assets}
    found = {}
    with tarfile.open(fileobj=io.BytesIO(tarball), mode="r:gz") as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isfile() and member.name in wanted else None
            if file is not None and member.size <= _MAX_BYTES:
                found[wanted[member.name]] = file.read()
    for name in wanted.values():
        if name not in found:
            raise MismatchError(f"{package.name}@{package.version} holds no {name}")
    return found


def require_pinned(name: str, data: bytes, integrity: str) -> None:
    """Raise MismatchError when the data are not those that were pinned."""
    if _integrity(data, integrity.partition("-")[0]) != integrity:
        raise MismatchError(f"{name} is not what assets.lock.json pins; it was refused")


def install(package: Package, template: str, folder: Path) -> str:
    """Fetch, verify and write the files of one package; return where they came from."""
    files, source = _fetch(package, template)
    for asset in package.assets:
        require_pinned(asset.to, files[asset.member], asset.integrity)
    folder.mkdir(parents=True, exist_ok=True)
    for asset in package.assets:
        write_atomically(folder / asset.to, files[asset.member])
    return source


def main(arguments: list[str] | None = None, lock: Path = LOCK, folder: Path = VENDOR) -> int:
    """Run the command and return its exit code: 0 done or nothing reachable, 1 refused or missing, 130 Ctrl-C."""
    options = _options(arguments)
    say = _speaker(options.json)
    try:
        template, packages = read_lock(lock)
        missing = missing_assets(packages, folder)
        if not missing:
            say("assets are in place", state="present", files=_names(packages))
            return 0
        if options.check:
            say(f"missing or damaged: {', '.join(missing)}", state="missing", files=missing)
            return 1
        if options.offline:
            say(f"offline: the site works without {', '.join(missing)}", state="skipped", files=missing)
            return 0
        return _install_all(packages, template, folder, say)
    except KeyboardInterrupt:
        return 130


def _install_all(packages: list[Package], template: str, folder: Path, say: Callable[..., None]) -> int:
    for package in packages:
        names = [asset.to for asset in package.assets]
        if not missing_assets([package], folder):
            continue
        try:
            source = install(package, template, folder)
        except MismatchError as error:
            say(f"refused: {error}", state="refused", files=names)
            return 1
        except UnreachableError:
            say(
                "no package source can be reached: the site works without Bootstrap's reset and with drawn charts",
                state="unreachable",
                files=names,
            )
            return 0
        say(f"{package.name} {package.version} from {source}", state="fetched", files=names)
    return 0


def _fetch(package: Package, template: str) -> tuple[dict[str, bytes], str]:
    npm = shutil.which("npm")
    if npm:
        try:
            return fetch_from_npm(package, npm), "npm"
        except UnreachableError:
            pass  # the CDN may be reachable where the client's own source is not
    return fetch_from_cdn(package, template), "the public CDN"


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python download_assets.py", description="Fetch the pinned front-end files.")
    parser.add_argument("--check", action="store_true", help="only verify; exit 1 when a file is missing or damaged")
    parser.add_argument("--offline", action="store_true", help="use no network")
    parser.add_argument("--json", action="store_true", help="say what happens as JSON lines")
    return parser.parse_args(arguments)


def _speaker(is_json: bool) -> Callable[..., None]:
    def say(text: str, **facts: Any) -> None:
        print(json.dumps({"message": text, **facts}) if is_json else text, flush=True)

    return say


def _names(packages: list[Package]) -> list[str]:
    return [asset.to for package in packages for asset in package.assets]


def _is_pinned(path: Path, integrity: str) -> bool:
    return path.is_file() and _integrity(path.read_bytes(), integrity.partition("-")[0]) == integrity


def _integrity(data: bytes, algorithm: str) -> str:
    return f"{algorithm}-{base64.b64encode(hashlib.new(algorithm, data).digest()).decode()}"


if __name__ == "__main__":
    sys.exit(main())
