"""Networks by name: keys, counts, initial weights, small variants that learn, sentences."""

import math

import numpy as np
import pytest

import chainrule as cr
from chainrule import models, nn, optim
from chainrule.apps._digits_data import load_digits

# The number of parameters, as torchvision publishes it.
COUNTS = {
    "alexnet": 61_100_840,
    "googlenet": 13_004_888,
    "mobilenet_v2": 3_504_872,
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "vgg11": 132_863_336,
    "vgg11_bn": 132_868_840,
    "vgg13": 133_047_848,
    "vgg13_bn": 133_053_736,
    "vgg16": 138_357_544,
    "vgg16_bn": 138_365_992,
    "vgg19": 143_667_240,
    "vgg19_bn": 143_678_248,
}
SMALL = ["alexnet_small", "googlenet_small", "resnet20", "resnet32", "resnet56", "vgg_small"]


@pytest.fixture
def undrawn(monkeypatch):
    """Leave weights as the system hands the memory out, so that no page of it is touched."""
    for name in ("kaiming_normal_", "kaiming_uniform_", "normal_", "trunc_normal_", "uniform_"):
        monkeypatch.setattr(nn.init, name, lambda tensor, *args, **options: tensor)


def count(model):
    return sum(parameter.numel() for parameter in model.parameters())


def shapes(model):
    return {key: tuple(value.shape) for key, value in model.state_dict().items()}


@pytest.mark.parametrize("name", COUNTS)
def test_count_of_parameters(name, undrawn):
    assert count(models.get_model(name)) == COUNTS[name]


def test_count_without_heads_and_of_lenet(undrawn):
    assert count(models.googlenet(aux_logits=False)) == 6_624_904
    assert count(models.lenet()) == 61_706
    assert count(models.lenet(input_size=32)) == 61_706


@pytest.mark.parametrize(
    ("name", "depth"),
    [("alexnet", 8), ("vgg16", 16), ("vgg19", 19), ("resnet18", 18), ("resnet50", 50)],
)
def test_layers_with_weights(name, depth, undrawn):
    """The numbers in the names do not count shortcuts."""
    layers = [
        key
        for key, module in models.get_model(name).named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear) and "downsample" not in key
    ]
    assert len(layers) == depth


def test_googlenet_is_22_layers_deep(undrawn):
    """Two in each of nine modules one behind the other, three before them and one behind."""
    model = models.googlenet(aux_logits=False)
    depth = 0
    for child in model.children():
        convolutions = [m for m in child.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        depth += 2 if hasattr(child, "branch2") else len(convolutions)
    assert depth == 22


# ---------------------------------------------------------------- torchvision's keys


def test_keys_of_alexnet(undrawn):
    assert shapes(models.alexnet()) == {
        "features.0.weight": (64, 3, 11, 11),
        "features.0.bias": (64,),
        "features.3.weight": (192, 64, 5, 5),
        "features.3.bias": (192,),
        "features.6.weight": (384, 192, 3, 3),
        "features.6.bias": (384,),
        "features.8.weight": (256, 384, 3, 3),
        "features.8.bias": (256,),
        "features.10.weight": (256, 256, 3, 3),
        "features.10.bias": (256,),
        "classifier.1.weight": (4096, 9216),
        "classifier.1.bias": (4096,),
        "classifier.4.weight": (4096, 4096),
        "classifier.4.bias": (4096,),
        "classifier.6.weight": (1000, 4096),
        "classifier.6.bias": (1000,),
    }


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("vgg11", (0, 3, 6, 8, 11, 13, 16, 18)),
        ("vgg16", (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)),
        ("vgg13_bn", (0, 3, 7, 10, 14, 17, 21, 24, 28, 31)),
        ("vgg19", (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34)),
    ],
)
def test_keys_of_vgg(name, places, undrawn):
    found = shapes(models.get_model(name))
    convolutions = [key for key, shape in found.items() if len(shape) == 4]
    assert convolutions == [f"features.{place}.weight" for place in places]
    linear = {k: s for k, s in found.items() if k.startswith("classifier") and len(s) == 2}
    assert linear == {
        "classifier.0.weight": (4096, 25088),
        "classifier.3.weight": (4096, 4096),
        "classifier.6.weight": (1000, 4096),
    }
    norms = [key.split(".")[1] for key in found if key.endswith("running_mean")]
    assert norms == ([str(place + 1) for place in places] if name.endswith("bn") else [])


