"""The example scenes: what stands on the paper, how it is lit, where the camera is.

In: the name of a scene, a folder for meshes, a seed. Out: a `Scene` whose subject is kept apart
from its studio, so that the picture and its true mask can both be rendered.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mitsuba as mi
import numpy as np
import solids
from solids import Mesh

Parts = dict[str, Any]
Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Scene:
    """Everything of one photograph."""

    subject: Parts
    studio: Parts
    camera: Parts
    width: int
    height: int
    samples: int = 20
    depth: int = 6


# --------------------------------------------------------------------------------------------
# Materials, lights, cameras


def rgb(colour: Colour) -> Parts:
    """A colour given in sRGB 0..1, as paint charts are."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return {"type": "rgb", "value": linear}


def matte(colour: Colour) -> Parts:
    """Paper, cloth."""
    return {"type": "twosided", "bsdf": {"type": "diffuse", "reflectance": rgb(colour)}}


def plastic(colour: Colour, roughness: float = 0.15) -> Parts:
    """Plastic, varnish, glaze."""
    bsdf = {
        "type": "roughplastic",
        "distribution": "ggx",
        "alpha": roughness,
        "diffuse_reflectance": rgb(colour),
        "nonlinear": True,
    }
    return {"type": "twosided", "bsdf": bsdf}


def metal(colour: Colour, roughness: float) -> Parts:
    """Brushed metal."""
    bsdf = {
        "type": "principled",
        "base_color": rgb(colour),
        "metallic": 1.0,
        "roughness": roughness,
    }
    return {"type": "twosided", "bsdf": bsdf}


def hair_bsdf(colour: Colour) -> Parts:
    """Hair as a rough fibre with some sheen; the true hair model needs far more paths."""
    return {
        "type": "principled",
        "base_color": rgb(colour),
        "roughness": 0.38,
        "specular": 0.7,
    }


def _ribbed(mesh: Mesh) -> Mesh:
    """Knitted ribs, by tilting the normals sideways in waves."""
    x, y = mesh.vertices[:, 0], mesh.vertices[:, 1]
    around = np.stack([-y, x, np.zeros_like(x)], 1)
    around /= np.maximum(np.linalg.norm(around, axis=1, keepdims=True), 1e-6)
    angle = np.arctan2(y - 0.08, x)
    normals = mesh.normals + 0.35 * np.sin(110 * angle)[:, None] * around
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return Mesh(mesh.vertices, mesh.faces, normals)


def shape(mesh: Mesh, bsdf: Parts, name: str, turned: float = 0.0, lifted: float = 0.0) -> Any:
    """A mesh with its material, turned about z by degrees and lifted."""
    angle = math.radians(turned)
    turn = np.array(
        [[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0], [0, 0, 1]]
    )
    props = mi.Properties()
    props["mesh_bsdf"] = mi.load_dict(bsdf)
    result = mi.Mesh(
        name, len(mesh.vertices), len(mesh.faces), has_vertex_normals=True, props=props
    )
    params = mi.traverse(result)
    params["vertex_positions"] = np.ravel(mesh.vertices @ turn.T + np.array([0, 0, lifted])).astype(
        np.float32
    )
    params["vertex_normals"] = np.ravel(mesh.normals @ turn.T).astype(np.float32)
    params["faces"] = np.ravel(mesh.faces).astype(np.uint32)
    params.update()
    return result


def softbox(
    place: Colour, target: Colour, width: float, height: float, power: float, tint: Colour
) -> Parts:
    """A rectangle of light that looks at the target."""
    up = (0, 0, 1) if abs(place[0] - target[0]) + abs(place[1] - target[1]) > 1e-3 else (0, 1, 0)
    to_world = mi.ScalarTransform4f().look_at(origin=place, target=target, up=up)
    return {
        "type": "rectangle",
        "to_world": to_world @ mi.ScalarTransform4f().scale((width / 2, height / 2, 1)),
        "emitter": {
            "type": "area",
            "radiance": {"type": "rgb", "value": [power * c for c in tint]},
        },
    }


