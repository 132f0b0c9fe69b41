"""Put thousands of damaged and hostile files where models lie, and count what the store makes of each.

Runs as a process of its own, so that a crash, a hang or a run of foreign code is seen from outside. It prints counts.
"""

import io
import json
import os
import pickle
import random
import socket
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from data.model_manifest import PARTS, manifest_bytes
from data.model_seal import sealed
from data.model_store import ModelStore
from market.errors import ModelError
from models.array_file import pack, unpack
from models.served import content_id
from models.training import TrainingSettings, train_horizon
from tests.models.synthetic import COLUMNS, synthetic_panel
from utils.secret_file import load_or_make_secret

VENUE, SPAN, SEED = "simulated-1", (0, 450_000_000), 20_261_126
ODD_VALUES = (None, True, -1, 0, 1e308, 2**70, "", "x" * 1_000, [], {}, [[[]]], {"a": {"b": []}}, "../../x", "\x00")
POISON = b"cos\nsystem\n(S'touch executed'\ntR."


class Poison:
    def __reduce__(self):
        return os.system, ("touch executed",)


class Ground:
    """A folder with an older sound model that must go on serving, and a newer one that is attacked."""

    def __init__(self, folder):
        self.folder, self.random = folder / "models", random.Random(SEED)
        self.key_file = folder / "model.key"
        self.store = ModelStore(self.folder, self.key_file)
        market = synthetic_panel(symbols=3, candles=1_500, seed=1)
        trained = train_horizon(market, "5m", "1h", 12, TrainingSettings(replay_candles=300, folds=1))
        self.sound = self.store.save(trained, VENUE, SPAN)
        model = replace(trained.model, move=replace(trained.model.move, half_width=1.25))
        newer = replace(trained, model=replace(model, id=content_id(model)), cut_ms=trained.cut_ms + 3_600_000)
        self.target = self.store.save(newer, VENUE, SPAN)
        self.secret = load_or_make_secret(self.key_file)
        self.files = {suffix: self.path(suffix).read_bytes() for suffix in ("json", *PARTS)}
        self.manifest = json.loads(self.files["json"])
        self.arrays = unpack(self.files["npz"])
        self.rows = np.random.default_rng(SEED).normal(size=(8, len(COLUMNS)))

    def path(self, suffix):
        return self.folder / f"{self.target}.{suffix}"

    def put(self, suffix, content):
        self.path(suffix).unlink(missing_ok=True)
        self.path(suffix).write_bytes(content)

    def seal(self, edit):
        """Return the manifest changed by somebody who has the key."""
        manifest = json.loads(self.files["json"])
        edit(manifest)
        return manifest_bytes(sealed(manifest, self.secret))

    def own(self, content):
        """Write arrays that are signed and of the right checksum: what is wrong with them must still be seen."""
        import hashlib

        entry = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        self.put("npz", content)
        self.put("json", self.seal(lambda manifest: manifest["files"].update(npz=entry)))

    def restore(self):
        for path in self.folder.iterdir():
            if path.name.startswith(self.sound):
                continue
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            else:
                path.unlink()
        for suffix, content in self.files.items():
            self.path(suffix).write_bytes(content)


def cases(ground):
    """Yield (name, attack, whether its owner's key was used) for each case."""
    random_, files = ground.random, ground.files
    for suffix in ("json", *PARTS):
        for _ in range(460):
            yield f"flip {suffix}", lambda s=suffix: ground.put(s, flipped(files[s], random_)), False
        for _ in range(150):
            length = random_.randrange(len(files[suffix]))
            yield f"cut {suffix}", lambda s=suffix, n=length: ground.put(s, files[s][:n]), False
        for _ in range(20):
            tail = random_.randbytes(random_.randrange(1, 5_000))
            yield f"grow {suffix}", lambda s=suffix, t=tail: ground.put(s, files[s] + t), False
            yield f"noise {suffix}", lambda s=suffix, t=tail: ground.put(s, t), False
        for kind in (missing, folder, pipe, unix_socket, link, device, loop, sparse):
            yield f"{kind.__name__} {suffix}", lambda s=suffix, k=kind: k(ground, s), False
        for name, content in poisons().items():
            yield f"{name} as {suffix}", lambda s=suffix, c=content: ground.put(s, c), False
    for name, content in hostile_json(ground).items():
        yield name, lambda c=content: ground.put("json", c), False
    for name in ("../escape.json", "a\nb.json", "x" * 200 + ".npz", "évil.joblib", "b.npz.json", ".hidden.json"):
        yield f"stray {name!r}", lambda n=name: stray(ground, n), True
    yield "name that is no text", lambda: stray(ground, os.fsdecode(b"\xff\xfe.joblib")), True
    for field in ground.manifest:
        for value in ODD_VALUES:
            odd = ground.seal(lambda manifest, f=field, v=value: manifest.update({f: v}))
            yield f"{field}={str(value)[:9]}", lambda c=odd: ground.put("json", c), True
    for name, content in hostile_arrays(ground):
        yield name, lambda c=content: ground.own(c), True