NORM = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]


def test_keys_of_resnet(undrawn):
    found = shapes(models.resnet50())
    assert len(found) == 320
    assert list(found)[:6] == ["conv1.weight", *(f"bn1.{key}" for key in NORM)]
    assert list(found)[-2:] == ["fc.weight", "fc.bias"]
    assert found["conv1.weight"] == (64, 3, 7, 7)
    assert found["layer1.0.downsample.0.weight"] == (256, 64, 1, 1)
    assert found["layer1.2.conv3.weight"] == (256, 64, 1, 1)
    assert found["layer2.0.conv2.weight"] == (128, 128, 3, 3)
    assert found["layer4.0.downsample.1.running_var"] == (2048,)
    assert found["layer4.2.bn3.num_batches_tracked"] == ()
    found = shapes(models.resnet18())
    assert len(found) == 122
    block = [key.removeprefix("layer2.0.") for key in found if key.startswith("layer2.0.")]
    assert block == [
        "conv1.weight", *(f"bn1.{key}" for key in NORM),
        "conv2.weight", *(f"bn2.{key}" for key in NORM),
        "downsample.0.weight", *(f"downsample.1.{key}" for key in NORM),
    ]  # fmt: skip


def test_keys_of_googlenet(undrawn):
    found = shapes(models.googlenet())
    tops = list(dict.fromkeys(key.split(".")[0] for key in found))
    names = ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b")
    inceptions = [f"inception{name}" for name in names]
    assert tops == ["conv1", "conv2", "conv3", *inceptions, "aux1", "aux2", "fc"]
    weights = {
        key.removeprefix("inception4d."): shape
        for key, shape in found.items()
        if key.startswith("inception4d.") and len(shape) == 4
    }
    assert weights == {
        "branch1.conv.weight": (112, 512, 1, 1),
        "branch2.0.conv.weight": (144, 512, 1, 1),
        "branch2.1.conv.weight": (288, 144, 3, 3),
        "branch3.0.conv.weight": (32, 512, 1, 1),
        "branch3.1.conv.weight": (64, 32, 3, 3),
        "branch4.1.conv.weight": (64, 512, 1, 1),
    }
    assert found["aux2.conv.conv.weight"] == (128, 528, 1, 1)
    assert found["aux1.fc1.weight"] == (1024, 2048)
    assert "conv1.bn.running_mean" in found


def test_keys_of_mobilenet(undrawn):
    found = shapes(models.mobilenet_v2())
    assert len(found) == 314
    assert found["features.0.0.weight"] == (32, 3, 3, 3)
    assert found["features.1.conv.0.0.weight"] == (32, 1, 3, 3)
    assert found["features.1.conv.1.weight"] == (16, 32, 1, 1)
    assert found["features.2.conv.0.0.weight"] == (96, 16, 1, 1)
    assert found["features.2.conv.3.running_var"] == (24,)
    assert found["features.18.0.weight"] == (1280, 320, 1, 1)
    assert found["classifier.1.weight"] == (1000, 1280)


def test_widths_of_mobilenet(undrawn):
    assert count(models.mobilenet_v2(width_mult=0.5)) == 1_968_680
    narrow = models.mobilenet_v2(width_mult=0.1, round_nearest=4, num_classes=3)
    assert {p.shape[0] % 4 for key, p in narrow.named_parameters() if "features" in key} == {0}


# ---------------------------------------------------------------- initial weights


