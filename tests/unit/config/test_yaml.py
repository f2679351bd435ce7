"""The YAML reader: what stays as written, what is refused, and where it says so."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqd_core.config.document import Place
from mqd_core.config.yaml import MAXIMUM_BYTES, MAXIMUM_DEPTH, parse_yaml, read_yaml
from mqd_core.errors import ConfigError, ConfigSyntaxError

#: Every character that may stand in a configuration's text.
PRINTABLE = st.characters(
    exclude_categories=("Cc", "Cs"),
    exclude_characters="\u2028\u2029\ufeff\ufffe\uffff"
    + "".join(map(chr, [*range(0x202A, 0x202F), *range(0x2066, 0x206A)])),
)
KEYS = st.text(PRINTABLE, min_size=1, max_size=20).filter(str.strip)
TREES = st.recursive(
    st.none() | st.text(PRINTABLE, max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


def refusal(text: str) -> str:
    with pytest.raises(ConfigSyntaxError) as refused:
        parse_yaml(text, Path("c.yaml"))
    return "\n".join(refused.value.problems)


@pytest.mark.parametrize(
    "written",
    ["ON", "NO", "yes", "true", "15:55", "12:30:00", "010", "1_000", "1e3", ".inf", ".nan", "0x1F", "2025-01-19"],
)
def test_a_scalar_stays_the_text_that_was_written(written: str) -> None:
    """What YAML 1.1 would turn into a flag, a number or a date stays text."""
    assert parse_yaml(f"key: {written}\nlist: [{written}]").content == {"key": written, "list": [written]}


@pytest.mark.parametrize("written", ["", "~", "null", "Null", "NULL"])
def test_null_is_none(written: str) -> None:
    """The ways to write nothing read as None, and only without quotes."""
    assert parse_yaml(f"a: {written}\nb: 'null'\nc: ''").content == {"a": None, "b": "null", "c": ""}


@given(st.dictionaries(KEYS, TREES, min_size=1, max_size=5))
def test_whatever_json_can_say_is_read_back_unchanged(tree: dict[str, object]) -> None:
    """JSON is YAML: any tree of texts comes back as it was, with a place for each of its keys and items."""
    document = parse_yaml(json.dumps(tree, ensure_ascii=False))

    assert document.content == tree
    assert all(document.value(path) is not None or path for path in document.places)
    assert len(document.places) == 1 + count_of_nodes(tree)


def count_of_nodes(node: object) -> int:
    if isinstance(node, dict):
        return len(node) + sum(count_of_nodes(inner) for inner in node.values())
    if isinstance(node, list):
        return len(node) + sum(count_of_nodes(inner) for inner in node)
    return 0


@given(st.text(max_size=200) | st.text(alphabet="ab:-#[]{},'\"|>&*!%@ \n\t\\xu0", max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Whatever the file holds, the outcome is a mapping or a ConfigSyntaxError with a place."""
    problems: list[str] = []
    content: object = None
    try:
        content = parse_yaml(text, Path("c.yaml")).content
    except ConfigSyntaxError as error:
        problems = error.problems

    assert isinstance(content, dict) != bool(problems)
    assert all(re.match(r"c\.yaml:\d+:\d+: ", line) for line in problems)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    """Whatever bytes a file holds, the outcome is a mapping or a ConfigSyntaxError."""
    file = tmp_path_factory.getbasetemp() / "bytes.yaml"
    file.write_bytes(data)
    problems: list[str] = []
    content: object = None
    try:
        content = read_yaml(file).content
    except ConfigSyntaxError as error:
        problems = error.problems

    assert isinstance(content, dict) != bool(problems)


def test_places_are_those_of_keys_and_items() -> None:
    """Lines and columns count from 1, in block and in flow style."""
    document = parse_yaml("a:\n  b: 1\nc: [x, {d: y}]\n\ne:\n- f\n", Path("c.yaml"))

    assert document.place(("a", "b")) == Place(2, 3)
    assert document.place(("c", 1)) == Place(3, 8)
    assert document.place(("c", 1, "d")) == Place(3, 9)
    assert document.place(("e", 0)) == Place(6, 3)
    assert document.locate(("a", "unwritten", "deeper")) == "c.yaml:1:1"


def test_a_byte_order_mark_at_the_start_is_passed_over(tmp_path: Path) -> None:
    """Windows editors write a BOM; places count as if it were not there."""
    file = tmp_path / "bom.yaml"
    file.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")

    document = read_yaml(file)

    assert document.content == {"a": "1", "b": "2"}
    assert document.place(("a",)) == Place(1, 1)
    assert document.place(("b",)) == Place(2, 1)


def test_both_places_of_a_duplicate_key_are_named() -> None:
    """A key that is set twice is refused wherever it is, and each of several is named."""
    said = refusal("risk:\n  limit: 50\n  limit: 5000\ndesk: {id: a, id: b}\nrisk: 1\n")

    assert said.splitlines() == [
        "c.yaml:3:3: risk.limit: is already set at c.yaml:2:3; keep one of the two",
        "c.yaml:4:15: desk.id: is already set at c.yaml:4:8; keep one of the two",
        "c.yaml:5:1: risk: is already set at c.yaml:1:1; keep one of the two",
    ]


