"""Tables and archives: what a header is, what a label is, and which line is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chainrule.data import Dataset, load
from chainrule.errors import ArgumentError, DataError

IRIS = "length,width,kind\n5.1,3.5,setosa\n4.9,3.0,setosa\n6.3,3.3,virginica\n5.8,2.7,virginica\n"


def table(tmp_path: Path, text: str, name: str = "iris.csv", encoding: str = "utf-8") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding=encoding)
    return path


def train(path: Path, **options: object):
    return load(path, validation=0, test=0, **options).train


@pytest.mark.parametrize(
    "text",
    [
        IRIS,
        IRIS.partition("\n")[2],
        IRIS.replace(",", ";"),
        IRIS.replace(",", "\t"),
        IRIS.replace("\n", "\r\n") + "\n\n",
        IRIS.replace(",", ", "),
        IRIS.replace("setosa", '"setosa"'),
        "\ufeff" + IRIS,
        IRIS.replace("\n", ",\n"),
        IRIS.replace("a\n", "a,,\n"),
    ],
    ids=["header", "no header", "semicolon", "tab", "crlf", "spaces", "quotes", "bom", "comma", "commas"],
)
def test_the_ways_tables_are_written(tmp_path, text):
    data = train(table(tmp_path, text))
    assert data.x.dtype == np.float32
    np.testing.assert_allclose(data.x, [[5.1, 3.5], [4.9, 3], [6.3, 3.3], [5.8, 2.7]], rtol=1e-7)
    assert data.classes == ("setosa", "virginica") and data.y.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("text", "options", "rows"),
    [
        ("1,2,0\n3,4,1\n5,6,0\n", {}, 3),
        ("0,1,label\n1,2,0\n3,4,1\n", {}, 2),
        ("0,1,2\n1,2,0\n3,4,1\n", {"header": True}, 2),
        ("a,b,c\n1,2,x\n3,4,y\n", {"header": None}, 2),
        ("1,2,b\n3,4,a\n", {}, 2),
        ("1e3,-.5,b\n+3,4,a\n", {}, 2),
    ],
)
def test_a_header_is_told_by_its_words(tmp_path, text, options, rows):
    assert len(train(table(tmp_path, text), **options)) == rows


@pytest.mark.parametrize("label", ["kind", 0, -3])
def test_the_label_may_be_any_column(tmp_path, label):
    text = "kind,a,b\nx,1,2\ny,3,4\n"
    data = train(table(tmp_path, text), label=label)
    assert data.classes == ("x", "y") and data.x.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("labels", "classes", "y"),
    [
        ("3 1 3", ("1", "3"), [1, 0, 1]),
        ("10 9 10", ("9", "10"), [1, 0, 1]),
        ("1.0 2.0 1.0", ("1", "2"), [0, 1, 0]),
        ("-1 1 1", ("-1", "1"), [0, 1, 1]),
        ("yes no yes", ("no", "yes"), [1, 0, 1]),
        ("猫 犬 猫", ("犬", "猫"), [1, 0, 1]),
    ],
)
def test_whole_numbers_and_words_are_classes(tmp_path, labels, classes, y):
    text = "".join(f"{row},{label}\n" for row, label in enumerate(labels.split()))
    data = train(table(tmp_path, text))
    assert (data.classes, data.y.tolist()) == (classes, y)


def test_targets_are_numbers_only_when_asked(tmp_path):
    path = table(tmp_path, "size,price\n1,10.5\n2,20.25\n3,31\n")
    with pytest.raises(DataError, match="column 'price': the labels are numbers but not whole") as caught:
        load(path)
    assert 'task="regression"' in caught.value.hint
    data = train(path, task="regression")
    assert data.y.tolist() == [10.5, 20.25, 31] and data.classes == () and data.y.dtype == np.float32
    assert (
        len(load(table(tmp_path, "".join(f"{k},{k / 2}\n" for k in range(50))), task="regression").parts) == 3
    )
    with pytest.raises(DataError, match="column 'x'"):
        load(table(tmp_path, IRIS.replace("kind", "x")), task="regression")
    with pytest.raises(DataError, match="all 30 labels are different"):
        load(table(tmp_path, "".join(f"{k},{k * 7}\n" for k in range(30))))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the table is empty"),
        ("\n\n", "the table is empty"),
        ("a,b,kind\n", "header but no lines of data"),
        ("a\n1\n2\n", "only one column"),
        (IRIS.replace("4.9,3.0", "4.9"), "line 3: 2 columns where the first line has 3"),
        (IRIS.replace("4.9", "tall"), "line 3, column 'length': 'tall' is not a number"),
        (IRIS.replace("4.9", ""), "line 3, column 'length': the value is missing"),
        (IRIS.replace("4.9", "NaN"), "line 3, column 'length': the value is missing"),
        (IRIS.replace("4.9", "inf"), "line 3, column 'length': 'inf' does not fit"),
        (IRIS.replace("4.9", "1e99"), "line 3, column 'length': '1e99' does not fit"),
        (IRIS.replace("setosa", "").replace("virginica", ""), "line 2, column 'kind': the value is missing"),
        (IRIS.replace("4.9,3.0,setosa", "4.9,3.0,"), "line 3, column 'kind': the value is missing"),
        (IRIS.replace("virginica", "setosa"), "column 'kind': only one class, 'setosa'"),
        ('a,b\n"1,2\n', "not a table"),
    ],
)
def test_wrong_tables_name_line_and_column(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        load(table(tmp_path, text))


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"label": "kinds"}, DataError, "no columns are called 'kinds'"),
        ({"label": 7}, DataError, "label column 7 of a table with 3 columns"),
        ({"task": "ranking"}, ArgumentError, "task must be"),
        ({"lable": "kind"}, ArgumentError, "no option 'lable'"),
        ({"size": 64}, ArgumentError, "no option 'size'"),
        ({"test": 1}, ArgumentError, "fraction test"),
    ],
)
def test_wrong_options_for_tables(tmp_path, options, kind, message):
    with pytest.raises(kind, match=message):
        load(table(tmp_path, IRIS), **options)


def test_decimal_commas_are_told_from_words(tmp_path):
    for cell, hint in (("4,9", "with a point"), ("tall", "write words as numbers")):
        text = IRIS.replace(",", ";").replace("4.9", cell)
        with pytest.raises(DataError, match=f"is not a number(.|\n)*{hint}"):
            load(table(tmp_path, text))


def test_text_in_another_encoding_is_told(tmp_path):
    with pytest.raises(DataError, match=r"not text in UTF-8(.|\n)*save the table as UTF-8"):
        load(table(tmp_path, IRIS.replace("setosa", "sé"), encoding="latin-1"))
    (tmp_path / "nul.csv").write_bytes(b"\x00\x01,\x02\n")
    with pytest.raises(DataError):
        load(tmp_path / "nul.csv")


def archive(tmp_path: Path, **arrays: object) -> Path:
    path = tmp_path / "data.npz"
    np.savez(path, **{key: np.asarray(value) for key, value in arrays.items()})
    return path


IMAGES = np.arange(6 * 3 * 4, dtype=np.uint8).reshape(6, 3, 4)
LABELS = [0, 1, 0, 1, 2, 2]


def test_archives_hold_splits_and_names(tmp_path):
    path = archive(
        tmp_path,
        x=IMAGES,
        y=LABELS,
        classes=["a", "b", "c"],
        x_test=IMAGES[:2],
        y_test=LABELS[:2],
        note=["hi"],
    )
    splits = load(path, validation=0)
    assert splits.classes == ("a", "b", "c") and splits.train.x.shape == (6, 1, 3, 4)
    assert splits.train.x.dtype == np.uint8 and splits.test is not None and len(splits.test) == 2
    assert splits.notes == ("data.npz: not used: note",)


def test_labels_of_archives_are_words_numbers_or_targets(tmp_path):
    x = np.ones((6, 2))
    words = load(archive(tmp_path, x=x, y=list("bababa"), x_test=x[:1], y_test=["b"]), validation=0)
    assert words.classes == ("a", "b") and words.test is not None and words.test.y.tolist() == [1]
    assert train(archive(tmp_path, x=x, y=[5, 5, 7, 7, 5, 7])).classes == ("5", "7")
    targets = train(archive(tmp_path, x=x, y=np.ones((6, 2))), task="regression")
    assert targets.y.shape == (6, 2) and targets.x.dtype == np.float32


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"y": LABELS}, "the archive has no 'x'"),
        ({"x_train": IMAGES, "y_train": LABELS}, "the archive has no 'x'"),
        ({"x": IMAGES, "y": LABELS, "x_test": IMAGES}, "x_test and y_test must come together"),
        ({"x": IMAGES, "y": LABELS[:3]}, "x has 6 samples but y has 3"),
        ({"x": np.zeros((6, 8, 8, 3)), "y": LABELS}, "images must be"),
        ({"x": IMAGES, "y": np.eye(6)}, "labels must be one number or word"),
        ({"x": IMAGES, "y": LABELS, "classes": ["a", "b"]}, "label 2 is outside 0..1"),
        (
            {"x": IMAGES, "y": LABELS, "x_test": IMAGES, "y_test": [9] * 6},
            "label '9' is not among the classes",
        ),
        ({"x": IMAGES, "y": LABELS, "x_test": IMAGES[:, :2], "y_test": LABELS}, "test does not fit train"),
        ({"x": np.array([{}] * 6, object), "y": LABELS}, "not an archive of plain arrays"),
        ({"x": np.array([["a"]] * 6), "y": LABELS}, "samples must be numbers"),
        ({"x": np.float32([[1], [np.nan]]), "y": [0, 1]}, "not finite"),
        ({"x": IMAGES, "y": np.float64([0.5] * 6)}, "not whole"),
        ({"x": IMAGES, "y": np.float64([0, 1, 0, np.nan, 1, 1])}, "nan or infinite, first in sample 3"),
        ({"x": IMAGES, "y": ["0", "1", "nan", "1", "0", "1"]}, "nan or infinite, first in sample 2"),
        ({"x": np.full((4, 2), -1e300), "y": [0, 1, 0, 1]}, r"x: 1e\+300 does not fit a float32"),
    ],
)
def test_wrong_archives_say_what_is_wrong(tmp_path, arrays, message):
    with pytest.raises(DataError, match=message):
        load(archive(tmp_path, **arrays))


@pytest.mark.parametrize(
    ("y", "hint"),
    [(np.zeros((6, 1), int), "y.reshape(-1)"), (np.eye(6), "one-hot rows become labels by y.argmax(axis=1)")],
)
def test_a_column_of_labels_is_not_told_to_be_one_hot(tmp_path, y, hint):
    with pytest.raises(DataError) as archived:
        load(archive(tmp_path, x=IMAGES, y=y))
    with pytest.raises(DataError) as given:
        Dataset(IMAGES, y.astype(int))
    assert archived.value.hint.startswith(hint) and given.value.hint == hint


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 nonsense", b"plain text"])
def test_damaged_archives_are_named(tmp_path, data):
    (tmp_path / "bad.npz").write_bytes(data)
    with pytest.raises(DataError, match=r"^bad\.npz: ") as caught:
        load(tmp_path / "bad.npz")
    assert "pickle" not in str(caught.value)
    good = archive(tmp_path, x=IMAGES, y=LABELS).read_bytes()
    (tmp_path / "bad.npz").write_bytes(good[: len(good) // 2])
    with pytest.raises(DataError, match=r"^bad\.npz: "):
        load(tmp_path / "bad.npz")


@pytest.mark.parametrize(
    ("name", "kind", "message", "hint"),
    [
        ("minst", DataError, "no data set and no path is called 'minst'", "'mnist'"),
        ("cifar100", DataError, "'cifar100'", "'cifar10'"),
        ("photographs", DataError, "'photographs'", "or the path of a folder of images"),
        ("./iris.cvs", DataError, "nothing lies at the path", ""),
        ("no/such/folder", DataError, "nothing lies at the path", "there is no folder"),
        ("iris.pkl", DataError, "nothing lies", ""),
        ("", ArgumentError, "the name is empty", "digits"),
        (3, ArgumentError, "needs a name or a path, got int", ""),
        ("a\0b", DataError, "no data set", ""),
        ("x" * 5000, DataError, "too long", ""),
    ],
)
def test_what_is_not_there_is_told_with_what_is(name, kind, message, hint):
    with pytest.raises(kind, match=message) as caught:
        load(name)
    assert hint in caught.value.hint


def test_a_misspelt_path_gets_its_neighbour_as_hint(tmp_path):
    table(tmp_path, IRIS)
    with pytest.raises(DataError) as caught:
        load(tmp_path / "irs.csv")
    assert "'iris.csv'" in caught.value.hint
    with pytest.raises(DataError, match="no known kind"):
        load(table(tmp_path, "x", "notes.md"))


def test_a_folder_called_like_a_data_set_is_reached_by_its_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "spiral").mkdir()
    with pytest.raises(DataError, match="no images"):
        load("./spiral")
    assert load("spiral").name == "spiral"