def flipped(content, random_):
    changed = bytearray(content)
    for _ in range(random_.choice((1, 1, 2, 8))):
        changed[random_.randrange(len(changed))] ^= 1 << random_.randrange(8)
    return bytes(changed) if bytes(changed) != content else flipped(content, random_)


def missing(ground, suffix):
    ground.path(suffix).unlink()


def folder(ground, suffix):
    ground.path(suffix).unlink()
    ground.path(suffix).mkdir()


def pipe(ground, suffix):
    ground.path(suffix).unlink()
    os.mkfifo(ground.path(suffix))


def unix_socket(ground, suffix):
    ground.path(suffix).unlink()
    os.chdir(ground.folder)  # an address may not be long
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(ground.path(suffix).name)
    os.chdir(ground.folder.parent)


def link(ground, suffix):
    real = ground.folder.parent / f"real.{suffix}"
    real.write_bytes(ground.files[suffix])
    ground.path(suffix).unlink()
    ground.path(suffix).symlink_to(real)


def device(ground, suffix):
    ground.path(suffix).unlink()
    ground.path(suffix).symlink_to("/dev/zero")


def loop(ground, suffix):
    ground.path(suffix).unlink()
    ground.path(suffix).symlink_to(ground.path(suffix).name)


def sparse(ground, suffix):
    with ground.path(suffix).open("r+b") as file:
        file.truncate(1 << 40)


def stray(ground, name):
    ground.path("npz").with_name(Path(name).name if "/" in name else name).write_bytes(POISON)
    if "/" in name:
        ground.put("json", ground.seal(lambda manifest: manifest.update(id=name.removesuffix(".json"))))


def poisons():
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("nodes.npy", bytes(50_000_000))
    objects = io.BytesIO()
    np.savez(objects, nodes=np.array([Poison()], dtype=object))
    header = b"\x93NUMPY\x01\x00" + (65_535).to_bytes(2, "little") + b"{'descr': '<f8'" + b" " * 65_000
    return {
        "pickle": pickle.dumps(Poison()),
        "old pickle": POISON,
        "zip bomb": bomb.getvalue(),
        "object array": objects.getvalue(),
        "long header": header,
        "nothing": b"",
        "zeros": bytes(4_096),
        "program": b"#!/bin/sh\ntouch executed\n",
    }


def hostile_json(ground):
    text = ground.files["json"].decode()
    number = '"coverage": 0.8'
    return {
        "deep list": b"[" * 400_000,
        "deep object": b'{"a":' * 190_000,
        "long number": text.replace(number, '"coverage": ' + "9" * 100_000).encode(),
        "nan": text.replace(number, '"coverage": NaN').encode(),
        "infinity": text.replace(number, '"coverage": -Infinity').encode(),
        "overflow": text.replace(number, '"coverage": 1e999').encode(),
        "two of one name": text.replace(number, f'{number}, "coverage": 0.99').encode(),
        "utf-16": text.encode("utf-16"),
        "lone surrogate": text.replace(number, f'"\\ud800": 1, {number}').encode(),
        "list": b"[]",
        "text": b'"manifest"',
        "too long": text.encode() + b" " * 1_100_000,
        "no signature": json.dumps({k: v for k, v in ground.manifest.items() if k != "signatures"}).encode(),
        "empty signature": json.dumps({**ground.manifest, "signatures": {}}).encode(),
        "odd signature": json.dumps({**ground.manifest, "signatures": ["x"]}).encode(),
        "number as signature": json.dumps({**ground.manifest, "signatures": {"x": 1}}).encode(),
        "foreign": json.dumps(sealed(ground.manifest, bytes(32))).encode(),
        "copied signature": json.dumps(
            {**ground.manifest, "venue": "binance", "signatures": ground.manifest["signatures"]}
        ).encode(),
        "signature not ascii": json.dumps(
            {**ground.manifest, "signatures": dict.fromkeys(ground.manifest["signatures"], "é" * 64)}
        ).encode(),
    }