def studio(
    paper: Colour,
    *,
    key: float = 9.0,
    fill: float = 2.2,
    back: float = 0.0,
    ambient: float = 0.12,
    depth: float = 4.0,
) -> Parts:
    """Seamless paper with a key light from the left, a fill from the right and a little room."""
    parts: Parts = {
        "paper": shape(solids.sweep_mesh(14, depth, 12, 2.2), matte(paper), "paper"),
        "key": softbox((-3.6, -3.0, 4.6), (0, 0, 0.6), 2.6, 2.6, key, (1.0, 0.98, 0.945)),
        "fill": softbox((4.2, -3.4, 2.4), (0, 0, 0.6), 2.4, 3.4, fill, (0.96, 0.98, 1.0)),
        "room": {"type": "constant", "radiance": {"type": "rgb", "value": ambient}},
    }
    if back > 0:
        parts["back"] = softbox((1.2, 2.4, 5.2), (0, 0.4, 0.4), 3.0, 1.6, back, (1, 1, 1))
    return parts


def camera(
    origin: Colour,
    target: Colour,
    fov: float,
    *,
    aperture: float = 0.02,
    focus: float | None = None,
) -> Parts:
    """A lens with a little depth of field, focused on the target or at a given distance."""
    distance = math.dist(origin, target) if focus is None else focus
    return {
        "type": "thinlens",
        "fov": fov,
        "fov_axis": "larger",
        "aperture_radius": aperture,
        "focus_distance": distance,
        "to_world": mi.ScalarTransform4f().look_at(origin=origin, target=target, up=(0, 0, 1)),
    }


def ball(centre: Colour, radius: float, bsdf: Parts) -> Parts:
    """A sphere with its material."""
    return {"type": "sphere", "center": list(centre), "radius": radius, "bsdf": bsdf}


def fibres(path: Path, strands: Any, radii: Any, bsdf: Parts) -> Parts:
    """Many curves of one material."""
    solids.write_curves(path, strands, radii)
    return {"type": "bsplinecurve", "filename": str(path), "bsdf": bsdf}


# --------------------------------------------------------------------------------------------
# Scenes


def mug(folder: Path, seed: int) -> Scene:
    """A glazed mug of coffee on white paper: a handle with a hole, a soft contact shadow."""
    outer = solids.cylinder((0, 0, 0.46), 2, 0.40, 0.46, 0.05)
    inner = solids.cylinder((0, 0, 0.54), 2, 0.355, 0.50, 0.06)
    handle = solids.torus((0.44, 0, 0.47), 1, 0.215, (0.042, 0.062), stretch=1.22)
    body = solids.without(solids.union(outer, handle, blend=0.07), inner, blend=0.03)
    whole = solids.mesh_from_distance(body, (-0.45, -0.45, -0.03), (0.78, 0.45, 0.97), 0.0085)
    coffee = solids.mesh_from_distance(
        solids.cylinder((0, 0, 0.40), 2, 0.354, 0.40, 0.01),
        (-0.4, -0.4, 0.6),
        (0.4, 0.4, 0.85),
        0.01,
    )
    # A band of bare clay at the foot, a hair wider than the glaze it interrupts.
    foot = solids.mesh_from_lathe(
        np.array([[0.0, -0.001], [0.34, -0.001], [0.385, 0.02], [0.4022, 0.055], [0.4022, 0.15]])
    )
    turned = -24.0
    subject = {
        "mug": shape(whole, plastic((0.13, 0.42, 0.45), 0.06), "mug", turned),
        "coffee": shape(coffee, plastic((0.20, 0.11, 0.06), 0.04), "coffee"),
        "foot": shape(foot, matte((0.74, 0.60, 0.48)), "foot"),
    }
    view = camera((0.35, -5.4, 2.0), (0.12, 0, 0.43), 21.0, aperture=0.03)
    return Scene(subject, studio((0.93, 0.93, 0.925), key=10.5, back=1.5), view, 1600, 1200)


