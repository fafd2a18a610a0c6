"""Images in the lanes layout, and convolutions of them tap by tap, for tests of kernels."""

from __future__ import annotations

import numpy as np

from chainrule.compiler.cpu.convolution import Geometry

PAD1 = ((1, 1), (1, 1))


def blocked(images: np.ndarray) -> np.ndarray:
    """Put images into the lanes layout, spare lanes zero."""
    lanes = 64 // images.itemsize
    blocks = -(-len(images) // lanes)
    full = np.zeros((blocks * lanes, *images.shape[1:]), images.dtype)
    full[: len(images)] = images
    return np.ascontiguousarray(np.moveaxis(full.reshape(blocks, lanes, *images.shape[1:]), 1, -1))


def unblocked(blocks: np.ndarray) -> np.ndarray:
    """Return the images of blocks, the spare ones too."""
    return np.moveaxis(blocks, -1, 1).reshape(blocks.shape[0] * blocks.shape[-1], *blocks.shape[1:-1])


def reference(g: Geometry, x: np.ndarray, w: np.ndarray, up: np.ndarray) -> dict[str, np.ndarray]:
    """Return output and gradients in double precision, tap by tap over padded images."""
    (top, bottom), (left, right) = g.pads
    padded = np.pad(x.astype(float), ((0, 0), (0, 0), (top, bottom), (left, right)))
    wide = padded.reshape(g.n, g.groups, g.c // g.groups, *padded.shape[2:])
    filters = w.astype(float).reshape(g.groups, g.o // g.groups, g.c // g.groups, g.kh, g.kw)
    upstream = up.astype(float).reshape(g.n, g.groups, g.o // g.groups, g.out_h, g.out_w)
    y, dx, dw = np.zeros_like(upstream), np.zeros_like(wide), np.zeros_like(filters)
    for r, s in np.ndindex(g.kh, g.kw) if y.size else ():
        down, across = (
            slice(tap * step, tap * step + (size - 1) * stride + 1, stride)
            for tap, step, size, stride in zip((r, s), g.dilation, (g.out_h, g.out_w), g.stride, strict=True)
        )
        seen = wide[..., down, across]
        y += np.einsum("ngchw,goc->ngohw", seen, filters[..., r, s], optimize=True)
        dx[..., down, across] += np.einsum("ngohw,goc->ngchw", upstream, filters[..., r, s], optimize=True)
        dw[..., r, s] = np.einsum("ngohw,ngchw->goc", upstream, seen, optimize=True)
    whole = dx.reshape(padded.shape)[:, :, top : top + g.h, left : left + g.w]
    return {"forward": y.reshape(up.shape), "input": whole, "weights": dw.reshape(w.shape)}


def operands(g: Geometry, kernel: str, dtype: str) -> tuple[list[np.ndarray], np.ndarray]:
    """Return a kernel's operands, the last still to be written, and what ought to be written there."""
    draw = np.random.default_rng(7)
    x, w, up = (
        draw.standard_normal(shape).astype(dtype)
        for shape in ((g.n, g.c, g.h, g.w), (g.o, g.c // g.groups, g.kh, g.kw), (g.n, g.o, g.out_h, g.out_w))
    )
    arrays = {
        "forward": [blocked(x), w, up],
        "input": [blocked(up), w, x],
        "weights": [blocked(up), blocked(x), w],
    }
    first, second, last = arrays[kernel]
    result = np.full_like(last if kernel == "weights" else blocked(last), np.nan)
    return [first, second, result], reference(g, x, w, up)[kernel]
