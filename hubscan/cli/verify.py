"""`hubscan verify`: compare a ranking with fine-tuning."""

from __future__ import annotations

from pathlib import Path

import click

from hubscan.cli.options import Duration, common_options
from hubscan.cli.say import say
from hubscan.errors import DiskError

HOWS = click.Choice(["full", "lora", "head"])
PRECISIONS = click.Choice(["auto", "float32", "mixed"])
FORMS = click.Choice(["human", "json", "quiet"])


@click.command("verify")
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--top",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    metavar="N",
    help="Fine-tune the N best-ranked checkpoints, and the recommended one.",
)
@click.option(
    "--also",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="Also fine-tune N random lower-ranked ones, to test the order beyond the top.",
)
@click.option(
    "--model",
    "names",
    multiple=True,
    metavar="ID",
    help="Also fine-tune this checkpoint of the ranking; may be repeated.",
)
@click.option(
    "--how",
    type=HOWS,
    default="full",
    show_default=True,
    help="What to train: all weights, LoRA adapters, or only a head on frozen features.",
)
@click.option(
    "--time-per-checkpoint",
    type=Duration(),
    default="30m",
    show_default=True,
    metavar="TIME",
    help="Maximum for each checkpoint, such as 90s, 20m or 2h.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Random seed for the split into train, validation and test rows.",
)
@click.option(
    "--precision",
    type=PRECISIONS,
    default="auto",
    show_default=True,
    help="Precision of training. auto: mixed with bfloat16 if the hardware multiplies it, else float32.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, mps, cuda or cuda:N.")
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    metavar="N",
    help="Parallel processes on a CPU.",
)
@click.option("--fresh", is_flag=True, help="Discard earlier fine-tuning results.")
@click.option("--format", "form", type=FORMS, default="human", show_default=True, help="Output format.")
@common_options
def command(
    folder: Path,
    top: int,
    also: int,
    names: tuple[str, ...],
    how: str,
    time_per_checkpoint: float,
    seed: int,
    precision: str,
    device: str,
    workers: int,
    fresh: bool,
    form: str,
) -> None:
    """Fine-tune a few checkpoints of RUN, and compare the outcome with its ranking.

    Each starts from a linear head on frozen features and is trained on 60 % of the rows with two learning
    rates, until the loss on another 15 % stops falling. The remaining 25 % test the result, with the same
    kind of accuracy as in the ranking. Results are stored in RUN: the same command
    resumes where it was interrupted.

    \b
    hubscan verify runs/imdb --top 3 --also 2
    hubscan verify runs/imdb --top 10 --how head
    """  # noqa: D301 - click looks for the character, not for a backslash
    from hubscan.extract import device_at_hand
    from hubscan.finetune.precision import fastest
    from hubscan.progress import followed
    from hubscan.records import Training
    from hubscan.report.verified import as_json, as_text
    from hubscan.run import load_run
    from hubscan.verify.run import select_candidates, verify

    run = load_run(folder)
    candidates = select_candidates(run.scanned, top, also, names, seed)
    used = fastest(device_at_hand(device)) if precision == "auto" else precision
    training = Training(how=how, seconds=time_per_checkpoint, seed=seed, precision=used)  # type: ignore[arg-type]
    events = verify(run, candidates, training, device=device, workers=workers, fresh=fresh)
    try:
        verdict = followed(events, quiet=form == "quiet", count=len(candidates))
    except (KeyboardInterrupt, DiskError):
        say("To continue, run the same command again without --fresh", err=True)
        raise
    if form == "quiet":
        say(verdict.best.candidate.model)
    else:
        say(as_json(verdict) if form == "json" else as_text(verdict, run.ranking))
