"""Fits what `model="auto"` chooses by, and reports how often it takes the better method.

Runs the network and the studio method (the package has to be installed) on pictures kept aside
for choices, fits the table [selector] of the model's sidecar on them (after calibrate.py has put
[confidence] there) and measures the choice on the held-out sets. A choice is right where the taken
alpha's IoU is at most TIE below the other's.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path

import calibrate
import evaluate
import measures
import numpy as np
import numpy.typing as npt
import sets
import sidecar

from nssbg._models.catalog import describe
from nssbg._models.fitted import ConfidenceWeights
from nssbg._ops.studio import studio_alpha
from nssbg._segment import selector
from nssbg._segment.confidence import confidence

Floats = npt.NDArray[np.float64]
RIDGE = 0.5  # the features go together: none is to be trusted alone
TIE = 0.005  # below this difference in IoU nobody sees which one was taken


def looked_at(
    run: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]],
    pictures: Iterable[sets.Example],
    side: int,
    weights: ConfidenceWeights,
) -> dict[str, Floats]:
    """Features of the choice, both overlaps and both confidences, one row a picture."""
    rows = []
    for _, rgb, truth in pictures:
        alpha, mirrored = evaluate.both_looks(run, rgb, side)
        expected = confidence(alpha, mirrored, weights=weights).overlap
        assert expected is not None  # main() has looked
        coarse = (alpha + mirrored) / 2
        full = evaluate.enlarged(coarse, rgb)
        found = studio_alpha(rgb, threads=1)
        features = selector.selector_features(found.alpha, found.confidence, coarse, expected)
        studio = measures.overlap(found.alpha.astype(np.float32) / 255, truth)
        network = measures.overlap(full, truth)
        border = found.backdrop.border_share
        rows.append((*features, studio, network, found.confidence, expected, border))
    table = np.array(rows, np.float64)
    return {
        "features": table[:, :-5],
        "studio": table[:, -5],
        "network": table[:, -4],
        "sure": table[:, -3],
        "expected": table[:, -2],
        "border": table[:, -1],
    }


def asked(seen: dict[str, Floats]) -> npt.NDArray[np.bool_]:
    """Where the studio method's answer is waited for (screens aside, of which none are here)."""
    return seen["border"] >= selector.LEAST_BORDER


def weights_of_choice(seen: dict[str, Floats]) -> Floats:
    """Which one is better, each picture weighed by what is at stake."""
    gap = seen["studio"] - seen["network"]
    stake = np.minimum(np.abs(gap), 0.3) + 0.02 * (np.abs(gap) > TIE)
    return calibrate.fitted(
        seen["features"], (gap > 0).astype(np.float64), stake=stake, ridge=RIDGE
    )


def chosen(seen: dict[str, Floats], weights: Floats) -> npt.NDArray[np.bool_]:
    """Where the studio method is taken, by the rule of `selector.select` with these weights."""
    edges = (seen["features"][:, 2] >= selector.AGREEING) & (seen["sure"] >= selector.TRUSTED)
    return asked(seen) & (edges | (calibrate.logistic(seen["features"], weights) > 0.5))


def rules(
    seen: dict[str, Floats], weights: Floats, overlaps: dict[str, Floats]
) -> dict[str, npt.NDArray[np.bool_]]:
    """Where the studio method is taken: by the rule that is shipped, and by two simpler ones."""
    guess = {k: calibrate.logistic(seen["features"], w) for k, w in overlaps.items()}
    return {
        "shipped": chosen(seen, weights),
        "larger confidence": asked(seen) & (seen["sure"] > seen["expected"]),
        "larger expected overlap": asked(seen) & (guess["studio"] > guess["network"]),
    }


