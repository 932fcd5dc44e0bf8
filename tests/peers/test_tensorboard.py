"""Our event files as TensorBoard itself reads them, where it is installed."""

import io

import numpy as np
import pytest
from PIL import Image

from chainrule import train

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")


def test_tensorboard_reads_our_files(tmp_path):
    values = np.random.default_rng(0).standard_normal(1000)
    picture = np.random.default_rng(1).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    with train.SummaryWriter(tmp_path) as writer:
        for step in range(200):
            writer.add_scalar("loss/train", 1 / (1 + step), step)
        writer.add_histogram("weights", values, 7)
        writer.add_image("picture", picture.transpose(2, 0, 1), 8)

    read = accumulator.EventAccumulator(
        str(tmp_path), size_guidance={"scalars": 0, "histograms": 0, "images": 0}
    ).Reload()
    assert read.Tags()["scalars"] == ["loss/train"]
    curve = read.Scalars("loss/train")
    assert [event.step for event in curve] == list(range(200))
    np.testing.assert_allclose([event.value for event in curve], 1 / np.arange(1, 201), rtol=1e-6)
    (histogram,) = read.Histograms("weights")
    value = histogram.histogram_value
    assert (histogram.step, value.num, value.min) == (7, 1000, values.min())
    assert value.sum == pytest.approx(values.sum())
    assert value.sum_squares == pytest.approx(values @ values)
    np.testing.assert_array_equal(value.bucket, np.histogram(values, 64)[0])
    np.testing.assert_array_equal(value.bucket_limit, np.histogram(values, 64)[1][1:])
    (image,) = read.Images("picture")
    assert (image.step, image.width, image.height) == (8, 7, 5)
    np.testing.assert_array_equal(
        np.asarray(Image.open(io.BytesIO(image.encoded_image_string))), picture
    )
