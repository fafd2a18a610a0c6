"""`chainrule features`: a picture of what each hand-made feature sees in an image.

The picture is `chainrule.features.picture`'s; here an image is read and a file is written.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chainrule.cli import choices
from chainrule.cli import options as o
from chainrule.data import read_image
from chainrule.errors import ArgumentError
from chainrule.features.picture import draw_features
from chainrule.train.files import write_file


def features(
    context: typer.Context,
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="A picture file.", show_default=False)],
    *,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The PNG to write; NAME-features.png here if not given."),
    ] = None,
    size: o.Size = None,
    channels: o.ChannelsOption = None,
    orientations: Annotated[int, typer.Option("--orientations", help="Directions of hog.", min=1)] = 9,
    cell: Annotated[int, typer.Option("--cell", help="Pixels along a side of a cell of hog.", min=1)] = 8,
    bins: Annotated[int, typer.Option("--bins", help="Bins of each colour channel.", min=1)] = 8,
    grid: Annotated[int, typer.Option("--grid", help="Regions along a side.", min=1)] = 4,
) -> None:
    """Draw gradients, HOG, colour histograms and regions of IMAGE, as the features see them."""
    target = out or Path(f"{image.stem}-features.png")  # not beside the image, where it would join a data set
    if target.suffix.lower() != ".png":
        raise ArgumentError(f"features: --out must end in .png, got {target.name!r}")
    pixels = read_image(image, **choices.data_options(context.params))
    write_file(target, draw_features(pixels, orientations, cell, bins, grid))
    typer.echo(target)
