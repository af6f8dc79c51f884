"""Fine-tune an encoder on the train rows of a sample, and predict the test rows."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from accelerate.utils.memory import clear_device_cache, should_reduce_batch_size
from torch import nn

from hubscan import extract
from hubscan.encoders.protocols import Encoder, Prepared
from hubscan.encoders.static import StaticEncoder
from hubscan.errors import CheckpointError
from hubscan.extract import Progress, batches, exact, moved
from hubscan.finetune.cached_inputs import CachedInputs
from hubscan.finetune.ema import WeightAverage
from hubscan.finetune.head import Head, fitted
from hubscan.finetune.precision import mixed
from hubscan.finetune.split import Split, split_rows
from hubscan.finetune.targets import Given, Target
from hubscan.records import Training

if TYPE_CHECKING:
    import numpy.typing as npt

    from hubscan.records import Input, Rows, Sample

WEIGHT_DECAY: Final = 0.01
AVERAGED_EPOCHS: Final = 2
PATIENT_STEPS: Final = 160  # least number of steps without improvement before a rate is given up
LONGEST_GRADIENT: Final = 1.0
PART_TOKENS: Final = 4_096  # per forward pass; a step of `Training.batch` rows consists of several
LORA_RANK: Final = 16
OF_TABLES: Final = 100.0  # learning rate of a table of token vectors relative to that of a network


@dataclass(frozen=True)
class Outcome:
    """The result of fine-tuning one checkpoint."""

    predictions: npt.NDArray[Any]  # for the test rows in their order, see `Target.predictions`
    frozen: npt.NDArray[Any]  # the same by the head on frozen features, before fine-tuning
    rate: float | None  # the best learning rate; None if none improved on the frozen features
    epochs: int  # of training at that rate until the best state
    settled: bool  # whether every rate stopped improving; otherwise time or epochs ran out
    trained: int  # number of trained weights


def fine_tuned(
    encoder: Encoder,
    inputs: Sequence[Input],
    sample: Sample,
    training: Training,
    device: str,
    progress: Progress | None = None,
    rows: Split | None = None,
) -> Outcome:
    """Fine-tune *encoder* as *training* says, and return its predictions for the test rows.

    A linear head is fitted to the frozen features first, and fine-tuning starts from there: a randomly
    initialised head would distort the pretrained features (Kumar et al., ICLR 2022, arXiv 2202.10054).

    Each learning rate is tried from that start, with AdamW and one epoch of warm-up, until the validation
    rows have not improved for `patience` epochs and 160 steps. The second condition matters for short epochs
    (225 rows are eight steps), because the loss can rise at first: MobileNet reached .925 on digits in five
    such epochs and .971 in twenty; its frozen features give .917. Validation uses the average of the weights
    over about the last two epochs, which has the same effect as lowering the rate (Izmailov et al., UAI 2018,
    arXiv 1803.05407). A table of token vectors is trained with a hundred times each rate: a step moves a
    vector by just the rate, no layer amplifies it, and most vectors get few steps. On four of five datasets
    this was .4 to 1.4 points better, and on one .3 worse.

    The best of all states on the validation rows, including the start, predicts the test rows. *rows* is the
    split; by default that of `split_rows`.

    Raises:
        CheckpointError: if the encoder cannot be trained in the requested way.
    """
    with _without_denormals(), exact(next(encoder.model.parameters()).dtype):
        return _fine_tuned(encoder, inputs, sample, training, device, progress, rows)


@contextmanager
def _without_denormals() -> Iterator[None]:
    """Flush denormal numbers such as 1e-40 to zero in the block: they slow CPUs down a hundred times."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def _fine_tuned(
    encoder: Encoder,
    inputs: Sequence[Input],
    sample: Sample,
    training: Training,
    device: str,
    progress: Progress | None,
    rows: Split | None,
) -> Outcome:
    set_seed(training.seed)  # numpy too: SpecAugment draws its masks with it
    rows, target = rows or split_rows(sample, training.seed), Target.of(sample)
    features = torch.from_numpy(extract.extract(encoder, inputs, device).matrix)
    head = fitted(features, target, rows)
    with torch.no_grad():
        test, validation = (_of_head(head, features, part) for part in (rows.test, rows.validation))
        frozen = target.predictions(test, validation)
    weights = sum(weight.numel() for weight in head.parameters())
    if training.how == "head":
        return Outcome(frozen, frozen, None, 0, True, weights)
    if training.how == "lora":
        encoder = _with_lora(encoder)
    else:
        encoder.model.requires_grad_(True)
    tuner = _Tuner(encoder, inputs, head, target, rows, training, device)
    return tuner.outcome(frozen, progress)


