"""Documents that every unit reads are read once while a run is planned."""

from __future__ import annotations

from pathlib import Path

import pytest

from movi_prep.config.root import Config
from movi_prep.errors import UsageError
from movi_prep.runtime.brought_documents import check_documents


@pytest.mark.parametrize(
    ("section", "name"), [("markers", "marker_set"), ("scaling", "setup"), ("ik", "setup"), ("shard", "split")]
)
@pytest.mark.parametrize("content", ["[" * 2000, "just text", "\0"])
def test_a_document_that_cannot_be_read_is_refused_by_its_setting(
    tmp_path: Path, section: str, name: str, content: str
) -> None:
    path = tmp_path / "brought.yaml"
    path.write_text(content)
    with pytest.raises(UsageError, match=rf"^{section}\.{name}: .*brought\.yaml"):
        check_documents(Config.model_validate({"work": tmp_path, section: {name: path}}))


def test_packaged_documents_need_no_reading(tmp_path: Path) -> None:
    check_documents(Config.model_validate({"work": tmp_path}))
