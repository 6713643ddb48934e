"""Pickles for somebody else's classes: what plain `pickle` reads back is what was said."""

from __future__ import annotations

import pickle
import pickletools
import subprocess
import sys
from io import BytesIO
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from movi_prep.errors import InternalError
from movi_prep.formats.plain_pickle import Foreign, dump_plain
from tests.sentences import raises_recorded

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(PLAIN)
def test_plain_values_come_back(value: object) -> None:
    assert pickle.loads(dump_plain(value)) == value


def test_the_stream_is_valid_and_of_protocol_2() -> None:
    stream = dump_plain([Foreign("a.b", "C", {"x": 1.5})])
    opcodes = list(pickletools.genops(stream))
    assert opcodes[0][0].name == "PROTO"
    assert max(opcode.proto for opcode, _, _ in opcodes) == 2


def test_an_instance_that_stands_twice_is_one_instance() -> None:
    part = Foreign("a", "C", {"x": 1})

    class Stand:
        pass

    class Reader(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> type:
            assert (module, name) == ("a", "C")
            return Stand

    first, second = Reader(BytesIO(dump_plain([part, part]))).load()
    assert first is second
    assert first.__dict__ == {"x": 1}


def test_it_unpickles_in_a_process_that_knows_only_the_other_package(tmp_path: Path) -> None:
    package = tmp_path / "theirs"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "parts.py").write_text("class Body:\n    def total(self):\n        return sum(self.masses)\n")
    (tmp_path / "model.pkl").write_bytes(dump_plain(Foreign("theirs.parts", "Body", {"masses": [1.0, 2.5]})))
    code = "import pickle; print(pickle.load(open('model.pkl', 'rb')).total())"
    done = subprocess.run([sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, '.'); {code}"],
                          cwd=tmp_path, capture_output=True, text=True, check=True)  # fmt: skip
    assert done.stdout.strip() == "3.5"


def test_other_values_are_refused() -> None:
    with raises_recorded(InternalError):
        dump_plain({"x": object()})
