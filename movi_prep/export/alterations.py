"""The alterations of a test set by `augment`, and their spelling on the command line.

| kind | amount | effect |
|---|---|---|
| `flip` | | the person is mirrored: pictures, labels, scales (`geometry.mirror_world`) |
| `brightness` | +40, -40 | added to every value of the picture, 0 to 255 |
| `contrast` | 0.6 | distance of values from the picture's mean |
| `resize` | 0.33 | resolution: smaller and back, so that every label stays where it is |
| `crop` | 0.7 | only the middle part of the box is kept, the rest is black |

Only `flip` changes labels; with all others they are those of the shard, bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass

from movi_prep.errors import UsageError, suggest

_DEFAULTS = {"flip": 1.0, "brightness": None, "contrast": None, "resize": None, "crop": None}
KINDS = tuple(_DEFAULTS)


@dataclass(frozen=True)
class Alteration:
    """One kind with its amount."""

    kind: str
    amount: float

    def __post_init__(self) -> None:
        """Refuse impossible amounts."""
        low, high = {"brightness": (-255.0, 255.0), "contrast": (0.0, 10.0)}.get(self.kind, (0.0, 1.0))
        # A brightness of 0 changes nothing; any other amount of 0 leaves nothing of the picture.
        if not low <= self.amount <= high or (self.kind != "brightness" and self.amount == 0.0):
            raise UsageError(
                f"--kind {self.kind}: expected an amount from {low:g} to {high:g}, but got {self.amount:g}"
            )


def parse_alterations(text: str) -> tuple[Alteration, ...]:
    """Return the alterations of a text such as `flip,brightness=+40,contrast=0.6`.

    Raises:
        UsageError: a kind is unknown, named twice, or lacks its amount.
    """
    found: dict[str, Alteration] = {}
    # A comma at the end is harmless.
    for entry in filter(None, (part.strip() for part in text.split(","))):
        kind, equals, amount = entry.partition("=")
        if kind not in KINDS:
            raise UsageError(
                f"--kind: expected kinds out of {', '.join(KINDS)}, but got {kind!r}{suggest(kind, KINDS)}"
            )
        if kind in found:
            raise UsageError(f"--kind: expected each kind once, but got {kind!r} twice; run the command once for each")
        # A flip has no amount, all others need one.
        if bool(equals) == (kind == "flip"):
            raise UsageError(f"--kind: expected {'flip' if kind == 'flip' else f'{kind}=AMOUNT'}, but got {entry!r}")
        try:
            found[kind] = Alteration(kind, float(amount or 1.0))
        except ValueError as error:
            raise UsageError(f"--kind {kind}: expected a number, but got {amount!r}") from error
    if not found:
        raise UsageError("--kind: expected at least one kind, as flip,brightness=+40, but got none")
    return tuple(found.values())
