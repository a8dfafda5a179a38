"""Comparing two runs of `nssbg bench`: its level on simulated noise, power and words."""

from __future__ import annotations

import copy
import json
import math

import numpy as np
import pytest

from nssbg._errors import OptionError
from nssbg.bench.comparison import compare, compare_rounds, holm, permutation_p, slower_than
from nssbg.bench.document import SCHEMA, read_document


def test_the_permutation_test_counts_every_relabelling():
    # All of one side below all of the other: 2 of C(6, 3) relabellings are as extreme.
    assert permutation_p([1, 2, 3], [4, 5, 6]) == pytest.approx(2 / 20)
    assert permutation_p([4, 5, 6], [1, 2, 3]) == pytest.approx(2 / 20)
    assert permutation_p([1, 1, 1], [1, 1, 1]) == 1
    assert permutation_p([], [1.0]) == 1


def test_drawn_relabellings_come_to_the_same_as_all_of_them():
    random = np.random.default_rng(0)
    first = random.normal(0, 1, 30).tolist()
    second = random.normal(0.1, 1, 30).tolist()  # C(60, 30) relabellings: drawn
    ranks = np.argsort(np.argsort([*first, *second])) + 1
    spread = math.sqrt(30 * 30 * 61 / 12)
    z = abs(ranks[:30].sum() - 30 * 61 / 2) / spread
    assert permutation_p(first, second) == pytest.approx(math.erfc(z / math.sqrt(2)), rel=0.1)


def test_holms_correction_on_a_known_example():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def noise(random, rounds, *, level=1.0, drift=0.0, burst=0.0):
    """Times of a yardstick and of a candidate over rounds that share what the machine did."""
    shared = np.exp(drift + np.cumsum(random.normal(0, 0.01, rounds)))
    shared = shared * (1 + burst * (random.uniform(0, 1, rounds) < 0.15))
    own = np.exp(random.normal(0, 0.05, (2, rounds)))
    return list(level * shared * own[0]), list(shared * own[1])


def family(random, count, rounds, **after):
    pairs = []
    for _ in range(count):
        before, yard_before = noise(random, rounds, burst=1.0)
        later, yard_later = noise(random, rounds, burst=1.0, **after)
        pairs.append((before, later, yard_before, yard_later))
    return pairs


@pytest.mark.parametrize("drift", [0.0, 0.3], ids=["the same machine", "a machine 35 % slower"])
def test_equal_versions_alarm_no_more_often_than_is_said(drift):
    random = np.random.default_rng(5)
    rate, families = 0.1, 200
    alarms = 0
    for _ in range(families):
        changes = compare_rounds(family(random, 6, 8, drift=drift), error_rate=rate)
        alarms += any(change.verdict in ("slower", "faster") for change in changes)
    # Three standard deviations above the bound; the bound itself is what is promised.
    assert alarms <= families * rate + 3 * math.sqrt(families * rate * (1 - rate))


def test_a_version_that_is_a_third_slower_is_found():
    random = np.random.default_rng(6)
    found = [
        compare_rounds(family(random, 3, 12, level=1.35))[0].verdict == "slower" for _ in range(40)
    ]
    assert sum(found) >= 32


def test_few_rounds_say_that_they_cannot_tell():
    random = np.random.default_rng(7)
    (change,) = compare_rounds(family(random, 1, 3, level=5.0))
    assert change.verdict == "too few rounds"


def document(scale=1.0, *, seed=0, rounds=12, names=("a", "b"), yard=1.0):
    random = np.random.default_rng(seed)

    def result(name, level):
        samples = (level * np.exp(random.normal(0, 0.02, (rounds, 3)))).tolist()
        return {
            "id": name,
            "samples_ms": samples,
            "yardstick_ms": (yard * np.exp(random.normal(0, 0.01, rounds))).tolist(),
            "noisy": [],
        }

    return {
        "schema": SCHEMA,
        "machine": {"fingerprint": "m", "processor": "p"},
        "runtimes": [{"name": "openvino", "version": "1"}],
        "pictures": {"sha256": "0" * 64},
        "results": [result(name, 10.0 * (scale if name == "a" else 1.0)) for name in names],
    }


def test_a_document_that_got_slower_is_told_and_the_other_result_is_not():
    found = compare(document(), document(1.2, seed=1))
    verdicts = {change.id: change.verdict for change in found.changes}
    assert verdicts == {"a": "slower", "b": "same"}
    assert found.changes[0].ratio == pytest.approx(1.2, rel=0.03)
    assert [change.id for change in slower_than(found, 0.05)] == ["a"]
    assert slower_than(found, 0.5) == ()
    assert compare(document(1.2), document(seed=1)).changes[0].verdict == "faster"


def test_a_machine_that_ran_slower_as_a_whole_made_nothing_slower():
    later = document(seed=1, yard=1.5)
    for one in later["results"]:
        one["samples_ms"] = [[1.5 * time for time in turn] for turn in one["samples_ms"]]
    found = compare(document(), later)
    assert {change.verdict for change in found.changes} == {"same"}
    assert found.yardstick_ratio == pytest.approx(1.5, rel=0.02)


def test_what_makes_two_documents_hard_to_compare_is_said():
    other = document(names=("a", "c"))
    other["machine"] = {"fingerprint": "n", "processor": "q"}
    other["runtimes"] = []
    other["pictures"] = {"sha256": "1" * 64}
    other["results"][0]["noisy"] = ["busy"]
    other["results"][0]["asked"] = {"streams": 2}
    found = compare(document(), other)
    assert (found.only_before, found.only_after) == (("b",), ("c",))
    assert [line.partition(":")[0] for line in found.warnings] == [
        "two machines",
        "other runtimes",
        "other pictures",
        "other streams or batches in 1, as the planner took them",
        "marked as noisy in one or both",
    ]
    with pytest.raises(OptionError, match="no result in common"):
        compare(document(names=("a",)), document(names=("b",)))


DAMAGES = {
    "no JSON": "{",
    "a list": "[]",
    "another schema": json.dumps({**document(), "schema": "nssbg.bench/2"}),
    "no results": json.dumps({**document(), "results": None}),
    "no fingerprint": json.dumps({**document(), "machine": {}}),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_that_is_no_document_is_refused_by_its_name(tmp_path, damage):
    path = tmp_path / "a.json"
    path.write_text(DAMAGES[damage])
    with pytest.raises(OptionError, match=r"a\.json: expected a document"):
        read_document(path)
    with pytest.raises(OptionError, match=r"b\.json: cannot be read"):
        read_document(tmp_path / "b.json")


@pytest.mark.parametrize(
    "damage",
    [
        lambda one: one.pop("id"),
        lambda one: one["yardstick_ms"].pop(),
        lambda one: one["samples_ms"][0].append(0),
        lambda one: one["samples_ms"][0].append("1"),
    ],
)
def test_a_result_that_cannot_be_compared_is_refused(tmp_path, damage):
    data = copy.deepcopy(document())
    damage(data["results"][0])
    path = tmp_path / "a.json"
    path.write_text(json.dumps(data))
    with pytest.raises(OptionError, match=r"a\.json"):
        read_document(path)
