import base64
import hashlib
import io
import json
import stat
import sys
import tarfile

import pytest

import download_assets
from download_assets import main

CONTENT = b"body { margin: 0 }"


def pinned(data, algorithm="sha384"):
    return f"{algorithm}-{base64.b64encode(hashlib.new(algorithm, data).digest()).decode()}"


def tarball(members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


@pytest.fixture
def assets(tmp_path, monkeypatch, capsys):
    """Return a small world: a lock file, a target folder, and an npm that hands out a package of ours."""
    packed = tarball({"package/dist/a.css": CONTENT, "package/../../evil.css": b"evil", "package/other.js": b"x"})
    lock, folder, bin_folder = tmp_path / "lock.json", tmp_path / "vendor", tmp_path / "bin"
    bin_folder.mkdir()
    (tmp_path / "a.tgz").write_bytes(packed)
    monkeypatch.setenv("PATH", str(bin_folder))

    class World:
        def pin(self, tar=packed, content=CONTENT, cdn="https://127.0.0.1:9/{name}@{version}/{member}"):
            file = {"member": "dist/a.css", "to": "a.css", "integrity": pinned(content)}
            entry = {"name": "tiny", "version": "1.0.0", "tarball": pinned(tar, "sha512"), "files": [file]}
            lock.write_text(json.dumps({"cdn": cdn, "packages": [entry]}))

        def have_npm(self):
            script = bin_folder / "npm"
            script.write_text(
                f"#!{sys.executable}\nimport json, shutil\n"
                f"shutil.copy({str(tmp_path / 'a.tgz')!r}, 'tiny-1.0.0.tgz')\n"
                "print(json.dumps([{'filename': 'tiny-1.0.0.tgz'}]))\n"
            )
            script.chmod(script.stat().st_mode | stat.S_IXUSR)

        def run(self, *arguments):
            code = main(list(arguments), lock, folder)
            return code, capsys.readouterr().out

        @property
        def files(self):
            return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.is_dir() else {}

    world = World()
    world.pin()
    world.folder = folder
    return world


def test_the_named_files_are_written_and_nothing_else(assets, tmp_path):
    assets.have_npm()

    code, said = assets.run()

    assert (code, assets.files) == (0, {"a.css": CONTENT})
    assert said == "tiny 1.0.0 from npm\n"
    assert not (tmp_path / "evil.css").exists()


def test_a_second_run_does_nothing(assets):
    assets.have_npm()
    assets.run()
    written_ns = (assets.folder / "a.css").stat().st_mtime_ns

    code, said = assets.run()

    assert (code, said) == (0, "assets are in place\n")
    assert (assets.folder / "a.css").stat().st_mtime_ns == written_ns


def test_a_damaged_file_is_noticed_and_replaced(assets):
    assets.have_npm()
    assets.run()
    (assets.folder / "a.css").write_bytes(b"damaged")

    checked = assets.run("--check")
    assets.run()

    assert checked == (1, "missing or damaged: a.css\n")
    assert assets.files == {"a.css": CONTENT}


@pytest.mark.parametrize("pin", [{"tar": b"another tarball"}, {"content": b"another file"}])
def test_what_is_not_pinned_is_refused(assets, pin):
    assets.have_npm()
    assets.pin(**pin)

    code, said = assets.run()

    assert (code, assets.files) == (1, {})
    assert said.startswith("refused: ")


def test_a_package_without_the_file_is_refused(assets):
    package = download_assets.Package("tiny", "1", "", (download_assets.Asset("nope.css", "a.css", ""),))

    with pytest.raises(download_assets.MismatchError, match=r"holds no nope\.css"):
        download_assets.extract(package, tarball({"package/a.css": b""}))


def test_without_any_source_the_site_goes_on(assets):
    code, said = assets.run()

    assert (code, assets.files) == (0, {})
    assert said.count("\n") == 1
    assert "the site works without" in said


def test_offline_asks_nobody(assets):
    assets.have_npm()

    code, said = assets.run("--offline")

    assert (code, assets.files) == (0, {})
    assert "offline" in said


def test_an_address_without_tls_is_refused(assets):
    assets.pin(cdn="http://127.0.0.1:9/{name}@{version}/{member}")

    code, said = assets.run()

    assert code == 1
    assert "no HTTPS address" in said


def test_json_tells_the_same(assets):
    assets.have_npm()

    assets.run()
    _, said = assets.run("--json")

    assert json.loads(said) == {
        "message": "assets are in place",
        "state": "present",
        "files": ["a.css"],
    }


def test_every_file_of_the_lock_is_pinned():
    template, packages = download_assets.read_lock(download_assets.LOCK)

    assert template.startswith("https://")
    assert {package.name for package in packages} == {"bootstrap", "lightweight-charts"}
    assert all(package.tarball.startswith("sha512-") for package in packages)
    assert all(asset.integrity.startswith("sha384-") for package in packages for asset in package.assets)
    assert all("LICENSE" in {asset.member for asset in package.assets} for package in packages)
