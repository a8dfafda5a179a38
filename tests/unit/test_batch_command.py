"""`nssbg batch` as an operator meets it: words, exit codes, streams."""

import json
import os
import subprocess
import sys

import pytest
from batch_catalog import catalog, events, run

from nssbg.cli.main import main


def told(capsys, *arguments):
    """Exit code, stdout and stderr of the command in this process."""
    code = main(["batch", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture
def folders(tmp_path):
    catalog(tmp_path / "in", 3)
    return tmp_path / "in", tmp_path / "out"


def test_a_run_its_second_run_and_its_status(folders, capsys):
    source, out = folders
    code, said, _ = told(capsys, source, out, "--model", "studio", "--progress", "none")
    assert code == 0
    assert said.startswith("3 done, 0 failed in ")
    assert "pictures a second on" in said
    assert f"report: {out / 'report.html'}" in said
    code, said, _ = told(capsys, source, out, "--model", "studio", "--progress", "none")
    assert (code, said.partition(" in ")[0]) == (0, "0 done, 3 unchanged, 0 failed")
    code, said, _ = told(capsys, "status", out)
    assert code == 0
    assert said.startswith(f"{out}: 3 done, 0 failed; outputs take ")
    code, said, _ = told(capsys, "status", out, "--json")
    assert json.loads(said)["verdicts"] == {"pass": 3}
    code, said, _ = told(capsys, "report", out)
    assert code == 0
    assert "3 pass" in said


def test_failures_are_exit_code_8_and_lines_on_stderr(folders, capsys):
    source, out = folders
    (source / "bad.jpg").write_bytes(b"this is text")
    code, said, err = told(capsys, source, out, "--model", "studio", "--quiet")
    assert code == 8
    assert said == ""
    assert err == (
        f"nssbg: cannot read {source / 'bad.jpg'}: it is text; expected JPEG, PNG, WebP, TIFF, "
        "BMP, GIF, AVIF, HEIC or JPEG XL\n"
    )
    code, said, _ = told(capsys, "status", out)
    assert code == 8
    assert "bad.jpg: it is text" in said


def test_json_lines_hold_everything(folders, capsys):
    source, out = folders
    (source / "bad.jpg").write_bytes(b"")
    code, said, err = told(capsys, source, out, "--model", "studio", "--progress", "jsonl")
    assert code == 8
    assert err == ""
    rows = events(said)
    assert len(rows) == 4
    wanted = {
        "event", "status", "input", "input_sha256", "output", "output_sha256", "out_width",
        "out_height", "bytes", "confidence", "error", "verdict", "reasons", "plan", "timings",
        "fingerprint",
    }  # fmt: skip
    assert all(wanted <= set(row) for row in rows)
    assert [row["error"]["kind"] for row in rows if row["error"]] == ["ImageDecodeError"]
    (summary,) = events(said, "summary")
    assert (summary["done"], summary["failed"], summary["total"]) == (3, 1, 4)


def test_a_dry_run_says_what_and_how_long(folders, capsys):
    source, out = folders
    code, said, _ = told(capsys, source, out, "--model", "studio", "--dry-run")
    assert code == 0
    assert said.startswith("3 pictures: 3 to do, 0 unchanged\n")
    assert "MB of outputs; by 3 pictures that were tried" in said
    assert not out.exists()


def test_metrics_say_when_a_run_has_ended(folders, capsys, tmp_path):
    source, out = folders
    path = tmp_path / "m.prom"
    assert told(capsys, source, out, "--model", "studio", "--quiet", "--metrics", path)[0] == 0
    assert f'nssbg_batch_pictures{{out="{out}",status="done"}} 3' in path.read_text()
    assert f'nssbg_batch_running{{out="{out}"}} 0' in path.read_text()


def test_a_list_on_stdin(folders):
    source, out = folders
    done = subprocess.run(
        [
            *(sys.executable, "-m", "nssbg.cli.main", "batch", str(source), str(out)),
            *("--files-from", "-", "--model", "studio", "--quiet"),
        ],
        input=b"a/0/0000.jpg\0c/0/0002.jpg\0",
        timeout=60,
    )
    assert done.returncode == 0
    assert sorted(path.name for path in out.rglob("0*.png")) == ["0000.png", "0002.png"]
    again = run("retry", out)
    assert again.returncode == 2
    assert "its list came from stdin" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["IN"], 2, "takes SRC... and OUT"),
        (["status"], 2, "takes the output folder"),
        (["status", "IN"], 1, "no batch was ever run"),
        (["report", "IN"], 1, "no batch was ever run"),
        (["retry", "IN"], 2, "give the sources again"),
        (["nope", "OUT"], 2, "there is no such file"),
        (["IN", "IN"], 2, "the output folder itself"),
        (["IN", "OUT", "--profile", "nope"], 2, "no profile is called"),
        (["IN", "OUT", "--name", "{what}.png"], 2, "{what}"),
        (["IN", "OUT", "--name", "same.png"], 2, "the same for all pictures"),
        (["IN", "OUT", "--name", "../{stem}.png"], 2, "leads out of the output folder"),
        (["IN", "OUT", "--files-from", "nope.txt"], 2, "cannot read the list nope.txt"),
        (["IN", "OUT", "--model", "nope"], 5, "nope"),
    ],
)
def test_wrong_use_is_one_clear_line(arguments, code, words, folders, capsys):
    source, out = folders
    given = [{"IN": str(source), "OUT": str(out)}.get(one, one) for one in arguments]
    found, _, err = told(capsys, *given)
    assert found == code
    assert words in err
    assert err.count("\n") == 1
    assert not list(source.rglob("*.png"))


@pytest.mark.skipif(os.name == "nt", reason="a full device of POSIX systems")
def test_json_lines_that_cannot_be_said_are_an_error(folders):
    source, out = folders
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        done = subprocess.run(
            [
                *(sys.executable, "-c", "from nssbg.cli.entry import command; command()"),
                *("batch", str(source), str(out), "--model", "studio", "--progress", "jsonl"),
            ],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
        )
    assert done.returncode == 4
    assert b"cannot write to stdout" in done.stderr
    assert len(list(out.rglob("0*.png"))) == 3  # the pictures are there all the same