def _of_head(head: Head, features: torch.Tensor, rows: Rows) -> Given:
    return head(features[rows]), torch.from_numpy(rows)


class _Tuner:
    """Tries the learning rates, and keeps the best state."""

    def __init__(
        self,
        encoder: Encoder,
        inputs: Sequence[Input],
        head: Head,
        target: Target,
        rows: Split,
        training: Training,
        device: str,
    ) -> None:
        self.accelerator = Accelerator(cpu=device == "cpu", mixed_precision="no")
        self.place = self.accelerator.device
        self.encoder, self.target, self.training = encoder, target, training
        self.head = head.to(self.place)
        self.network = nn.ModuleList([encoder.model.to(self.place), self.head])
        self.autocast = mixed(training, encoder.model, self.place)
        prepared = encoder.prepare(inputs)
        self.prepared: Prepared = CachedInputs(prepared) if isinstance(inputs[0], bytes) else prepared
        self.of_part = _windows(self.prepared, rows, len(target.values))
        self.budget = PART_TOKENS
        self.ends = time.monotonic() + training.seconds
        self.best, self.state = self._merit(), _copied(self.network)
        self.start = self.state
        self.rate: float | None = None
        self.epochs = 0
        self._settled = False

    def outcome(self, frozen: npt.NDArray[Any], progress: Progress | None) -> Outcome:
        """Try every rate, and return the predictions of the best state for the test rows."""
        settled = True
        pace = OF_TABLES if isinstance(self.encoder, StaticEncoder) else 1.0
        for number, rate in enumerate(pace * rate for rate in self.training.rates):
            self.network.load_state_dict(self.start)
            for epoch, merit in self._epochs(rate):
                if progress:
                    progress(number * self.training.epochs + epoch, self._most_epochs)
                if merit > self.best:
                    self.best, self.state = merit, _copied(self.network)
                    self.rate, self.epochs = rate, epoch
            settled &= self._settled
        self.network.load_state_dict(self.state)
        windows = self.of_part
        test, validation = (self._given(part.tolist()) for part in (windows.test, windows.validation))
        predictions = self.target.predictions(test, validation)
        trained = sum(weight.numel() for weight in self._weights())
        return Outcome(predictions, frozen, self.rate, self.epochs, settled, trained)

    @property
    def _most_epochs(self) -> int:
        return self.training.epochs * len(self.training.rates)

    def _epochs(self, rate: float) -> Iterator[tuple[int, float]]:
        """Train with *rate*, and yield the number and merit of each epoch until they stop improving."""
        optimiser = torch.optim.AdamW(list(self._weights()), lr=rate, weight_decay=WEIGHT_DECAY)
        steps = math.ceil(len(self.of_part.train) / self.training.batch)
        average = WeightAverage(list(self._weights()), AVERAGED_EPOCHS * steps)
        warmed = torch.optim.lr_scheduler.LinearLR(optimiser, 1 / (steps + 1), total_iters=steps)
        shuffle = np.random.default_rng(self.training.seed)
        best, waited = -math.inf, 0  # the first epoch, the warm-up, may be worse than the start
        self._settled = False
        for epoch in range(1, self.training.epochs + 1):
            for step in np.array_split(shuffle.permutation(self.of_part.train), steps):
                if time.monotonic() > self.ends:
                    return
                self._step(step.tolist(), optimiser)
                warmed.step()
                average.follow()
            with average.in_place():
                merit = self._merit()
                yield epoch, merit
            best, waited = (merit, 0) if merit > best else (best, waited + 1)
            if waited >= max(self.training.patience, PATIENT_STEPS / steps):
                self._settled = True
                return

    def _step(self, step: list[int], optimiser: torch.optim.Optimizer) -> None:
        """Take one step with the mean gradient of the windows *step*, in parts that fit in memory."""
        _to_train(self.network)
        vectors = len(self.prepared.vectors(step))
        while True:
            optimiser.zero_grad()
            try:
                for part in self._in_parts(step):
                    given, rows = self._forward(part)
                    loss = self.target.loss(given, rows) * (len(rows) / vectors)
                    self.accelerator.backward(loss)
                break
            except RuntimeError as error:
                if not should_reduce_batch_size(error) or self.budget < 2:
                    raise
            self.budget //= 2
            clear_device_cache(garbage_collection=True)
        nn.utils.clip_grad_norm_(list(self._weights()), LONGEST_GRADIENT)
        optimiser.step()

    def _in_parts(self, windows: Sequence[int]) -> Iterator[list[int]]:
        lengths = self.prepared.lengths
        for part in batches([lengths[window] for window in windows], self.budget):
            yield [windows[place] for place in part]

    def _forward(self, windows: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        model = self.encoder.model
        batch = moved(self.prepared.batch(windows), self.place, next(model.parameters()).dtype)
        with self.autocast:
            vectors = next(iter(self.encoder.encode(batch).values()))
        return self.head(vectors.float()), torch.tensor(self.prepared.vectors(windows))

    @torch.inference_mode()
    def _given(self, windows: Sequence[int]) -> Given:
        """Return the outputs of the head for the rows in *windows*, and the numbers of those rows."""
        self.network.eval()
        pairs = [self._forward(part) for part in self._in_parts(windows)]
        return torch.cat([given.float().cpu() for given, _ in pairs]), torch.cat([rows for _, rows in pairs])

    def _merit(self) -> float:
        """Return minus the loss of the validation rows, after temperature scaling; −∞ if it is not finite.

        With a hundred rows the loss is far more precise than the accuracy. Temperature scaling is needed
        because a network becomes overconfident before its predictions get worse.
        """
        loss = self.target.loss_at_best_confidence(*self._given(self.of_part.validation.tolist()))
        return -loss if math.isfinite(loss) else -math.inf

    def _weights(self) -> Iterator[nn.Parameter]:
        return (weight for weight in self.network.parameters() if weight.requires_grad)


def _to_train(network: nn.Module) -> None:
    """Set *network* to training mode, except its batch norms, which keep their pretrained statistics.

    A few hundred rows of other images, 32 at a time, estimate these statistics worse than pretraining did,
    and the features that the head was fitted to would change with the first step. In addition, some
    checkpoints would forget all but the last batch: MobileNet's momentum of .997 follows TensorFlow's
    convention, which is one minus torch's.
    """
    network.train()
    for part in network.modules():
        if isinstance(part, nn.modules.batchnorm._NormBase) and part.running_mean is not None:
            part.eval()


def _windows(prepared: Prepared, rows: Split, count: int) -> Split:
    """Return the windows of *prepared* in each part; with token labels, a window has several rows."""
    part_of = np.empty(count, dtype=np.int64)
    for number, part in enumerate(rows):
        part_of[part] = number
    first = np.array([prepared.vectors([window])[0] for window in range(len(prepared.lengths))])
    return Split(*(np.flatnonzero(part_of[first] == number) for number in range(len(rows))))


def _with_lora(encoder: Encoder) -> Encoder:
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise CheckpointError("--how lora needs peft: pip install 'hubscan[lora]'") from error
    linear = [name for name, part in encoder.model.named_modules() if isinstance(part, nn.Linear)]
    if not linear:
        raise CheckpointError("has no linear layers for LoRA to adapt; use --how full")
    config = LoraConfig(r=LORA_RANK, lora_alpha=2 * LORA_RANK, target_modules=linear)
    inject_adapter_in_model(config, encoder.model)  # the original weights are already frozen
    return encoder


def _copied(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}