def test_initial_weights_by_fan_out():
    model = models.vgg_small(num_classes=4)
    weight = model.features[10].weight  # 64 to 64 channels
    assert weight.std().item() == pytest.approx(math.sqrt(2 / (64 * 9)), rel=0.03)
    assert all(not layer.bias.any() for layer in model.features if isinstance(layer, nn.Conv2d))
    model = models.VGG(nn.Conv2d(3, 64, 3), 4, channels=64, grid=1, hidden=256)
    assert model.classifier[0].weight.std().item() == pytest.approx(0.01, rel=0.03)
    assert not model.classifier[0].bias.any()
    model = models.mobilenet_v2(num_classes=100)
    assert model.classifier[1].weight.std().item() == pytest.approx(0.01, rel=0.03)
    model = models.resnet20()
    assert model.fc.weight.abs().max().item() <= 1 / 8  # its own: uniform by fan-in
    assert model.fc.bias.any()
    weight = model.layer3[1].conv1.weight
    assert weight.std().item() == pytest.approx(math.sqrt(2 / (64 * 9)), rel=0.03)


def test_initial_weights_of_googlenet():
    model = models.googlenet(aux_logits=False, num_classes=10)
    assert model.inception5b.branch1.conv.weight.std().item() == pytest.approx(0.01, rel=0.03)
    assert model.fc.weight.std().item() == pytest.approx(0.01, rel=0.03)
    own = models.googlenet(aux_logits=False, num_classes=10, init_weights=False)
    assert own.fc.weight.abs().max().item() <= 1 / 32


def test_residuals_begin_as_the_identity():
    model = models.resnet20(zero_init_residual=True)
    assert not model.layer1[0].bn2.weight.any()
    x = cr.rand(2, 16, 8, 8)
    assert cr.equal(model.layer1[0](x), x)
    assert not models.resnet50(zero_init_residual=True).layer1[0].bn3.weight.any()


# ---------------------------------------------------------------- forward and learning


@pytest.mark.parametrize("name", ["alexnet", "googlenet", "mobilenet_v2", "resnet18", "resnet50"])
def test_one_photograph(name):
    model = models.get_model(name).eval()
    with cr.no_grad():
        logits = model(cr.rand(1, 3, 224, 224))
    assert logits.shape == (1, 1000)
    assert logits.isfinite().all()
    assert logits.std() > 0


def test_vgg19_takes_one_photograph(undrawn):
    """The biggest, with memory that is all zeros until the first convolution is filled."""
    model = models.vgg19(num_classes=3).eval()
    with cr.no_grad():
        maps = model.features(cr.rand(1, 3, 32, 32))
        assert maps.shape == (1, 512, 1, 1)
        assert model.avgpool(maps).shape == (1, 512, 7, 7)


def test_heads_of_googlenet():
    model = models.googlenet(num_classes=5, width_mult=0.25)
    x = cr.rand(2, 3, 64, 64)
    out = model(x)
    assert isinstance(out, models.GoogLeNetOutputs)
    out.aux_logits1.sum().backward(retain_graph=True)
    assert model.aux1.fc2.weight.grad is not None
    assert model.aux2.fc2.weight.grad is None
    assert model.inception4b.branch1.conv.weight.grad is None  # behind the first head
    out.aux_logits2.sum().backward()
    assert model.aux2.fc2.weight.grad is not None
    assert model.inception4e.branch1.conv.weight.grad is None
    assert model.eval()(x).shape == (2, 5)


