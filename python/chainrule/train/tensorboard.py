"""TensorBoard event files, written without TensorBoard or protobuf.

A file is a sequence of records (length, checksum of the length, data, checksum of the data); the
data is a protobuf message ``Event``, of which the few fields written here are encoded by hand.
"""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule import Tensor

from .callback import Callback, warn_unwritten

__all__ = ["SummaryWriter", "TensorBoard"]

# ---------------------------------------------------------------- records


def _crc_table() -> list[int]:
    """Return the remainders of all bytes modulo the Castagnoli polynomial, reflected."""
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_CRC_TABLE = _crc_table()


def crc32c(data: bytes) -> int:
    """Return the CRC-32C of bytes.

    Example:
        >>> hex(cr.train.tensorboard.crc32c(b"123456789"))
        '0xe3069283'
    """
    table, crc = _CRC_TABLE, 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def _masked_crc(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + _masked_crc(length) + data + _masked_crc(data)


# ---------------------------------------------------------------- messages


def _varint(value: int) -> bytes:
    value &= 0xFFFFFFFFFFFFFFFF  # negative numbers are two's complement of 64 bits
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _int(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _double(field: int, value: float) -> bytes:
    return _varint(field << 3 | 1) + struct.pack("<d", value)


def _float(field: int, value: float) -> bytes:
    return _varint(field << 3 | 5) + bytes(np.float32(value).tobytes())


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _doubles(field: int, values: npt.NDArray[Any]) -> bytes:
    return _bytes(field, np.asarray(values, "<f8").tobytes())


def _event(step: int, summary: bytes) -> bytes:
    return _double(1, time.time()) + _int(2, step) + _bytes(5, summary)


def _value(tag: str, content: bytes) -> bytes:
    """Return a Summary of one Value."""
    return _bytes(1, _bytes(1, tag.encode()) + content)


def _histogram(values: npt.NDArray[Any], bins: int) -> bytes:
    """Return a HistogramProto of numbers."""
    values = values.astype(np.float64).ravel()
    counts, edges = np.histogram(values, bins=bins)
    return (
        _double(1, values.min())
        + _double(2, values.max())
        + _double(3, values.size)
        + _double(4, values.sum())
        + _double(5, float(values @ values))
        + _doubles(6, edges[1:])
        + _doubles(7, counts)
    )


def _png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Encode ``(H, W, 1 or 3 or 4)`` bytes as PNG, each row without a filter."""
    height, width, channels = pixels.shape
    colour = {1: 0, 3: 2, 4: 6}[channels]
    rows = np.zeros((height, 1 + width * channels), np.uint8)
    rows[:, 1:] = pixels.reshape(height, -1)

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    header = struct.pack(">2I5B", width, height, 8, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows.tobytes()))
        + chunk(b"IEND", b"")
    )


# ---------------------------------------------------------------- the writer


def _array(op: str, values: Any) -> npt.NDArray[Any]:
    array = np.asarray(values.detach() if isinstance(values, Tensor) else values)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{op}: got values of dtype {array.dtype}; expected numbers")
    return array


class SummaryWriter:
    """Write scalars, histograms and images for TensorBoard; the methods are torch's.

    Args:
        log_dir: the directory; each writer makes a file of its own in it.

    Raises:
        OSError: the file cannot be written.

    Example:
        >>> with cr.train.SummaryWriter("/tmp/runs/first") as writer:
        ...     for step in range(3):
        ...         writer.add_scalar("loss", 1 / (1 + step), step)
    """

    def __init__(self, log_dir: str | os.PathLike[str]) -> None:
        self.log_dir = os.fspath(log_dir)
        os.makedirs(self.log_dir, exist_ok=True)
        unique = f"{time.time():.6f}.{socket.gethostname()}.{os.getpid()}.{next(_numbers)}"
        self._file = open(  # noqa: SIM115 (closed by close)
            os.path.join(self.log_dir, f"events.out.tfevents.{unique}"), "xb"
        )
        self._lock = threading.Lock()
        self._write(_double(1, time.time()) + _bytes(3, b"brain.Event:2"))

    def _write(self, event: bytes) -> None:
        with self._lock:
            self._file.write(_record(event))

    def add_scalar(self, tag: str, scalar_value: Any, global_step: int = 0) -> None:
        """Write a number.

        Args:
            tag: the name of the curve; ``a/b`` puts it into the group a.
            scalar_value: a number or a tensor of one element.
            global_step: its place on the curve.
        """
        value = float(_array("add_scalar", scalar_value).reshape(()))
        self._write(_event(global_step, _value(tag, _float(2, value))))

    def add_histogram(self, tag: str, values: Any, global_step: int = 0, bins: int = 64) -> None:
        """Write how numbers are distributed.

        Args:
            tag: the name.
            values: numbers of any shape, at least one; those that are not finite are left out.
            global_step: the step.
            bins: intervals of equal width.

        Raises:
            ValueError: there is no finite number.
        """
        array = _array("add_histogram", values)
        array = array[np.isfinite(array)]
        if array.size == 0:
            raise ValueError(f"add_histogram: {tag!r} holds no finite number")
        self._write(_event(global_step, _value(tag, _bytes(5, _histogram(array, bins)))))

    def add_image(
        self, tag: str, img_tensor: Any, global_step: int = 0, dataformats: str = "CHW"
    ) -> None:
        """Write a picture.

        Args:
            tag: the name.
            img_tensor: ``(C, H, W)`` with 1, 3 or 4 channels; floats from 0 to 1, or uint8.
            global_step: the step.
            dataformats: the order of the dimensions, ``"CHW"``, ``"HWC"`` or ``"HW"``.

        Raises:
            ValueError: another shape.
        """
        array = _array("add_image", img_tensor)
        if dataformats not in ("CHW", "HWC", "HW") or array.ndim != len(dataformats):
            raise ValueError(
                f"add_image: got shape {array.shape} with dataformats={dataformats!r}; "
                "expected 'CHW', 'HWC' or 'HW' and as many dimensions"
            )
        if dataformats == "HW":
            array = array[:, :, None]
        elif dataformats == "CHW":
            array = array.transpose(1, 2, 0)
        if array.shape[2] not in (1, 3, 4) or 0 in array.shape:
            raise ValueError(
                f"add_image: height, width and channels are {array.shape}; expected 1, 3 or 4 "
                "channels and at least one pixel"
            )
        if array.dtype.kind == "f":
            array = np.rint(np.clip(np.nan_to_num(array), 0, 1) * 255)
        pixels = array.astype(np.uint8)
        height, width, channels = pixels.shape
        image = _int(1, height) + _int(2, width) + _int(3, channels) + _bytes(4, _png(pixels))
        self._write(_event(global_step, _value(tag, _bytes(4, image))))

    def flush(self) -> None:
        """Hand what was written to the operating system."""
        with self._lock:
            self._file.flush()

    def close(self) -> None:
        """Flush and close the file."""
        with self._lock:
            self._file.close()

    def __enter__(self) -> SummaryWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


_numbers = iter(range(2**62))  # tells the writers of one process and microsecond apart


class TensorBoard(Callback):
    """Log the numbers of each epoch for TensorBoard, ``val_`` columns beside their own.

    When the files cannot be written the training goes on, with a warning.

    Args:
        log_dir: the directory.
        histograms: every so many epochs, the distributions of all parameters and gradients; 0 for
            none.
        steps: log the loss of every so many steps as well; 0 for not.

    Attributes:
        writer: the :class:`SummaryWriter` while a training runs, for what else is to be logged.

    Example:
        >>> net = nn.Linear(1, 1)
        >>> _ = cr.train.fit(net, (cr.ones(2, 1), cr.ones(2, 1)), nn.MSELoss(),
        ...     optim.SGD(net.parameters()), callbacks=[cr.train.TensorBoard("/tmp/runs/second")],
        ...     progress=False)
    """

    rank = 1
    writer: SummaryWriter | None

    def __init__(
        self, log_dir: str | os.PathLike[str], histograms: int = 0, steps: int = 0
    ) -> None:
        if histograms < 0 or steps < 0:
            raise ValueError(
                f"TensorBoard: histograms and steps are at least 0 (got {histograms}, {steps})"
            )
        self.log_dir = log_dir
        self.histograms = histograms
        self.steps = steps
        self.writer = None

    def on_fit_begin(self, run: Any) -> None:
        """Open a file."""
        try:
            self.writer = SummaryWriter(self.log_dir)
        except OSError as error:
            self._give_up(error)

    def on_batch_end(self, run: Any) -> None:
        """Log the loss, if it is time."""
        if self.steps and run.step % self.steps == 0:
            self._scalars([("step/loss", run.loss.item())], run.step)

    def on_epoch_end(self, run: Any) -> None:
        """Log the epoch's numbers, and histograms if it is time."""
        self._scalars(
            (
                (f"{name.removeprefix('val_')}/{'val' if name.startswith('val_') else 'train'}", v)
                for name, v in run.logs.items()
            ),
            run.epoch,
        )
        try:
            if self.writer and self.histograms and run.epoch % self.histograms == 0:
                for name, parameter in run.model.named_parameters():
                    self.writer.add_histogram(f"parameters/{name}", parameter, run.epoch)
                    if parameter.grad is not None:
                        self.writer.add_histogram(f"gradients/{name}", parameter.grad, run.epoch)
            if self.writer:
                self.writer.flush()
        except OSError as error:
            self._give_up(error)

    def on_fit_end(self, run: Any) -> None:
        """Close the file."""
        if self.writer:
            try:
                self.writer.close()
            except OSError as error:
                self._give_up(error)
        self.writer = None

    def _scalars(self, values: Iterable[tuple[str, float]], step: int) -> None:
        try:
            for tag, value in values:
                if self.writer:
                    self.writer.add_scalar(tag, value, step)
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self.writer = None
        warn_unwritten(self, self.log_dir, error)
