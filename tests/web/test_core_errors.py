"""The browser's core refuses what it cannot do, in words, and loses no memory over it."""


def test_what_cannot_be_done_is_refused_and_nothing_is_lost(node):
    done = node("core_errors.js")
    told = done["told"]
    assert [what for what, error in told.items() if error is None] == []
    assert done["held"] == 0
    assert done["shape"] == [8, 9, 3]
    kinds = {what: error[1] for what, error in told.items() if error[0] == "CoreError"}
    assert kinds["more memory than there is"] == "memory"
    assert kinds["a wider background type"] == kinds["a narrower background type"] == "invalid"
    assert kinds["a row of another width"] == "invalid"
    assert told["a level that is none"][2] == "refine: unknown level 'other'"
    assert "another core" in told["an array of another core"][2]
    assert "was released" in told["a released array"][2]
    assert (
        told["samples that are not that many"][2] == "8 x 10 x 3 pixels have 240 samples, not 216"
    )
    # Arguments are refused by JavaScript or by the core, but never run.
    assert {error[0] for error in told.values()} <= {"CoreError", "RangeError", "TypeError"}
