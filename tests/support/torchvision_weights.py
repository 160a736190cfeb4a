#!/usr/bin/env python3
"""torchvision's side of tests/interop/torch_test.py. Needs PyPI's torch, torchvision and safetensors. One thread.

  torchvision_weights.py init MODEL CLASSES SET SIDE OUT       initial weights, statistics of SET's images; OUT.safetensors, OUT.pth
  torchvision_weights.py evaluate MODEL CLASSES WEIGHTS SET SIDE   counts as JSON
  torchvision_weights.py step MODEL CLASSES WEIGHTS SET SIDE OUT   one step of SGD over all images of SET in each of STEPS:
                                                                   OUT-NAME.safetensors, and the losses as JSON

SET is a folder of class folders; every image is resized to SIDE + SIDE / 8, and the centre cropped.
"""
import json
import sys
from pathlib import Path

import safetensors.torch
import torch
import torchvision
from torchvision import transforms


def build(model, classes, weights=None):
    torch.manual_seed(1)
    net = getattr(torchvision.models, model)(num_classes=int(classes))
    if weights:
        net.load_state_dict(safetensors.torch.load_file(weights), strict=True)
    return net


def images_of(folder, side):
    side = int(side)
    look = transforms.Compose([transforms.Resize(side + side // 8), transforms.CenterCrop(side), transforms.ToTensor(),
                               transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])])
    data = torchvision.datasets.ImageFolder(folder, look)
    pairs = [data[i] for i in range(len(data))]
    return torch.stack([x for x, _ in pairs]), torch.tensor([y for _, y in pairs])


def init(model, classes, folder, side, out):
    net = build(model, classes)
    norms = [m for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0  # the statistics of this minibatch: with those of initialization all images look alike
    if norms:
        with torch.no_grad():
            net.train()(images_of(folder, side)[0])
    for norm in norms:
        norm.num_batches_tracked.zero_()
    safetensors.torch.save_file(net.state_dict(), out + ".safetensors")
    torch.save(net.state_dict(), out + ".pth")


def evaluate(model, classes, weights, folder, side):
    net = build(model, classes, weights).eval()
    x, y = images_of(folder, side)
    with torch.no_grad():
        logits = torch.cat([net(part) for part in x.split(16)])
    top = logits.topk(5, dim=1).indices
    loss = torch.nn.functional.cross_entropy(logits, y)
    print(json.dumps({"images": len(y), "correct1": int((top[:, 0] == y).sum()), "correct5": int((top == y[:, None]).any(1).sum()),
                      "loss": float(loss), "classes": sorted(set(top[:, 0].tolist())), "first": top[:, 0].tolist()}))


# The same step in every arithmetic that PyTorch has for it: name -> dtype, layout, its oneDNN or its own convolutions.
STEPS = {"float64": (torch.float64, torch.contiguous_format, True), "float32": (torch.float32, torch.contiguous_format, True),
         "channels_last": (torch.float32, torch.channels_last, True), "own": (torch.float32, torch.contiguous_format, False)}


def step(model, classes, weights, folder, side, out):
    x, y = images_of(folder, side)
    losses = {}
    for name, (dtype, layout, onednn) in STEPS.items():
        net = build(model, classes, weights).train().to(dtype=dtype, memory_format=layout)
        optimizer = torch.optim.SGD(net.parameters(), 0.001, momentum=0.9, weight_decay=1e-3, nesterov=True)
        with torch.backends.mkldnn.flags(enabled=onednn):
            loss = torch.nn.functional.cross_entropy(net(x.to(dtype=dtype, memory_format=layout)), y)
            loss.backward()
        optimizer.step()
        safetensors.torch.save_file({key: value.contiguous() for key, value in net.state_dict().items()}, f"{out}-{name}.safetensors")
        losses[name] = float(loss)
    print(json.dumps(losses))


if __name__ == "__main__":
    torch.set_num_threads(1)
    {"init": init, "evaluate": evaluate, "step": step}[sys.argv[1]](*sys.argv[2:])