def test_transform_of_colours():
    """A colour at ImageNet's mean becomes (mean - 0.5) / 0.5."""
    plain = models.googlenet(num_classes=5, width_mult=0.25, aux_logits=False).eval()
    moved = models.googlenet(
        num_classes=5, width_mult=0.25, aux_logits=False, transform_input=True
    ).eval()
    moved.load_state_dict(plain.state_dict())
    mean = cr.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    std = cr.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    picture = cr.rand(1, 3, 32, 32)
    with cr.no_grad():
        found, expected = moved((picture - mean) / std), plain((picture - 0.5) / 0.5)
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [8, 28, 32])
@pytest.mark.parametrize("name", SMALL)
def test_small_pictures(name, size):
    model = models.get_model(name, num_classes=7, in_channels=2)
    logits = model(cr.rand(2, 2, size, size))
    assert logits.shape == (2, 7)
    logits.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize(
    ("name", "epochs"),
    [("lenet", 4), ("alexnet_small", 8), ("googlenet_small", 3), ("resnet20", 4), ("vgg_small", 4)],
)
def test_small_ones_learn_digits(name, epochs):
    digits = load_digits(None, np.random.default_rng(0))
    train, test = [
        (cr.tensor(part.images).unsqueeze(1), cr.tensor(part.labels))
        for part in (digits.train, digits.test)
    ]
    if name == "lenet":
        train, test = [(nn.functional.interpolate(x, size=28), y) for x, y in (train, test)]
    model = models.get_model(name, in_channels=1)
    loss, optimizer = nn.CrossEntropyLoss(), optim.Adam(model.parameters(), lr=2e-3)
    # Small last steps let the running statistics of the batch norms catch up with the weights.
    slower = cr.train.LRSchedule(optim.lr_scheduler.ExponentialLR(optimizer, 0.7))
    options = {"epochs": epochs, "batch_size": 20, "callbacks": [slower], "progress": False}
    cr.train.fit(model, train, loss, optimizer, **options)
    assert cr.train.evaluate(model, test, loss, metrics="accuracy")["accuracy"] > 0.85


# ---------------------------------------------------------------- names and sentences


def test_list_of_models():
    names = models.list_models()
    assert names == sorted(names)
    assert set(names) == {*COUNTS, *SMALL, "lenet"}
    assert models.list_models("vgg1?_bn") == ["vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn"]
    assert all(getattr(models, name).__name__ == name for name in names)


def test_model_by_name():
    model = models.get_model("LeNet", num_classes=3)
    assert isinstance(model, models.LeNet)
    assert model.classifier[-1].out_features == 3
    with pytest.raises(ValueError, match="no network 'resnet19'; did you mean resnet"):
        models.get_model("resnet19")
    with pytest.raises(TypeError, match="name=3; expected a string"):
        models.get_model(3)
    with pytest.raises(ValueError, match=r"no network 'zzz'; expected one of \['alexnet'"):
        models.get_model("zzz")


@pytest.mark.parametrize("wanted", [{"weights": "IMAGENET1K_V1"}, {"pretrained": True}])
def test_no_weights_are_downloaded(wanted):
    with pytest.raises(ValueError, match=r"resnet18: .* not downloaded .*load_state_dict"):
        models.resnet18(**wanted)
    models.resnet20(weights=None, pretrained=False)  # what torchvision takes for no weights


def test_weights_from_a_local_file(tmp_path):
    model = models.resnet20()
    cr.save_file(model.state_dict(), tmp_path / "resnet20.safetensors")
    again = models.resnet20()
    again.load_state_dict(cr.load_file(tmp_path / "resnet20.safetensors"))
    x = cr.rand(1, 3, 16, 16)
    assert cr.equal(again.eval()(x), model.eval()(x))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: models.lenet(input_size=8), "LeNet: input_size is 28 or 32 .got 8.; vgg_small"),
        (
            lambda: models.GoogLeNet(in_channels=1, transform_input=True),
            "GoogLeNet: transform_input is for three colours .got in_channels=1",
        ),
        (
            lambda: models.GoogLeNet(width_mult=0.0),
            "GoogLeNet: width_mult is positive .got 0.0",
        ),
        (
            lambda: models.mobilenet_v2(width_mult=float("nan")),
            "MobileNetV2: width_mult and round_nearest are positive .got width_mult=nan",
        ),
        (
            lambda: models.resnet18(widths=(8, 16)),
            r"ResNet: expected a width for each stage .got layers=\[2, 2, 2, 2\]",
        ),
        (
            lambda: models.mobilenet_v2(inverted_residual_setting=[[6, 24, 2]]),
            r"MobileNetV2: inverted_residual_setting=\[\[6, 24, 2\]\]; expected \(expansion",
        ),
    ],
)
def test_sentences(build, message):
    with pytest.raises(ValueError, match=message):
        build()
