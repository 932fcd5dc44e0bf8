"""Networks against the same architectures written with torch.nn: keys, outputs and gradients."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import models

torch = pytest.importorskip("torch")
tn = torch.nn
relu = tn.functional.relu

# torch's __array__ does not know NumPy 2's copy argument yet.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


class Named(tn.Module):
    """Layers by name, applied as the function says."""

    def __init__(self, function, **layers):
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.function = function

    def forward(self, x):
        return self.function(self, x)


def residual(i, o, stride):
    def run(m, x):
        y = m.bn2(m.conv2(relu(m.bn1(m.conv1(x)))))
        return relu(y + (m.downsample(x) if hasattr(m, "downsample") else x))

    layers = {
        "conv1": tn.Conv2d(i, o, 3, stride, 1, bias=False),
        "bn1": tn.BatchNorm2d(o),
        "conv2": tn.Conv2d(o, o, 3, 1, 1, bias=False),
        "bn2": tn.BatchNorm2d(o),
    }
    if stride != 1 or i != o:
        layers["downsample"] = tn.Sequential(
            tn.Conv2d(i, o, 1, stride, bias=False), tn.BatchNorm2d(o)
        )
    return Named(run, **layers)


def resnet18(classes):
    def run(m, x):
        x = tn.functional.max_pool2d(relu(m.bn1(m.conv1(x))), 3, 2, 1)
        return m.fc(m.layer4(m.layer3(m.layer2(m.layer1(x)))).mean((2, 3)))

    stages = {
        f"layer{n}": tn.Sequential(residual(i, o, s), residual(o, o, 1))
        for n, i, o, s in [(1, 64, 64, 1), (2, 64, 128, 2), (3, 128, 256, 2), (4, 256, 512, 2)]
    }
    stem = {"conv1": tn.Conv2d(3, 64, 7, 2, 3, bias=False), "bn1": tn.BatchNorm2d(64)}
    return Named(run, **stem, **stages, fc=tn.Linear(512, classes))


def mobilenet_v2(classes):
    def conv(i, o, k, s=1, groups=1):
        return tn.Sequential(
            tn.Conv2d(i, o, k, s, k // 2, groups=groups, bias=False), tn.BatchNorm2d(o), tn.ReLU6()
        )

    def block(i, o, s, t):
        wide = [conv(i, i * t, 1)] if t > 1 else []
        narrow = [conv(i * t, i * t, 3, s, i * t), tn.Conv2d(i * t, o, 1, bias=False)]
        layers = tn.Sequential(*wide, *narrow, tn.BatchNorm2d(o))
        return Named(lambda m, x: m.conv(x) + (x if (s, i) == (1, o) else 0), conv=layers)

    features, i = [conv(3, 32, 3, 2)], 32
    for t, o, n, s in [
        (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
        (6, 320, 1, 1),
    ]:  # fmt: skip
        for j in range(n):
            features.append(block(i, o, 1 if j else s, t))
            i = o
    features.append(conv(320, 1280, 1))
    return Named(
        lambda m, x: m.classifier(m.features(x).mean((2, 3))),
        features=tn.Sequential(*features),
        classifier=tn.Sequential(tn.Dropout(0.2), tn.Linear(1280, classes)),
    )


def googlenet(classes):
    def conv(i, o, k=1, s=1):
        return Named(
            lambda m, x: relu(m.bn(m.conv(x))),
            conv=tn.Conv2d(i, o, k, s, k // 2, bias=False),
            bn=tn.BatchNorm2d(o, eps=1e-3),
        )

    def inception(i, a, b, c, d, e, f):
        return Named(
            lambda m, x: torch.cat([m.branch1(x), m.branch2(x), m.branch3(x), m.branch4(x)], 1),
            branch1=conv(i, a),
            branch2=tn.Sequential(conv(i, b), conv(b, c, 3)),
            branch3=tn.Sequential(conv(i, d), conv(d, e, 3)),
            branch4=tn.Sequential(tn.MaxPool2d(3, 1, 1, ceil_mode=True), conv(i, f)),
        )

    def head(i):
        return Named(
            lambda m, x: m.fc2(
                relu(m.fc1(m.conv(tn.functional.adaptive_avg_pool2d(x, 4)).flatten(1)))
            ),
            conv=conv(i, 128),
            fc1=tn.Linear(2048, 1024),
            fc2=tn.Linear(1024, classes),
        )

    def run(m, x):
        def pool(x, size=3):
            return tn.functional.max_pool2d(x, size, 2, ceil_mode=True)

        x = pool(m.conv3(m.conv2(pool(m.conv1(x)))))
        x = first = m.inception4a(pool(m.inception3b(m.inception3a(x))))
        x = second = m.inception4d(m.inception4c(m.inception4b(x)))
        x = m.inception5b(m.inception5a(pool(m.inception4e(x), 2)))
        return m.fc(x.mean((2, 3))), m.aux2(second), m.aux1(first)

    return Named(
        run,
        conv1=conv(3, 64, 7, 2),
        conv2=conv(64, 64),
        conv3=conv(64, 192, 3),
        inception3a=inception(192, 64, 96, 128, 16, 32, 32),
        inception3b=inception(256, 128, 128, 192, 32, 96, 64),
        inception4a=inception(480, 192, 96, 208, 16, 48, 64),
        inception4b=inception(512, 160, 112, 224, 24, 64, 64),
        inception4c=inception(512, 128, 128, 256, 24, 64, 64),
        inception4d=inception(512, 112, 144, 288, 32, 64, 64),
        inception4e=inception(528, 256, 160, 320, 32, 128, 128),
        inception5a=inception(832, 256, 160, 320, 32, 128, 128),
        inception5b=inception(832, 384, 192, 384, 48, 128, 128),
        aux1=head(512),
        aux2=head(528),
        fc=tn.Linear(1024, classes),
    )


def outputs(result):
    return result if isinstance(result, tuple) else (result,)


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("build", [resnet18, mobilenet_v2, googlenet])
def test_same_network(build, training):
    """In float64, so that the sums of batch norms on few pixels do not blur the comparison."""
    # No dropout, whose masks differ; the layers' own weights, which keep every signal alive.
    options = {
        "googlenet": {"dropout": 0.0, "dropout_aux": 0.0, "init_weights": False},
        "mobilenet_v2": {"dropout": 0.0},
    }
    ours = models.get_model(build.__name__, num_classes=7, **options.get(build.__name__, {}))
    theirs = build(7).double()
    if build is mobilenet_v2:
        theirs.classifier[0].p = 0.0
    ours.double()
    state = {key: torch.tensor(value.numpy()) for key, value in ours.state_dict().items()}
    assert list(state) == list(theirs.state_dict())
    theirs.load_state_dict(state, strict=True)
    ours.train(training)
    theirs.train(training)

    x = np.random.default_rng(0).standard_normal((2, 3, 64, 64))
    a, b = cr.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    found, expected = outputs(ours(a)), outputs(theirs(b))
    if not training:
        expected = expected[:1]
    assert len(found) == len(expected)
    for mine, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(
            mine.detach().numpy(), other.detach().numpy(), rtol=1e-7, atol=1e-9
        )
    sum(mine.square().sum() for mine in found).backward()
    sum(other.square().sum() for other in expected).backward()
    scale = b.grad.abs().max().item()
    assert scale > 0
    np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-6, atol=1e-8 * scale)
    gradients = {key: p.grad for key, p in theirs.named_parameters()}
    for key, parameter in ours.named_parameters():
        if gradients[key] is None:  # the heads, in evaluation
            assert parameter.grad is None
            continue
        other = gradients[key].numpy()
        atol = 1e-7 * max(np.abs(other).max(), 1e-3)
        np.testing.assert_allclose(parameter.grad.numpy(), other, 1e-6, atol, err_msg=key)


def test_weights_of_torch_through_safetensors(tmp_path):
    """The way the documentation describes, counters of batches included."""
    save_file = pytest.importorskip("safetensors.torch").save_file
    theirs, ours = resnet18(7).eval(), models.resnet18(num_classes=7).eval()
    save_file(theirs.state_dict(), tmp_path / "resnet18.safetensors")
    ours.load_state_dict(cr.load_file(tmp_path / "resnet18.safetensors"), strict=True)
    x = np.random.default_rng(0).standard_normal((1, 3, 64, 64)).astype(np.float32)
    with cr.no_grad(), torch.no_grad():
        found, expected = ours(cr.tensor(x)).numpy(), theirs(torch.tensor(x)).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