def row(name: str, seen: dict[str, Floats], taken: dict[str, npt.NDArray[np.bool_]]) -> str:
    """One line of the report: of each rule the mean IoU and how often it is right."""
    studio, network = seen["studio"], seen["network"]
    best = np.maximum(studio, network)
    cells = [
        f"{len(studio)}",
        f"{studio.mean():.3f}",
        f"{network.mean():.3f}",
        f"{best.mean():.3f}",
    ]
    cells.append(f"{taken['shipped'].mean():.2f}")
    for take in taken.values():
        found = np.where(take, studio, network)
        right, nearly = ((found >= best - tie).mean() for tie in (TIE, 2 * TIE))
        cells.append(f"{found.mean():.4f} ({right:.3f}, {nearly:.3f})")
    return f"| {name} | " + " | ".join(cells) + " |"


def main() -> None:
    """Fits and reports."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--side", type=int, default=evaluate.SIDE)
    parser.add_argument("--drawn", type=int, default=300, help="drawn pictures of each kind to fit")
    parser.add_argument("--limit", type=int, default=200, help="pictures of each measured set")
    parser.add_argument("--sure", type=float, default=0.0, help="studio confidence taken unlooked")
    options = parser.parse_args()
    trust = describe(str(options.model)).confidence
    if trust is None or trust.flip_tta is None:
        raise SystemExit(f"{options.model}: no confidence fitted; run training/calibrate.py first")
    run = evaluate.predictor(options.model, options.side, 2)
    kept_aside = sets.validation(options.drawn, calibrate.SEED)
    parts = [looked_at(run, pictures(), options.side, trust) for pictures in kept_aside.values()]
    known = {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}
    left_out = {k: v[~asked(known)] for k, v in known.items()}
    better = left_out["studio"] > left_out["network"] + TIE
    print(
        f"border share below {selector.LEAST_BORDER}: {len(better)} of {len(known['border'])} "
        f"pictures, studio better in {better.sum()}"
    )
    known = {k: v[asked(known)] for k, v in known.items()}
    weights = weights_of_choice(known)
    overlaps = {
        k: calibrate.fitted(known["features"], known[k], ridge=RIDGE) for k in ("studio", "network")
    }
    written = sidecar.put_table(
        options.model,
        "selector",
        "Fitted by training/choose.py: the studio method against this network, the constant first.",
        {
            "studio_is_better": weights,
            "studio_overlap": overlaps["studio"],
            "network_overlap": overlaps["network"],
        },
    )
    print(written.read_text())
    titles = " | ".join(rules(known, weights, overlaps))
    print(f"of each rule: mean IoU (right within {TIE}, within {2 * TIE})")
    print(
        f"| set | pictures | studio | network | better of both | studio taken | {titles} |\n"
        + "|---" * 9
        + "|"
    )
    print(row("fitted on", known, rules(known, weights, overlaps)))
    everything = []
    for name, pictures in sets.measured().items():
        seen = looked_at(run, islice(pictures(), options.limit), options.side, trust)
        everything.append(seen)
        print(row(name, seen, rules(seen, weights, overlaps)), flush=True)
    mix = {k: np.concatenate([p[k] for p in everything]) for k in everything[0]}
    print(row("all measured", mix, rules(mix, weights, overlaps)))
    taken = chosen(mix, weights)
    for kind, kept in (("studio", taken), ("network", ~taken)):
        guess = calibrate.logistic(mix["features"], overlaps[kind])
        guess = np.where(asked(mix), guess, mix["expected"])[kept]
        line = np.corrcoef(guess, mix[kind][kept])[0, 1]
        print(
            f"{kind} where taken: expected overlap {guess.mean():.3f}, real "
            f"{mix[kind][kept].mean():.3f}, correlation {line:.2f}"
        )
    for level in (0.7, 0.8, 0.85, 0.9, 0.95):
        sure = mix["sure"] >= level
        lost = np.maximum(mix["network"] - mix["studio"], 0)[sure]
        print(
            f"studio confidence >= {level}: {sure.sum()} pictures, studio right in "
            f"{(lost <= TIE).mean():.3f}, IoU lost {lost.mean():.4f}"
        )


if __name__ == "__main__":
    main()
