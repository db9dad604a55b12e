"""The writer: the same values give the same bytes, and the manifest names every file."""

import orjson
from world import EXPORTER, bundle, sealed, story

from tachograph.forensics.bundle.archive import unpack
from tachograph.forensics.bundle.content import manifest_text, write_bundle
from tachograph.schemas.canonical import canonical_json, sha256_hex
from tachograph.schemas.note import open_note


def test_it_is_deterministic() -> None:
    """Two exports of the same things cannot be told apart."""
    one, two = (write_bundle(bundle(sealed(story())), EXPORTER) for _ in range(2))
    assert one == two


def test_the_manifest_is_signed_and_names_all() -> None:
    """Sizes and hashes of every file but itself and its signature."""
    files = unpack(write_bundle(bundle(sealed(story())), EXPORTER))
    manifest = files.pop("manifest.json")
    assert open_note(files.pop("manifest.note").decode(), [EXPORTER.key]).text == manifest_text(manifest)
    listed = {item["name"]: (item["size"], item["sha256"]) for item in orjson.loads(manifest)["files"]}
    assert listed == {name: (len(data), sha256_hex(data)) for name, data in files.items()}


def test_documents_are_not_touched() -> None:
    """The bytes that the log sealed are the bytes in the file."""
    docs = story()
    files = unpack(write_bundle(bundle(sealed(docs)), EXPORTER))
    assert [files[f"records/{n:08}.json"] for n in range(7)] == [doc.value for doc in docs]
    assert all(line == canonical_json(orjson.loads(line)) for line in files["leaves.jsonl"].splitlines())
