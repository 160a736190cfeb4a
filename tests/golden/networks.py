"""The networks in plain torch.nn.functional, with convoy's node names. Parameters are made by Network.param on first use,
so each network is written once. Orders of calls are those of the node ids, which choose the dropout masks."""
import math

import numpy as np
import torch
import torch.nn.functional as F

import counter


def short_scale(bound):
    """The nearest m * 2^e with m in 4..7: exact times 20 bits in float32."""
    e = math.floor(math.log2(bound)) - 2
    return min(8, max(4, round(bound / 2.0**e))) * 2.0**e


class Network:
    def __init__(self, name, options):
        self.name, self.options, self.dtype = name, options, options.get("dtype", torch.float64)
        self.specs, self.params, self.stats = {}, {}, {}  # name -> [base, scale]; name -> tensor
        self.roles = {}

    def start(self, images, labels, step):
        self.nodes, self.step = {}, step
        return self.node("input", images, leaf=True), labels

    def node(self, name, tensor, leaf=False):
        assert name not in self.nodes, name
        if leaf:
            tensor.requires_grad_(True)
        elif self.options["keep"]:
            tensor.retain_grad()
        self.nodes[name] = tensor
        return tensor

    def param(self, name, shape, base, scale, role):
        if name not in self.params:
            self.specs[name], self.roles[name] = [base, scale], role
            self.params[name] = torch.from_numpy(counter.values(name, shape, base, scale)).to(self.dtype).requires_grad_(True)
        return self.params[name]

    def conv(self, name, x, outputs, kernel, stride=1, padding=0, groups=1, bias=False):
        inputs = x.shape[1] // groups
        w = self.param(name + ".weight", (outputs, inputs, kernel, kernel), 0.0,
                       short_scale(math.sqrt(6.0 / (inputs * kernel * kernel))), "weight")
        b = self.param(name + ".bias", (outputs,), 0.0, 2.0**-4, "bias") if bias else None
        return self.node(name, F.conv2d(x, w, b, stride, padding, 1, groups))

    def norm(self, name, x, affine=True, epsilon=1e-5, ends_block=False):
        # The last norm of a residual block starts small, which keeps 50 layers well conditioned, as zero gamma does.
        c, size = x.shape[1], 2.0**-2 if ends_block else 1.0
        gamma = self.param(name + ".weight", (c,), size, size * 2.0**-2, "norm_scale") if affine else None
        beta = self.param(name + ".bias", (c,), 0.0, 2.0**-2, "norm_shift") if affine else None
        mean = self.stats.setdefault(name + ".running_mean", torch.zeros(c, dtype=self.dtype))
        var = self.stats.setdefault(name + ".running_var", torch.ones(c, dtype=self.dtype))
        keep = float(np.float32(0.9))
        return self.node(name, F.batch_norm(x, mean, var, gamma, beta, True, 1 - keep, float(np.float32(epsilon))))

    def relu(self, name, x):
        return self.node(name, F.relu(x))

    def max_pool(self, name, x, padding=0):
        return self.node(name, F.max_pool2d(x, 3, 2, padding))

    def lrn(self, name, x):
        return self.node(name, F.local_response_norm(x, 5, float(np.float32(1e-4)), 0.75, 1.0))

    def linear(self, name, x, outputs):
        x = x.flatten(1)
        scale = short_scale(math.sqrt(6.0 / x.shape[1])) / (8 if outputs == self.options["classes"] else 1)
        w = self.param(name + ".weight", (outputs, x.shape[1]), 0.0, scale, "weight")
        return self.node(name, F.linear(x, w, self.param(name + ".bias", (outputs,), 0.0, 2.0**-4, "bias")))

    def dropout(self, name, x):
        factors = counter.dropout_factors(x.shape, self.options["dropout"], counter.SEED, self.step, 0, len(self.nodes))
        return self.node(name, x * torch.from_numpy(factors).to(self.dtype))

    def loss(self, x, labels):
        return self.node("loss", F.cross_entropy(x, labels, reduction="none",
                                                 label_smoothing=float(np.float32(self.options["smoothing"]))))