def porcelain(folder: Path, seed: int) -> Scene:
    """White on white: a fluted vase and a bowl of unglazed porcelain."""
    vase = solids.mesh_from_lathe(
        solids.smooth_profile(
            [(0, 0), (0.24, 0), (0.27, 0.05), (0.40, 0.35), (0.40, 0.62), (0.20, 0.92),
             (0.13, 1.10), (0.17, 1.25), (0.21, 1.29), (0.19, 1.29), (0.11, 1.10), (0.15, 0.90),
             (0.3, 0.5)],
            260,
        ),
        512,
        lambda angle, height: 1 + 0.028 * np.cos(22 * angle + 2.2 * height)
        * np.clip((1.0 - height) * 4, 0, 1) * np.clip(height * 8, 0, 1),
    )  # fmt: skip
    bowl = solids.mesh_from_lathe(
        solids.smooth_profile(
            [(0, 0), (0.17, 0), (0.17, 0.05), (0.34, 0.12), (0.45, 0.33), (0.47, 0.37),
             (0.44, 0.37), (0.33, 0.17), (0.15, 0.08), (0, 0.08)],
            220,
        ),
        256,
    )  # fmt: skip
    bowl = Mesh(bowl.vertices + np.array([0.76, -0.56, 0]), bowl.faces, bowl.normals)
    egg = solids.mesh_from_distance(
        solids.ellipsoid((-0.52, -0.55, 0.135), (0.17, 0.135, 0.135)),
        (-0.75, -0.75, -0.05),
        (-0.3, -0.35, 0.3),
        0.01,
    )
    clay = plastic((0.94, 0.935, 0.92), 0.28)
    subject = {
        "vase": shape(vase, clay, "vase"),
        "bowl": shape(bowl, plastic((0.95, 0.945, 0.935), 0.10), "bowl"),
        "egg": shape(egg, matte((0.95, 0.93, 0.90)), "egg"),
    }
    view = camera((0.1, -6.2, 2.1), (0.22, -0.1, 0.56), 23.0, aperture=0.03)
    lights = studio((0.955, 0.955, 0.955), key=9.5, fill=1.5, back=1.0, ambient=0.10)
    return Scene(subject, lights, view, 1600, 1200)


def headphones(folder: Path, seed: int) -> Scene:
    """Headphones with their cable on coral paper: a large opening, thin curves, black on colour."""
    rng = np.random.default_rng(seed)
    lean = 8.0
    span, top = 0.56, 0.66
    band = solids.torus((0, 0, top), 1, span, (0.018, 0.075), stretch=1.12)
    cushion = solids.torus((0, 0, top), 1, span - 0.045, (0.035, 0.085), stretch=1.12)

    def above(opaque_subject: solids.Distance, level: float) -> solids.Distance:
        return lambda p: np.maximum(opaque_subject(p), level - p[:, 2])

    arch = above(band, top - 0.18)
    pad = above(cushion, top + 0.42)
    low, high = (-0.75, -0.3, -0.05), (0.75, 0.3, 1.4)
    ground = -0.046  # the cushions' lowest point: everything comes down by it to stand
    subject: Parts = {
        "band": shape(
            solids.mesh_from_distance(arch, low, high, 0.0085),
            plastic((0.10, 0.10, 0.11), 0.22), "band", lean, ground,
        ),
        "pad": shape(
            solids.mesh_from_distance(pad, low, high, 0.009),
            matte((0.16, 0.15, 0.15)), "pad", lean, ground,
        ),
    }  # fmt: skip
    for side in (-1, 1):
        x = side * 0.52
        shell = solids.union(
            solids.cylinder((x + side * 0.03, 0, 0.345), 0, 0.285, 0.065, 0.05),
            solids.capsule((side * 0.575, 0, 0.46), (side * 0.567, 0, 0.74), 0.045, 0.035),
            blend=0.06,
        )
        ring = solids.torus((x - side * 0.075, 0, 0.345), 0, 0.215, (0.085, 0.075))
        disc = solids.cylinder((x + side * 0.088, 0, 0.345), 0, 0.20, 0.014, 0.008)
        box_low = (x - 0.3, -0.4, -0.02)
        box_high = (x + 0.3, 0.4, 0.85)
        for name, opaque_subject, bsdf in (
            ("shell", shell, plastic((0.075, 0.075, 0.085), 0.18)),
            ("ring", ring, plastic((0.17, 0.155, 0.15), 0.45)),
            ("disc", disc, metal((0.86, 0.80, 0.72), 0.28)),
        ):
            mesh = solids.mesh_from_distance(opaque_subject, box_low, box_high, 0.008)
            label = f"{name}{side + 1}"
            subject[label] = shape(mesh, bsdf, label, lean, ground)
    # The cable leaves the left cup, lies down and makes a loose figure on the paper.
    knots = np.array(
        [[-0.55, 0.0, 0.20], [-0.55, 0, 0.14], [-0.56, -0.02, 0.05], [-0.60, -0.10, 0.015],
         [-0.80, -0.35, 0.014], [-0.72, -0.75, 0.014], [-0.30, -0.80, 0.014], [-0.10, -0.55, 0.014],
         [-0.30, -0.42, 0.030], [-0.50, -0.62, 0.040], [-0.25, -1.0, 0.020], [0.25, -0.95, 0.014],
         [0.62, -0.72, 0.014], [0.85, -0.85, 0.014], [0.80, -1.08, 0.014], [0.55, -1.12, 0.016],
         [0.50, -1.12, 0.018], [0.45, -1.12, 0.018]]
    )  # fmt: skip
    knots[4:14, :2] += rng.normal(0, 0.015, (10, 2))
    radius = np.full((1, len(knots)), 0.0135)
    subject["cable"] = fibres(
        folder / "cable.txt", knots[None], radius, plastic((0.09, 0.09, 0.10), 0.3)
    )
    sleeve = solids.capsule((0.53, -1.12, 0.024), (0.42, -1.12, 0.024), 0.022, 0.024)
    pin = solids.capsule((0.42, -1.12, 0.024), (0.32, -1.12, 0.024), 0.010, 0.009)
    for name, opaque_subject, bsdf in (
        ("sleeve", sleeve, plastic((0.08, 0.08, 0.09), 0.2)),
        ("pin", pin, metal((0.95, 0.80, 0.50), 0.15)),
    ):
        mesh = solids.mesh_from_distance(
            opaque_subject, (0.2, -1.2, -0.02), (0.6, -1.04, 0.08), 0.003
        )
        subject[name] = shape(mesh, bsdf, name)
    view = camera((0.75, -6.2, 2.15), (0.02, -0.28, 0.47), 22.5, aperture=0.025)
    lights = studio((0.90, 0.46, 0.36), key=11.0, fill=4.0, back=3.5, ambient=0.16)
    return Scene(subject, lights, view, 1600, 1200)