def test_tags_anchors_and_aliases_are_refused_together_without_their_names() -> None:
    """A secret may start with one of these signs, so that the text behind them is not repeated."""
    said = refusal("a: &Hunter2 1\nb: *Hunter2\nc: !Hunter2 x\nd: !!python/name:os.system x\n")

    assert [line.split(":")[1] for line in said.splitlines()] == ["1", "2", "3", "4"]
    assert "Hunter2" not in said
    assert "anchor" in said
    assert "alias" in said
    assert "tag" in said


def test_an_alias_bomb_is_refused_at_its_first_anchor() -> None:
    """Nothing is expanded: the anchors themselves are the fault."""
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 9))

    assert "c.yaml:1:5: '&' starts an anchor" in refusal("l0: &l0 [x]\n" + levels)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "c.yaml:1:1: the file holds no configuration; `mqd init` writes one"),
        ("# nothing\n", "c.yaml:1:1: the file holds no configuration"),
        ("null\n", "c.yaml:1:1: the file holds no configuration"),
        ("- a\n- b\n", "c.yaml:1:1: a list was read at the top"),
        ("text\n", "c.yaml:1:1: a single text was read at the top"),
        ("a:\n\tb: 1\n", "c.yaml:2:1: a tab was read"),
        ("a: 'x\n", "a quoted text is not closed"),
        ("a: b: c\n", "c.yaml:1:5: a ':' stands where none may"),
        ("a: 1\nb\n", "c.yaml:"),
        ("a: @x\n", "c.yaml:1:4: a text may not start with this character"),
        ("a: {b: ${X}}\n", "c.yaml:1:9: a '{' stands where none may; inside braces write a reference in quotes"),
        ("a: [1, 2\nb: 3\n", "c.yaml:"),
        ("%YAML 1.1\n---\na: on\n", "directives such as %YAML may not be used"),
        ("a: 1\n---\nb: 2\n", "c.yaml:2:1: a second document starts here"),
        ("? [a, b]\n: c\n", "c.yaml:1:3: a key must be a plain word"),
        ("{a: 1}: 2\n", "c.yaml:1:1: a key must be a plain word"),
        ("'': 2\n", "c.yaml:1:1: a key must be a plain word"),
        ("a: \x07\n", "c.yaml:1:4: the character U+0007"),
        ("a: 1\nb: \u202egnp.x\n", "c.yaml:2:4: the character U+202E"),
        ("a: x\ufeff\n", "c.yaml:1:5: the character U+FEFF"),
        ('a: "\\u202e"\n', "c.yaml:1:4: the text holds the character U+202E"),
        ('a: "\\ud800"\n', "c.yaml:1:4: the text holds the character U+D800"),
        ('"a\\0": 1\n', "c.yaml:1:1: the text holds the character U+0000"),
        ('a: "\\UFFFFFFFF"\n', "c.yaml:1:1: "),
    ],
)
def test_what_is_not_plain_yaml_is_refused_at_its_place(text: str, said: str) -> None:
    """Each slip has a sentence that says what to do, at the line and column of the slip."""
    assert said in refusal(text)
    assert "got" not in refusal(text)


def test_depth_is_limited() -> None:
    """Sixteen levels are read, a seventeenth is refused where it opens."""
    assert parse_yaml("a: " + "[" * (MAXIMUM_DEPTH - 1) + "]" * (MAXIMUM_DEPTH - 1)).content
    assert "c.yaml:1:19: more than 16 levels" in refusal("a: " + "[" * 100_000)


def test_size_is_limited(tmp_path: Path) -> None:
    """A file of 256 KiB is read, one byte more is refused unread."""
    file = tmp_path / "big.yaml"
    file.write_bytes(b"a: " + b"x" * (MAXIMUM_BYTES - 3))
    assert read_yaml(file).content

    file.write_bytes(b"a: " + b"x" * (MAXIMUM_BYTES - 2))
    with pytest.raises(ConfigSyntaxError, match="larger than 256 KiB"):
        read_yaml(file)


def test_what_is_not_utf8_is_refused_with_its_line(tmp_path: Path) -> None:
    """A file in another encoding names the line to look at."""
    file = tmp_path / "latin.yaml"
    file.write_bytes(b"a: 1\nb: caf\xe9\n")
    with pytest.raises(ConfigSyntaxError, match=r"latin\.yaml:2: the text is not UTF-8; save the file as UTF-8"):
        read_yaml(file)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    """Naming a folder says so, not that permission was denied."""
    with pytest.raises(ConfigError, match="is a folder; name a configuration file with --config"):
        read_yaml(tmp_path)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_refused(tmp_path: Path) -> None:
    """The system's own reason is passed on."""
    file = tmp_path / "closed.yaml"
    file.write_text("a: 1\n", encoding="utf-8")
    file.chmod(0)
    with pytest.raises(ConfigError, match="could not be read: Permission denied"):
        read_yaml(file)
