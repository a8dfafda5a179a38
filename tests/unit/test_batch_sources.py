"""Which pictures a batch finds: folders, globs, lists, and all that can lie among them."""

import io
import os
import sys
from pathlib import Path

import pytest

from nssbg import OptionError
from nssbg.batch.sources import Item, Problem, listed, scan

posix = pytest.mark.skipif(os.name == "nt", reason="names and links of POSIX systems")


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def found(*sources, **options):
    return [
        (Path(one.path).name, one.dir) if isinstance(one, Item) else one
        for one in scan(sources, **options)
    ]


def test_a_folder_is_walked_in_a_fixed_order_and_mirrored(tmp_path):
    touch(tmp_path, "b.jpg", "a.PNG", "z/2.webp", "z/1.jpg", "c/d/e.tif", "notes.txt", "c/x.json")
    expected = [
        ("a.PNG", ""), ("b.jpg", ""), ("e.tif", "c/d"), ("1.jpg", "z"), ("2.webp", "z"),
    ]  # fmt: skip
    assert found(tmp_path) == expected
    assert found(f"{tmp_path}/") == expected


def test_it_is_walked_lazily(tmp_path):
    touch(tmp_path, "a/1.jpg", "b/1.jpg")
    items = scan([tmp_path])
    assert next(items).dir == "a"
    touch(tmp_path, "b/2.jpg")  # b was not looked into yet
    assert [item.dir for item in items] == ["b", "b"]


def test_hidden_and_partial_files_are_left_out(tmp_path):
    touch(
        tmp_path, "1.jpg", ".hidden.jpg", "._1.jpg", ".git/2.jpg", "3.jpg.part", "4.jpg.crdownload",
        ".5.jpg.Ab3dE", ".1.png.nssbg-0123abcd-77-0123abcd.part", ".nssbg/rejected/6.jpg",
    )  # fmt: skip
    assert found(tmp_path) == [("1.jpg", "")]


def test_include_and_exclude(tmp_path):
    touch(tmp_path, "a/1.jpg", "a/1-back.jpg", "b/1.jpg", "b/1.dat", "old/2.jpg")
    assert found(tmp_path, include=["*-back.jpg"]) == [("1-back.jpg", "a")]
    assert found(tmp_path, include=["b/*"]) == [("1.dat", "b"), ("1.jpg", "b")]
    assert found(tmp_path, exclude=["old", "*-back.*"]) == [("1.jpg", "a"), ("1.jpg", "b")]
    assert found(tmp_path, include=["*.jpg"], exclude=["a/*", "old/"]) == [("1.jpg", "b")]


def test_a_folder_named_as_a_picture_is_a_folder(tmp_path):
    touch(tmp_path, "x.jpg/1.png")
    assert found(tmp_path) == [("1.png", "x.jpg")]
    assert found(tmp_path / "x.jpg") == [("1.png", "")]


def test_the_output_folder_is_not_read_back(tmp_path):
    touch(tmp_path, "1.jpg", "out/1.png", "out/deep/2.png")
    assert found(tmp_path, output=tmp_path / "out") == [("1.jpg", "")]
    assert found(f"{tmp_path}/**/*", output=tmp_path / "out") == [("1.jpg", "")]
    with pytest.raises(OptionError, match="the output folder itself"):
        found(tmp_path / "out", output=tmp_path / "out")


@posix
def test_the_output_folder_under_another_name_is_not_read_back(tmp_path):
    touch(tmp_path, "1.jpg", "real/1.png")
    (tmp_path / "out").symlink_to("real")
    assert found(tmp_path, output=tmp_path / "out") == [("1.jpg", "")]