def bottle(folder: Path, seed: int) -> Scene:
    """A stoppered bottle of oil in clear glass, lit from behind: edges by refraction."""
    outside = solids.smooth_profile(
        [(0, 0), (0.30, 0), (0.335, 0.03), (0.335, 0.10), (0.335, 0.54), (0.335, 0.64),
         (0.29, 0.82), (0.11, 0.96), (0.10, 1.20), (0.125, 1.22), (0.125, 1.28), (0.10, 1.29)],
        200,
    )  # fmt: skip
    inside = solids.smooth_profile(
        [(0.078, 1.29), (0.078, 1.0), (0.085, 0.94), (0.26, 0.80), (0.305, 0.63),
         (0.305, 0.53), (0.305, 0.14), (0.305, 0.07), (0.27, 0.045), (0, 0.05)],
        200,
    )  # fmt: skip
    glass = solids.mesh_from_lathe(np.concatenate([outside, inside]), 256)
    level = 0.585
    # The oil follows the inner wall at a hair's distance, up to its level.
    wall = inside[inside[:, 1] < level][::-1] - [0.0015, 0]
    wall[:, 0] = np.maximum(wall[:, 0], 0)
    top = wall[-1, 0]
    surface = np.array([[top - 0.002, level], [top * 0.5, level - 0.003], [0, level - 0.003]])
    oil = solids.mesh_from_lathe(np.concatenate([wall + np.array([0, 0.0015]), surface]), 256)
    cork = solids.mesh_from_lathe(
        np.array([[0, 1.12], [0.074, 1.12], [0.0775, 1.13], [0.082, 1.29], [0.086, 1.40],
                  [0.08, 1.412], [0, 1.412]]), 96
    )  # fmt: skip
    liquid = {
        "type": "principled",
        "base_color": rgb((0.97, 0.83, 0.38)),
        "roughness": 0.02,
        "spec_trans": 1.0,
        "eta": 1.42,
    }
    label = solids.mesh_from_lathe(
        np.array([[0.3366, 0.17], [0.3372, 0.171], [0.3372, 0.469], [0.3366, 0.47]]), 256
    )
    # A label covers the front half only: drop the faces that look away from the camera.
    front = label.vertices[label.faces].mean(1)[:, 1] < -0.12
    label = Mesh(label.vertices, label.faces[front], label.normals)
    subject = {
        "glass": shape(glass, {"type": "dielectric", "int_ior": 1.5, "ext_ior": 1.0}, "glass"),
        "oil": shape(oil, liquid, "oil"),
        "cork": shape(cork, matte((0.72, 0.55, 0.38)), "cork"),
        "label": shape(label, matte((0.93, 0.90, 0.83)), "label", 6),
    }
    view = camera((0.0, -6.0, 1.25), (0, 0, 0.66), 17.5, aperture=0.02)
    lights = studio((0.80, 0.81, 0.83), key=6.0, fill=3.0, back=9.0, ambient=0.35, depth=3.0)
    # Two dark flags at the sides draw the outline of clear glass.
    for side in (-1, 1):
        flag = mi.ScalarTransform4f().translate((side * 0.98, 0.35, 0.9))
        flag = flag @ mi.ScalarTransform4f().rotate((0, 1, 0), 90)
        lights[f"flag{side + 1}"] = {
            "type": "rectangle",
            "to_world": flag @ mi.ScalarTransform4f().scale((1.4, 0.55, 1)),
            "bsdf": matte((0.08, 0.08, 0.08)),
        }
    return Scene(subject, lights, view, 1200, 1600, samples=32, depth=12)


