"""A model on disk is served only if it is, to the bit, what its trainer left."""

import json
import os
import shutil
import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest

from data.model_manifest import manifest_bytes
from data.model_seal import sealed
from data.model_store import KEPT_MODELS, MAX_LISTED, ModelStore
from market.errors import ModelError
from models.served import content_id
from models.training import TrainingSettings, train_horizon
from tests.models.synthetic import COLUMNS, synthetic_panel
from utils.model_cache import model_cache
from utils.secret_file import load_or_make_secret

VENUE = "simulated-1"
SPAN = (0, 450_000_000)


@pytest.fixture(scope="module")
def trained():
    market = synthetic_panel(symbols=3, candles=1_500, seed=1)
    return train_horizon(market, "5m", "1h", 12, TrainingSettings(replay_candles=300, folds=1, cost_bps=24.0))


@pytest.fixture(scope="module")
def original(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("original") / "models"
    store_in(folder).save(trained, VENUE, SPAN)
    return folder


@pytest.fixture
def folder(original, tmp_path):
    shutil.copy(original.parent / "model.key", tmp_path)
    return shutil.copytree(original, tmp_path / "models")


def later(trained, step):
    """Return the same training with another slope, as a later cut would give."""
    model = replace(trained.model, move=replace(trained.model.move, half_width=1.0 + step))
    model = replace(model, id=content_id(model))
    return replace(trained, model=model, cut_ms=trained.cut_ms + step * 3_600_000)


def store_in(folder, key="model.key"):
    return ModelStore(folder, folder.parent / key)


def change(path, edit):
    """Change a manifest as its owner could, signature and all."""
    manifest = json.loads(path.read_text())
    edit(manifest)
    path.write_bytes(manifest_bytes(sealed(manifest, load_or_make_secret(path.parent.parent / "model.key"))))


def newest(folder):
    return store_in(folder).newest(VENUE, "5m", "1h", COLUMNS)


def test_a_loaded_model_answers_as_the_trained_one(folder, trained):
    rows = np.random.default_rng(1).normal(size=(40, len(COLUMNS)))

    loaded = store_in(folder).load(trained.model.id)

    for ours, theirs in zip(loaded.predict(rows).columns(), trained.model.predict(rows).columns(), strict=True):
        assert ours.tolist() == theirs.tolist()
    assert (loaded.id, loaded.coverage, loaded.features) == (trained.model.id, 0.8, COLUMNS)


def test_the_newest_sound_model_is_found(folder, trained):
    newer = store_in(folder).save(later(trained, 1), VENUE, SPAN)

    assert newest(folder) == newer
    assert store_in(folder).facts(newer)["cut_ms"] == trained.cut_ms + 3_600_000


@pytest.mark.parametrize("part", ["npz", "joblib", "json"])
@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "missing", "folder"])
def test_a_damaged_model_is_refused_by_name_and_the_one_before_serves(folder, trained, part, damage):
    store = store_in(folder)
    newer = store.save(later(trained, 1), VENUE, SPAN)
    assert newest(folder) == newer
    path = folder / f"{newer}.{part}"
    content = bytearray(path.read_bytes())
    path.unlink()
    if damage == "flip":
        content[len(content) // 2] ^= 0x41
        path.write_bytes(content)
    elif damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "folder":
        path.mkdir()

    assert newest(folder) == trained.model.id
    refused = [card for card in store.cards() if card["state"] == "refused"]
    assert newer in str(refused)
    if part == "npz":
        with pytest.raises(ModelError, match=newer):
            store.load(newer)


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda manifest: manifest.update(format=1), "format 1"),
        (lambda manifest: manifest.update(id="random_forest-1h-000000000000"), "calls itself"),
        (lambda manifest: manifest["features"].pop(), "numbers missing"),
        (lambda manifest: manifest["files"].pop("joblib"), "does not name its files"),
        (lambda manifest: manifest["files"]["npz"].update(sha256="0" * 64), "checksum"),
        (lambda manifest: manifest["files"]["npz"].update(size=3), "holds"),
        (lambda manifest: manifest["files"]["npz"].update(sha256="../../etc"), "does not name its files"),
        (lambda manifest: manifest["check"].update(probability=0.9), "answers"),
        (lambda manifest: manifest["check"].update(row=None), "numbers missing"),
        (lambda manifest: manifest.update(coverage="much"), "numbers missing"),
        (lambda manifest: manifest.update(horizon_candles=-4), "numbers missing"),
        (lambda manifest: manifest.update(scale_column="none"), "names"),
        (lambda manifest: manifest.pop("venue"), "no venue"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(folder, trained, edit, reason):
    change(folder / f"{trained.model.id}.json", edit)

    with pytest.raises(ModelError, match=reason):
        store_in(folder).load(trained.model.id)


@pytest.mark.parametrize("name", ["../escape", "random_forest-1h-000000000000", "", "a" * 300])
def test_unknown_names_are_refused(folder, name):
    with pytest.raises(ModelError):
        store_in(folder).load(name)


@pytest.mark.parametrize("part", ["npz", "joblib", "json"])
def test_the_damaged_file_of_a_model_is_the_one_that_is_named(folder, trained, part):
    path = folder / f"{trained.model.id}.{part}"
    path.write_bytes(path.read_bytes()[:-1] + b"?")

    (card,) = store_in(folder).cards(VENUE)

    assert (card["file"], card["state"]) == (path.name, "refused")


def test_every_damaged_file_of_a_model_is_named(folder, trained):
    for part in ("npz", "joblib"):
        (folder / f"{trained.model.id}.{part}").write_bytes(b"?")

    cards = store_in(folder).cards(VENUE)

    assert [card["file"] for card in cards] == [f"{trained.model.id}.npz", f"{trained.model.id}.joblib"]


def test_foreign_files_are_listed_and_never_opened(folder, trained):
    (folder / "evil.pkl").write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    (folder / "foreign.joblib").write_bytes(b"\x80\x04\x95")
    os.mkfifo(folder / "random_forest-1h-aaaaaaaaaaaa.json")

    cards = store_in(folder).cards()

    refused = {card["file"]: card["reason"] for card in cards if card["state"] == "refused"}
    assert set(refused) == {"evil.pkl", "foreign.joblib", "random_forest-1h-aaaaaaaaaaaa.json"}
    assert "no manifest" in refused["foreign.joblib"]
    assert [card["id"] for card in cards if card["state"] == "ok"] == [trained.model.id]


def test_a_model_made_for_features_by_other_rules_is_refused_with_the_reason(folder, trained):
    manifest = store_in(folder).facts(trained.model.id)

    (same,) = store_in(folder).cards(VENUE, manifest["definition"])
    (other,) = store_in(folder).cards(VENUE, "the rules of today")

    assert same["state"] == "ok"
    assert (other["file"], other["state"]) == (f"{trained.model.id}.npz", "refused")
    assert "other rules" in other["reason"]


def test_a_card_tells_what_the_model_is_and_how_it_did(folder, trained):
    (card,) = store_in(folder).cards(VENUE)

    assert card["state"] == "ok"
    assert (card["horizon"], card["interval"], card["family"]) == ("1h", "5m", trained.model.kind)
    assert card["created"] == "1970-01-06T05:00:00.000Z"
    metrics = card["metrics"][trained.model.kind]
    assert {"n", "base_rate", "brier", "brier_base", "brier_skill", "log_loss", "ece", "coverage_kept"} == set(metrics)
    assert json.loads(json.dumps(card, allow_nan=False)) == card


def test_a_card_tells_how_the_model_was_made(folder, trained):
    (card,) = store_in(folder).cards(VENUE)

    choices = card["choices"]
    assert set(choices) == {"families", "dropped", "fewer_columns", "newer_leaves", "sizes", "trees", "steps"}
    assert choices["dropped"] == list(trained.choices.dropped)
    assert set(choices["fewer_columns"]) == {"n", "log_loss", "usual_log_loss", "excess", "error", "is_used"}
    assert [set(size) for size in choices["sizes"]] == [{"trees", "n", "log_loss"}] * len(trained.choices.sizes)
    assert card["cost"]["cost_bps"] == 24.0
    assert card["features"] == list(COLUMNS)


def test_other_venues_intervals_horizons_and_features_are_not_mixed(folder):
    store = store_in(folder)

    assert store.cards("binance") == []
    assert store.newest("binance", "5m", "1h", COLUMNS) is None
    assert store.newest(VENUE, "1m", "1h", COLUMNS) is None
    assert store.newest(VENUE, "5m", "4h", COLUMNS) is None
    assert store.newest(VENUE, "5m", "1h", COLUMNS[::-1]) is None
    assert store.newest(VENUE, "5m", "1h", COLUMNS, "other rules") is None


def test_an_empty_or_missing_folder_holds_no_models(tmp_path):
    store = store_in(tmp_path / "none")

    assert store.cards() == []
    assert store.newest(VENUE, "5m", "1h", COLUMNS) is None


def test_only_the_newest_models_are_kept(folder, trained):
    store = store_in(folder)

    names = [store.save(later(trained, step), VENUE, SPAN) for step in range(1, KEPT_MODELS + 2)]

    assert [card["id"] for card in store.cards()] == names[: -KEPT_MODELS - 1 : -1]
    assert len(list(folder.iterdir())) == 3 * KEPT_MODELS


def test_saving_the_same_model_again_changes_nothing_but_its_date(folder, trained):
    before = (folder / f"{trained.model.id}.npz").read_bytes()

    store_in(folder).save(trained, VENUE, SPAN)

    assert (folder / f"{trained.model.id}.npz").read_bytes() == before
    assert newest(folder) == trained.model.id


def test_a_killed_writer_leaves_nothing_that_counts(folder, trained):
    program = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    (folder / f".random_forest-1h-aaaaaaaaaaaa.npz.{program.stdout.strip()}.0.tmp").write_bytes(b"half")

    store_in(folder).save(later(trained, 1), VENUE, SPAN)

    assert not list(folder.glob(".*"))
    assert all(card["state"] == "ok" for card in store_in(folder).cards())


def test_many_askers_of_the_cache_share_one_load(folder, trained):
    model_cache.clear_cache()
    store, before = store_in(folder), model_cache.get_stats()["loads"]
    models = []
    askers = [threading.Thread(target=lambda: models.append(store.cached(trained.model.id))) for _ in range(6)]

    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(10)

    assert len({id(model) for model in models}) == 1
    assert model_cache.get_stats()["loads"] == before + 1
    model_cache.clear_cache()


def test_looking_at_cards_needs_nothing_heavy(folder):
    program = f"""
import sys
from pathlib import Path
from data.model_store import ModelStore
assert ModelStore(Path({str(folder)!r}), Path({str(folder.parent / "model.key")!r})).cards()[0]["state"] == "ok"
assert not {{"numba", "sklearn", "scipy", "joblib", "pandas"}} & set(sys.modules), sorted(sys.modules)
"""

    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_serving_never_imports_scikit_learn(folder, trained):
    program = f"""
import sys
from pathlib import Path
from data.model_store import ModelStore
ModelStore(Path({str(folder)!r}), Path({str(folder.parent / "model.key")!r})).load({trained.model.id!r})
assert not {{"sklearn", "joblib", "pandas"}} & set(sys.modules)
"""

    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_a_large_model_is_mapped_not_copied(folder, trained, monkeypatch):
    monkeypatch.setattr("data.model_files.MAPPED_BYTES", 0)

    model = store_in(folder).load(trained.model.id)

    assert not model.form.nodes.flags.owndata
    assert model.predict(np.array([trained.check_row])).probability_up[0] == trained.check_probability


def test_a_model_that_is_not_signed_is_refused_and_never_opened(folder, trained):
    path = folder / f"{trained.model.id}.json"
    manifest = json.loads(path.read_text())
    del manifest["signatures"]
    path.write_text(json.dumps(manifest))

    with pytest.raises(ModelError, match="not signed"):
        store_in(folder).load(trained.model.id)
    assert newest(folder) is None


def test_a_manifest_changed_after_it_was_signed_is_refused(folder, trained):
    path = folder / f"{trained.model.id}.json"
    path.write_text(path.read_text().replace('"coverage": 0.8', '"coverage": 0.9'))

    (card,) = store_in(folder).cards()

    assert card["state"] == "refused"
    assert "does not match its signature" in card["reason"]


def test_a_model_of_another_instance_is_listed_and_does_not_stop_ours(folder, trained):
    other = store_in(folder, "other.key")

    (foreign,) = other.cards()
    ours = other.save(later(trained, 1), VENUE, SPAN)

    assert "signed by another instance" in foreign["reason"]
    assert other.newest(VENUE, "5m", "1h", COLUMNS) == ours
    assert newest(folder) == trained.model.id


def test_two_instances_that_train_the_same_model_both_keep_it(folder, trained):
    other = store_in(folder, "other.key")

    other.save(trained, VENUE, SPAN)

    assert other.load(trained.model.id).id == store_in(folder).load(trained.model.id).id


def test_retiring_a_shared_model_leaves_it_to_the_other_instance(folder, trained):
    store_in(folder, "other.key").save(trained, VENUE, SPAN)

    for step in range(1, KEPT_MODELS + 1):
        store_in(folder).save(later(trained, step), VENUE, SPAN)

    assert trained.model.id not in {card.get("id") for card in store_in(folder).cards()}
    assert store_in(folder, "other.key").load(trained.model.id).id == trained.model.id


def test_a_model_that_is_still_wanted_is_not_retired(folder, trained):
    for step in range(1, KEPT_MODELS + 2):
        store_in(folder).save(later(trained, step), VENUE, SPAN, kept={trained.model.id})

    assert store_in(folder).load(trained.model.id).id == trained.model.id
    assert len([card for card in store_in(folder).cards() if card["state"] == "ok"]) == KEPT_MODELS + 1


def test_a_folder_full_of_other_files_is_counted_not_listed(folder):
    for number in range(MAX_LISTED + 7):
        (folder / f"{number}.pkl").touch()

    refused = [card for card in store_in(folder).cards() if card["state"] == "refused"]

    assert len(refused) == MAX_LISTED + 1
    assert refused[-1]["file"] == "7 more"


def test_a_link_is_refused_even_when_what_it_leads_to_is_sound(folder, trained, tmp_path):
    path = folder / f"{trained.model.id}.npz"
    path.rename(tmp_path / "elsewhere.npz")
    path.symlink_to(tmp_path / "elsewhere.npz")

    with pytest.raises(ModelError, match="cannot be read"):
        store_in(folder).load(trained.model.id)


def test_a_refusal_is_logged_once_however_often_the_folder_is_looked_at(folder, trained, caplog):
    (folder / f"{trained.model.id}.npz").write_bytes(b"?")
    store = store_in(folder)

    for _ in range(3):
        store.newest(VENUE, "5m", "1h", COLUMNS)

    assert len([record for record in caplog.records if "model refused" in record.message]) == 1


@pytest.mark.parametrize("before", ['{"cut_ms": 1e999}', "[1]", '{"signatures": 3}', "nothing"])
def test_whatever_lies_where_a_manifest_is_written_is_replaced(folder, trained, before):
    (folder / f"{trained.model.id}.json").write_text(before)

    store_in(folder).save(trained, VENUE, SPAN)

    assert newest(folder) == trained.model.id