@posix
def test_links_are_followed_but_not_in_circles(tmp_path):
    touch(tmp_path, "a/1.jpg", "elsewhere/2.jpg")
    (tmp_path / "a/up").symlink_to("..")
    (tmp_path / "a/self.jpg").symlink_to("self.jpg")
    (tmp_path / "a/gone.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "a/other").symlink_to("../elsewhere")
    made = found(tmp_path / "a")
    items = [one for one in made if isinstance(one, tuple)]
    assert items == [("1.jpg", ""), ("2.jpg", "other")] or ("1.jpg", "up/elsewhere") not in items
    problems = {Path(one.path).name: one for one in made if isinstance(one, Problem)}
    assert "No such file" in problems["gone.jpg"].message
    assert problems["gone.jpg"].status == "failed"
    assert "symbolic links" in problems["self.jpg"].message
    loops = [one for one in made if isinstance(one, Problem) and one.kind == "loop"]
    assert loops
    assert loops[0].status == "skipped"


@posix
def test_what_is_no_regular_file_is_told_of(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    (problem,) = found(tmp_path)
    assert "it is a FIFO" in problem.message
    (problem,) = found(tmp_path / "pipe.jpg")
    assert problem.status == "failed"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may look into anything")
def test_an_unreadable_folder_is_told_of(tmp_path):
    touch(tmp_path, "a/1.jpg", "shut/2.jpg")
    (tmp_path / "shut").chmod(0)
    try:
        item, problem = found(tmp_path)
    finally:
        (tmp_path / "shut").chmod(0o700)
    assert item == ("1.jpg", "a")
    assert "cannot look into" in problem.message
    assert "Permission denied" in problem.message


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes")
def test_names_of_any_bytes(tmp_path):
    odd = [b"new\nline.jpg", b"not-utf8-\xff.jpg", b"tab\t.jpg", b"-rf.jpg", b"[1].jpg"]
    for name in odd:
        (tmp_path / os.fsdecode(name)).write_bytes(b"x")
    assert sorted(os.fsencode(name) for name, _ in found(tmp_path)) == sorted(odd)
    # A name that looks like a pattern is a name where there is such a file.
    assert found(tmp_path / "[1].jpg") == [("[1].jpg", "")]


def test_globs_mirror_what_has_wildcards(tmp_path):
    touch(tmp_path, "s/a/1.jpg", "s/b/2.jpg", "s/b/n.txt", "s/c/d/3.jpg")
    assert found(f"{tmp_path}/s/*/*.jpg") == [("1.jpg", "a"), ("2.jpg", "b")]
    assert ("3.jpg", "c/d") in found(f"{tmp_path}/s/**")
    with pytest.raises(OptionError, match="no picture matches"):
        found(f"{tmp_path}/s/*.gif")


def test_missing_sources_are_errors(tmp_path):
    with pytest.raises(OptionError, match=r"nope: there is no such file or folder"):
        found(tmp_path / "nope")
    with pytest.raises(OptionError, match="null character"):
        found("a\0b")


def test_a_file_is_taken_whatever_its_suffix(tmp_path):
    touch(tmp_path, "photo")
    assert found(tmp_path / "photo") == [("photo", "")]


def from_list(folder, name, data):
    path = folder / name
    path.write_bytes(data)
    return list(listed(str(path), base=str(folder)))


def test_plain_lists(tmp_path):
    touch(tmp_path, "a/1.jpg", "2.jpg")
    items = from_list(tmp_path, "list.txt", b"a/1.jpg\r\n\n2.jpg")
    assert [(item.path, item.dir) for item in items] == [
        (str(tmp_path / "a/1.jpg"), "a"),
        (str(tmp_path / "2.jpg"), ""),
    ]
    touch(tmp_path, "b/new\nline.jpg" if os.name != "nt" else "b/line.jpg")
    if os.name != "nt":
        (item,) = from_list(tmp_path, "list.0", b"b/new\nline.jpg\0")
        assert item.dir == "b"
    missing, folder = from_list(tmp_path, "l", b"gone.jpg\na\n")
    assert "No such file" in missing.message
    assert "it is a folder" in folder.message


def test_absolute_and_upward_paths_of_a_list_go_to_the_top(tmp_path):
    touch(tmp_path, "base/x", "other/1.jpg")
    data = f"{tmp_path}/other/1.jpg\n../other/1.jpg\n".encode()
    (tmp_path / "base/l").write_bytes(data)
    items = list(listed(str(tmp_path / "base/l"), base=str(tmp_path / "base")))
    assert [item.dir for item in items] == ["", ""]


def test_csv_and_jsonl_carry_options(tmp_path):
    touch(tmp_path, "1.jpg", "2.jpg")
    for data in (
        "\ufeffpath,sku,background\n1.jpg,A-1,#eee\n2.jpg,,\n",
        "path;sku;background\r\n1.jpg;A-1;#eee\r\n2.jpg;;\r\n",
    ):
        one, two = from_list(tmp_path, "list.csv", data.encode())
        assert (one.sku, one.background) == ("A-1", "#eee")
        assert (two.sku, two.background, two.profile) == ("", None, None)
    one, two = from_list(
        tmp_path, "list.jsonl", b'{"path": "1.jpg", "profile": "ebay"}\n\n{"path": "2.jpg"}\n'
    )
    assert (one.profile, two.profile) == ("ebay", None)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("l.csv", b"file,sku\n1.jpg,2\n", "line 1: unknown column 'file'"),
        ("l.csv", b"sku,profile\n1,2\n", "line 1: there is no column path"),
        ("l.csv", b"path,sku\n1.jpg\n", "line 2: expected 2 columns"),
        ("l.csv", b"path,sku\n1.jpg,2,3\n", "line 2: expected 2 columns"),
        ("l.csv", b"path,sku\n,2\n", "line 2: there is no path"),
        ("l.csv", b"path,sku\n\xff,2\n", "no UTF-8"),
        ("l.jsonl", b'{"path": "1.jpg"}\n{"path": \n', "line 2: no JSON"),
        ("l.jsonl", b"[1]\n", "line 1: expected an object"),
        ("l.jsonl", b'{"path": 3}\n', "path must be text"),
        ("l.jsonl", b'{"path": "a\\u0000"}\n', "path must be text"),
        ("l.jsonl", b"[" * 100_000, "line 1: no JSON"),
    ],
)
def test_malformed_lists_name_the_line(name, data, words, tmp_path):
    touch(tmp_path, "1.jpg")
    with pytest.raises(OptionError, match=words):
        from_list(tmp_path, name, data)


def test_lists_on_stdin_are_told_by_their_first_line(tmp_path):
    touch(tmp_path, "1.jpg")
    for data in (b"1.jpg\n", b"path,sku\n1.jpg,A\n", b'{"path": "1.jpg"}\n', b"1.jpg\0"):
        (item,) = listed("-", base=str(tmp_path), stdin=io.BytesIO(data))
        assert item.path == str(tmp_path / "1.jpg")
    with pytest.raises(OptionError, match="cannot read the list"):
        list(listed(str(tmp_path / "nope.txt")))