EYES = ((-0.112, -0.345, 1.045), (0.112, -0.345, 1.045))
NOSE = (0.0, -0.405, 0.975)


def bear(folder: Path, seed: int) -> Scene:
    """A plush bear on blue paper: a hundred thousand fibres."""
    rng = np.random.default_rng(seed)
    parts = [
        solids.ellipsoid((0, 0.02, 0.42), (0.34, 0.30, 0.40)),
        solids.ellipsoid((0, -0.06, 0.98), (0.30, 0.27, 0.27)),
        solids.sphere((-0.24, -0.02, 1.20), 0.105),
        solids.sphere((0.24, -0.02, 1.20), 0.105),
        solids.capsule((-0.30, -0.06, 0.66), (-0.50, -0.26, 0.36), 0.115, 0.105),
        solids.capsule((0.30, -0.06, 0.66), (0.50, -0.26, 0.36), 0.115, 0.105),
        solids.capsule((-0.20, -0.10, 0.15), (-0.36, -0.56, 0.15), 0.145, 0.150),
        solids.capsule((0.20, -0.10, 0.15), (0.36, -0.56, 0.15), 0.145, 0.150),
    ]
    body = solids.union(*parts, blend=0.09)
    muzzle = solids.ellipsoid((0, -0.29, 0.92), (0.135, 0.105, 0.105))
    skin = solids.mesh_from_distance(body, (-0.75, -0.85, -0.05), (0.75, 0.45, 1.42), 0.016)
    snout = solids.mesh_from_distance(muzzle, (-0.2, -0.45, 0.75), (0.2, -0.1, 1.1), 0.012)
    turned = 16.0
    angle = math.radians(turned)
    turn = np.array(
        [[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0], [0, 0, 1]]
    )
    subject: Parts = {
        "skin": shape(skin, matte((0.55, 0.38, 0.24)), "skin", turned),
        "snout": shape(snout, matte((0.80, 0.68, 0.52)), "snout", turned),
    }
    coats = (
        (skin, body, (0.80, 0.60, 0.40), 42000, 0.105),
        (skin, body, (0.88, 0.70, 0.50), 42000, 0.110),
        (skin, body, (0.70, 0.49, 0.31), 26000, 0.120),
        (snout, muzzle, (0.95, 0.87, 0.74), 9000, 0.050),
    )
    both = solids.union(body, muzzle)
    for index, (mesh, opaque_subject, colour, count, length) in enumerate(coats):
        roots = solids.points_on_mesh(mesh, count, rng)
        normal = solids.gradient(opaque_subject, roots)
        # Fur lies back and down, in tufts that share a direction.
        tuft = solids.noise3(roots, 0.035, np.random.default_rng(seed + 1))
        wave = solids.noise3(roots, 0.30, np.random.default_rng(seed + 2))
        lie = np.array([0, 0.15, -0.42]) + 0.42 * tuft + 0.30 * wave
        reach = length * rng.uniform(0.6, 1.15, (count, 1))
        strands = np.empty((count, 6, 3))
        place, heading = roots - 0.012 * normal, normal * 0.9
        for step in range(6):
            strands[:, step] = place
            heading = heading + 0.22 * lie + rng.normal(0, 0.07, heading.shape)
            heading /= np.linalg.norm(heading, axis=1, keepdims=True)
            place = place + heading * reach / 5
        keep = strands[:, 3:, 2].min(1) > 0.004
        keep &= both(strands[:, 4]) > -0.004
        for eye in EYES:  # the fur is clipped round the eyes
            keep &= np.linalg.norm(strands[:, 4] - eye, axis=1) > 0.058
        keep &= np.linalg.norm(strands[:, 4] - NOSE, axis=1) > 0.05
        radii = 0.0030 * np.linspace(1, 0.25, 6)[None] * rng.uniform(0.7, 1.2, (count, 1))
        subject[f"coat{index}"] = fibres(
            folder / f"coat{index}.txt",
            strands[keep] @ turn.T,
            radii[keep],
            {"type": "diffuse", "reflectance": rgb(colour)},
        )
    for name, centre, radius, bsdf in (
        ("left", EYES[0], 0.043, plastic((0.04, 0.025, 0.02), 0.04)),
        ("right", EYES[1], 0.043, plastic((0.04, 0.025, 0.02), 0.04)),
        ("nose", NOSE, 0.046, plastic((0.08, 0.05, 0.05), 0.2)),
    ):
        place = np.asarray(centre) @ turn.T
        subject[name] = ball((place[0], place[1], place[2]), radius, bsdf)
    view = camera((0.2, -6.4, 1.5), (0.0, -0.1, 0.655), 21.5, aperture=0.03, focus=5.9)
    lights = studio((0.36, 0.52, 0.66), key=14.0, fill=4.5, back=9.0, ambient=0.22)
    return Scene(subject, lights, view, 1600, 1200, samples=24, depth=5)


