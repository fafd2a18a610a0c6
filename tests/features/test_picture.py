"""`chainrule features`: a PNG that can be read, where it is written, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

for package in ("typer", "rich", "PIL", "matplotlib"):
    pytest.importorskip(package)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "cat.jpg")
    return tmp_path / "cat.jpg"


def call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    from chainrule.cli import main as entry

    monkeypatch.setattr("sys.argv", ["chainrule", "features", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        entry.main()
    return int(stop.value.code or 0)


def test_the_picture_lies_where_the_command_is_run_or_where_it_is_told(
    photo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    run = photo.parent / "run"
    run.mkdir()
    monkeypatch.chdir(run)
    assert call(monkeypatch, photo) == 0
    options = ("--channels", "grey", "--size", "24x32", "--cell", 4, "--grid", 2)
    assert call(monkeypatch, photo, "-o", photo.with_name("grey.png"), *options) == 0
    assert capsys.readouterr().out.split() == ["cat-features.png", str(photo.with_name("grey.png"))]
    for path in (run / "cat-features.png", photo.with_name("grey.png")):
        with Image.open(path) as image:
            assert image.format == "PNG" and np.asarray(image).std() > 5


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (("-o", "a.jpg"), 2, "--out must end in .png, got 'a.jpg'"),
        (("--cell", 60), 1, "hog: an image of 40 x 50 pixels is smaller than one block"),
        (("--size", "big"), 2, "--size: must be one number"),
    ],
)
def test_refusals(
    photo: Path,
    options: tuple[object, ...],
    status: int,
    words: str,
    *,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call(monkeypatch, photo, *options) == status
    assert words in capsys.readouterr().err
    assert [path.name for path in photo.parent.iterdir()] == ["cat.jpg"]
