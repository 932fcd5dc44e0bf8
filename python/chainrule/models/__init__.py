"""Vision networks by name, with torchvision's arguments and state_dict keys.

The weights of a torchvision network load with ``strict=True`` once they are in a safetensors file
(``safetensors.torch.save_file(model.state_dict(), path)`` there, `chainrule.load_file` here);
nothing is downloaded. Besides the full sizes, made for pictures of 224 by 224, there are small ones
for 8 to 32 pixels and any number of colours: ``alexnet_small``, ``vgg_small``, ``googlenet_small``,
``resnet20``, ``resnet32``, ``resnet56``, and ``lenet`` for 28 or 32.

>>> model = cr.models.get_model("resnet20", in_channels=1)
>>> model(cr.zeros(2, 1, 28, 28)).shape
(2, 10)
"""

from .alexnet import AlexNet, alexnet, alexnet_small
from .googlenet import GoogLeNet, GoogLeNetOutputs, googlenet, googlenet_small
from .lenet import LeNet, lenet
from .mobilenetv2 import MobileNetV2, mobilenet_v2
from .registry import get_model, list_models
from .resnet import ResNet, resnet18, resnet20, resnet32, resnet34, resnet50, resnet56
from .vgg import (
    VGG,
    vgg11,
    vgg11_bn,
    vgg13,
    vgg13_bn,
    vgg16,
    vgg16_bn,
    vgg19,
    vgg19_bn,
    vgg_small,
)

__all__ = [
    "VGG",
    "AlexNet",
    "GoogLeNet",
    "GoogLeNetOutputs",
    "LeNet",
    "MobileNetV2",
    "ResNet",
    "alexnet",
    "alexnet_small",
    "get_model",
    "googlenet",
    "googlenet_small",
    "lenet",
    "list_models",
    "mobilenet_v2",
    "resnet18",
    "resnet20",
    "resnet32",
    "resnet34",
    "resnet50",
    "resnet56",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
    "vgg_small",
]