def portrait(folder: Path, seed: int) -> Scene:
    """A display figure with long loose hair before grey-green paper: head, shoulders, fly-aways."""
    rng = np.random.default_rng(seed)
    skull = solids.ellipsoid((0, 0.05, 1.14), (0.215, 0.262, 0.262))
    face = solids.union(
        skull,
        solids.ellipsoid((0, -0.075, 0.995), (0.158, 0.165, 0.195)),
        solids.ellipsoid((0, -0.150, 0.865), (0.070, 0.062, 0.052)),
        blend=0.10,
    )
    face = solids.union(
        face,
        solids.capsule((0, -0.232, 1.070), (0, -0.282, 0.985), 0.018, 0.030),
        solids.ellipsoid((0, -0.208, 1.118), (0.125, 0.032, 0.024)),
        solids.ellipsoid((-0.093, -0.165, 1.00), (0.055, 0.050, 0.045)),
        solids.ellipsoid((0.093, -0.165, 1.00), (0.055, 0.050, 0.045)),
        blend=0.05,
    )
    for side in (-1, 1):
        face = solids.union(
            face, solids.ellipsoid((side * 0.080, -0.205, 1.068), (0.034, 0.026, 0.020)), blend=0.02
        )
        face = solids.union(
            face, solids.ellipsoid((side * 0.212, 0.04, 1.04), (0.022, 0.042, 0.062)), blend=0.02
        )
    face = solids.union(
        face,
        solids.ellipsoid((0, -0.228, 0.918), (0.058, 0.028, 0.013)),
        solids.ellipsoid((0, -0.222, 0.892), (0.048, 0.028, 0.015)),
        blend=0.016,
    )
    neck = solids.capsule((0, 0.07, 0.98), (0, 0.09, 0.62), 0.105, 0.125)
    head = solids.union(face, neck, blend=0.05)
    shoulders = solids.union(
        solids.capsule((-0.36, 0.10, 0.45), (0.36, 0.10, 0.45), 0.165),
        solids.ellipsoid((0, 0.08, 0.10), (0.45, 0.24, 0.75)),
        solids.capsule((-0.44, 0.10, 0.42), (-0.54, 0.06, -0.3), 0.135, 0.12),
        solids.capsule((0.44, 0.10, 0.42), (0.54, 0.06, -0.3), 0.135, 0.12),
        solids.capsule((0, 0.08, 0.55), (0, 0.08, 0.69), 0.20, 0.138),
        blend=0.13,
    )
    collar = solids.capsule((0, 0.08, 0.5), (0, 0.084, 0.735), 0.150, 0.139)
    fold = solids.torus((0, 0.083, 0.70), 2, 0.132, (0.022, 0.045))
    jumper = solids.union(shoulders, solids.union(collar, fold, blend=0.03), blend=0.05)
    whole = solids.union(head, jumper)
    low, high = (-0.85, -0.5, -0.6), (0.85, 0.5, 1.5)
    turned = -17.0
    angle = math.radians(turned)
    turn = np.array(
        [[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0], [0, 0, 1]]
    )
    subject: Parts = {
        "head": shape(
            solids.mesh_from_distance(head, (-0.3, -0.4, 0.55), (0.3, 0.4, 1.5), 0.007),
            plastic((0.93, 0.75, 0.65), 0.38),
            "head",
            turned,
        ),
        "jumper": shape(_ribbed(solids.mesh_from_distance(jumper, low, high, 0.010)),
                        matte((0.86, 0.82, 0.74)), "jumper", turned),
    }  # fmt: skip
    lips = solids.union(
        solids.ellipsoid((0, -0.229, 0.917), (0.055, 0.030, 0.0125)),
        solids.ellipsoid((0, -0.225, 0.893), (0.045, 0.031, 0.0145)),
        blend=0.004,
    )
    subject["lips"] = shape(
        solids.mesh_from_distance(lips, (-0.08, -0.3, 0.85), (0.08, -0.15, 0.96), 0.003),
        plastic((0.74, 0.40, 0.38), 0.25),
        "lips",
        turned,
    )
    for side in (-1, 1):
        # Lashes along the closed lid and a brow, both laid onto the face.
        t = np.linspace(-1, 1, 90)
        lid = np.stack(
            [side * 0.080 + 0.033 * t, np.full(90, -0.24), 1.060 - 0.013 * (1 - t * t)], 1
        )
        brow = np.stack(
            [
                side * (0.082 + 0.046 * t),
                np.full(90, -0.25),
                1.127 + 0.013 * (1 - t * t) - 0.006 * t,
            ],
            1,
        )
        brow[:, 2] += rng.normal(0, 0.0035, 90)
        for name, line, reach, lean in (
            ("lash", lid, 0.020, (0.15, -0.8, -0.55)),
            ("brow", brow, 0.024, (0.9, -0.18, 0.35)),
        ):
            roots = solids.projected(head, line, -0.001)
            ahead = np.array(lean) * [side, 1, 1] + rng.normal(0, 0.12, (90, 3))
            steps = np.linspace(0, reach, 5)[None, :, None]
            hairs = roots[:, None] + ahead[:, None] * steps
            if name == "lash":
                hairs[..., 2] += (steps[..., 0] / reach) ** 2 * 0.006
            radii = np.linspace(0.0016, 0.0006, 5)[None].repeat(90, 0)
            subject[f"{name}{side + 1}"] = fibres(
                folder / f"{name}{side + 1}.txt",
                hairs @ turn.T,
                radii,
                hair_bsdf((0.20, 0.12, 0.08)),
            )
    scalp = solids.mesh_from_distance(skull, (-0.3, -0.3, 0.8), (0.3, 0.4, 1.5), 0.012)
    for index, (colour, count) in enumerate(
        (((0.56, 0.34, 0.19), 17000), ((0.68, 0.44, 0.26), 13000), ((0.46, 0.26, 0.14), 8000))
    ):
        roots = solids.points_on_mesh(scalp, count * 3, rng)
        # The hairline: high on the forehead, down behind the ears and at the nape.
        line = 1.235 - 0.92 * np.clip(roots[:, 1] + 0.16, 0, 0.30)
        roots = roots[roots[:, 2] > line][:count]
        count = len(roots)
        normal = solids.gradient(skull, roots)
        side = np.where(np.abs(roots[:, 0] - 0.035) < 0.004, 1.0, np.sign(roots[:, 0] - 0.035))
        part = np.clip(1 - np.abs(roots[:, 0]) / 0.2, 0, 1) * (roots[:, 2] > 1.2)
        back = 0.85 + 3.0 * np.clip(-roots[:, 1], 0, 0.3)  # combed away from the face
        comb = np.stack([side * (0.55 + 0.8 * part), back, np.full(count, -0.15)], 1)
        heading = normal * 0.35 + comb
        heading /= np.linalg.norm(heading, axis=1, keepdims=True)
        fly = rng.random(count) < 0.035
        length = (0.98 - 0.38 * rng.random(count) ** 2) * np.where(
            fly, rng.uniform(0.3, 0.9, count), 1
        )
        points = 30
        strands = np.empty((count, points, 3))
        place = roots.copy()
        lift = 0.010 + 0.050 * rng.random(count) ** 1.4
        # Neighbours wave together: the phase comes from the place of the root.
        wave = 9 * solids.noise3(roots, 0.12, np.random.default_rng(seed + 6))[:, 0]
        for step in range(points):
            strands[:, step] = place
            share = step / points
            tuft = solids.noise3(place, 0.10, np.random.default_rng(seed + 5))
            loose = np.where(fly, 0.42, 0.15)[:, None]
            pull = np.array([0.0, 0.06, -1.0]) * np.where(fly, 0.17, 0.26)[:, None]
            heading = (
                heading + pull + 0.5 * loose * tuft + rng.normal(0, 1, heading.shape) * loose * 0.10
            )
            swing = 0.16 * np.sin(wave + 15 * share)[:, None] * np.array([1.0, 0.6, 0])
            heading = heading + swing * share
            heading /= np.linalg.norm(heading, axis=1, keepdims=True)
            place = place + heading * (length / points)[:, None]
            # Hair rests on the head and the shoulders, each strand at its own height.
            gap = whole(place)
            deep = gap < lift
            if deep.any():
                out = solids.gradient(whole, place[deep])
                place[deep] += out * (lift[deep] - gap[deep])[:, None]
        radii = 0.00155 * np.clip(np.linspace(1.15, 0.25, points), 0, 1)[None]
        radii = radii * np.where(fly, 0.7, rng.uniform(0.8, 1.25, count))[:, None]
        bsdf = hair_bsdf(colour)
        subject[f"hair{index}"] = fibres(folder / f"hair{index}.txt", strands @ turn.T, radii, bsdf)
    view = camera((0.0, -5.6, 1.05), (0.0, 0, 0.79), 19.0, aperture=0.03, focus=5.4)
    lights = studio((0.52, 0.58, 0.54), key=11.0, fill=5.0, back=10.0, ambient=0.20)
    # The frame ends at the chest: lift the paper's floor out of sight.
    lights["paper"] = shape(
        Mesh(
            solids.sweep_mesh(14, 4.0, 12, 2.2).vertices - [0, 0, 1.5],
            solids.sweep_mesh(14, 4.0, 12, 2.2).faces,
            solids.sweep_mesh(14, 4.0, 12, 2.2).normals,
        ),
        matte((0.52, 0.58, 0.54)),
        "paper",
    )
    return Scene(subject, lights, view, 1200, 1600, samples=28, depth=5)


SCENES: dict[str, Callable[[Path, int], Scene]] = {
    "mug": mug,
    "porcelain": porcelain,
    "headphones": headphones,
    "bottle": bottle,
    "bear": bear,
    "portrait": portrait,
}

# What the camera is set to, so that white paper comes out white and coloured paper as painted.
EXPOSURES = {
    "mug": 1.75,
    "porcelain": 1.7,
    "headphones": 1.3,
    "bottle": 1.6,
    "bear": 1.4,
    "portrait": 1.4,
}