def resnet(net, x, labels):
    depth, v1 = (18, False) if net.name == "resnet18" else (50, net.name.endswith("v1"))
    blocks = {18: (2, 2, 2, 2), 50: (3, 4, 6, 3)}[depth]

    def conv_norm(prefix, i, x, outputs, kernel, stride, relu):
        x = net.conv(f"{prefix}conv{i}", x, outputs, kernel, stride, kernel // 2)
        x = net.norm(f"{prefix}bn{i}", x, ends_block=not relu)
        return net.relu(f"{prefix}bn{i}.relu", x) if relu else x

    x = net.max_pool("maxpool", conv_norm("", 1, x, 64, 7, 2, True), 1)
    for stage in range(4):
        for block in range(blocks[stage]):
            name, width, stride = f"layer{stage + 1}.{block}", 64 << stage, 2 if stage > 0 and block == 0 else 1
            src, prefix = x, name + "."
            if depth == 18:
                outputs = width
                x = conv_norm(prefix, 1, x, width, 3, stride, True)
                x = conv_norm(prefix, 2, x, width, 3, 1, False)
            else:
                outputs = 4 * width
                x = conv_norm(prefix, 1, x, width, 1, stride if v1 else 1, True)
                x = conv_norm(prefix, 2, x, width, 3, 1 if v1 else stride, True)
                x = conv_norm(prefix, 3, x, outputs, 1, 1, False)
            if stride != 1 or src.shape[1] != outputs:
                src = net.norm(name + ".downsample.1", net.conv(name + ".downsample.0", src, outputs, 1, stride))
            x = net.relu(name + ".relu", net.node(name + ".add", x + src))
    x = net.node("avgpool", F.avg_pool2d(x, x.shape[2]))
    return net.loss(net.linear("fc", x, net.options["classes"]), labels)


def alexnet_caffe(net, x, labels):
    bn = net.name == "alexnet-bn"

    def part(x, number, outputs, kernel, stride, padding, groups):
        x = net.conv(f"conv{number}", x, outputs, kernel, stride, padding, groups, bias=True)
        return net.relu(f"relu{number}", x)

    for number, kernel, stride, padding, groups, outputs in ((1, 11, 4, 0, 1, 96), (2, 5, 1, 2, 2, 256)):
        x = part(x, number, outputs, kernel, stride, padding, groups)
        if not bn:
            x = net.lrn(f"norm{number}", x)
        x = net.max_pool(f"pool{number}", x)
        if bn:
            x = net.norm(f"bn{number + 1}", x, affine=False, epsilon=1e-4)
    x = part(x, 3, 384, 3, 1, 1, 1)
    if bn:
        x = net.norm("bn4", x, affine=False, epsilon=1e-4)
    x = part(x, 4, 384, 3, 1, 1, 2)
    if bn:
        x = net.norm("bn5", x, affine=False, epsilon=1e-4)
    x = net.max_pool("pool5", part(x, 5, 256, 3, 1, 1, 2))
    for number in (6, 7):
        x = net.dropout(f"drop{number}", net.relu(f"relu{number}", net.linear(f"fc{number}", x, 4096)))
    return net.loss(net.linear("fc8", x, net.options["classes"]), labels)


def alexnet_torchvision(net, x, labels):
    def features(x, number, outputs, kernel, stride, padding):
        x = net.conv(f"features.{number}", x, outputs, kernel, stride, padding, bias=True)
        return net.relu(f"features.{number + 1}", x)

    x = net.max_pool("features.2", features(x, 0, 64, 11, 4, 2))
    x = net.max_pool("features.5", features(x, 3, 192, 5, 1, 2))
    for number, outputs in ((6, 384), (8, 256), (10, 256)):
        x = features(x, number, outputs, 3, 1, 1)
    x = net.dropout("classifier.0", net.max_pool("features.12", x))
    x = net.dropout("classifier.3", net.relu("classifier.2", net.linear("classifier.1", x, 4096)))
    x = net.relu("classifier.5", net.linear("classifier.4", x, 4096))
    return net.loss(net.linear("classifier.6", x, net.options["classes"]), labels)


BUILDERS = {"resnet18": resnet, "resnet50-v1": resnet, "resnet50-v1.5": resnet, "alexnet-original": alexnet_caffe,
            "alexnet-bn": alexnet_caffe, "alexnet-torchvision": alexnet_torchvision}