def hostile_arrays(ground):
    """Yield arrays with hostile links, shapes, kinds and numbers, and files with hostile zip and npy headers."""
    random_, content = ground.random, ground.files["npz"]
    for name, array in ground.arrays.items():
        for kind in ("<f8", "<i4", "<u2", "<i8"):
            yield f"{name} as {kind}", pack({**ground.arrays, name: array.astype(kind)})
        for shape in ((-1,), (1, -1), (-1, 1)):
            yield f"{name} shaped", pack({**ground.arrays, name: array.reshape(shape)})
        yield f"{name} empty", pack({**ground.arrays, name: array[:0]})
        yield f"{name} short", pack({**ground.arrays, name: array[:-1]})
        yield f"{name} missing", pack({other: value for other, value in ground.arrays.items() if other != name})
        for value in (np.nan, np.inf, -1e308, -1.0, 1e9):
            with np.errstate(all="ignore"):
                yield f"{name}={value}", pack({**ground.arrays, name: np.full(array.shape, value).astype(array.dtype)})
    nodes, starts = ground.arrays["nodes"], ground.arrays["starts"]
    for _ in range(250):
        changed = nodes.copy()
        changed[random_.randrange(len(changed)), 1] = random_.getrandbits(32)
        yield "link", pack({**ground.arrays, "nodes": changed})
    for _ in range(60):
        moved = starts.copy()
        moved[random_.randrange(len(moved))] = random_.choice((-1, 0, 2**62, -(2**62), random_.randrange(10_000)))
        yield "start", pack({**ground.arrays, "starts": moved})
    for digits in (20, 40, 80):
        at = content.index(b"'shape': (") + len(b"'shape': (")
        yield "shape without end", content[:at] + b"1" * digits + content[at + digits :]
    for _ in range(300):
        changed = bytearray(content)
        at = random_.choice((random_.randrange(300), len(changed) - 1 - random_.randrange(min(900, len(changed)))))
        changed[at] ^= 1 << random_.randrange(8)
        yield "zip header", bytes(changed)


def outcome(ground):
    """Return what the store makes of the folder now: refused, or used."""
    cards = ground.store.cards()
    json.dumps(cards, allow_nan=False).encode()
    newest = ground.store.newest(VENUE, "5m", "1h", COLUMNS)
    try:
        scores = ground.store.load(ground.target).predict(ground.rows)
    except ModelError:
        is_loaded = False
    else:
        is_loaded = all(np.isfinite(column).all() or np.isnan(column).any() for column in scores.columns())
    if newest != ground.target and newest != ground.sound:
        return "nothing serves"
    # The estimator is never opened to serve: damaged, it is named, and its model is not chosen any more.
    is_named = any(card["state"] == "refused" and card["file"].startswith(ground.target) for card in cards)
    return "used" if newest == ground.target or (is_loaded and not is_named) else "refused"


def main():
    folder_ = Path(sys.argv[1])
    os.chdir(folder_)
    ground = Ground(folder_)
    unpickled = []
    sys.addaudithook(lambda event, _: unpickled.append(event) if event == "pickle.find_class" else None)
    assert outcome(ground) == "used", "the control must be accepted"
    counts = {"cases": 0, "refused": 0, "used by its owner": 0, "of others": 0}
    wrong = []
    for name, attack, is_owner in cases(ground):
        attack()
        found = outcome(ground)
        ground.restore()
        counts["cases"] += 1
        counts["of others"] += not is_owner
        if found == "refused":
            counts["refused"] += 1
        elif found == "used" and is_owner:
            counts["used by its owner"] += 1
        else:
            wrong.append(f"{name}: {found}")
    control = outcome(ground)
    executed = len(unpickled) + sum((at / "executed").exists() for at in (folder_, ground.folder))
    sys.stdout.write(json.dumps({**counts, "wrong": wrong, "executed": executed, "control": control}))


if __name__ == "__main__":
    main()
