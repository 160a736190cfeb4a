"""The update rules and schedules of the papers and their codes, written down from the publications in float64 numpy,
each on its own and without any of the program's code. w, g, v: weights, mean gradient, velocity of one tensor; `k` holds
the numbers: m momentum, D the job's weight decay, d this tensor's (D or 0), a and a_prev the rates, eta trust, eps."""
from math import exp, floor, sqrt

import numpy as np


def norm(x):
    return sqrt(float(np.dot(x, x)))


def alive(*norms):
    return all(n > 0 for n in norms)


# ---- SGD (Goyal et al. 2017, eq. 9 and 10; sec. 3 for the correction)
def sgd_outside(w, g, v, k):
    u = k.m * v + g + k.d * w
    return w - k.a * u, u


def sgd_outside_nesterov(w, g, v, k):
    g = g + k.d * w
    u = k.m * v + g
    return w - k.a * (g + k.m * u), u


def sgd_inside(w, g, v, k):
    v = k.m * v + k.a * (g + k.d * w)
    return w - v, v


def sgd_inside_corrected(w, g, v, k):
    v = k.m * (k.a / k.a_prev if k.a_prev > 0 else 1) * v + k.a * (g + k.d * w)
    return w - v, v


# ---- LARS, one function a variant; `adapts` is false for tensors that the variant skips
def paper(w, g, v, k):  # You, Gitman, Ginsburg 2017, Algorithm 1
    ratio = 1.0
    if k.adapts and alive(norm(w), norm(g)):
        ratio = k.eta * norm(w) / (norm(g) + k.d * norm(w) + k.eps)
    v = k.m * v + k.a * ratio * (g + k.d * w)
    return w - v, v


def caffe(w, g, v, k):  # GetLocalRate takes the solver's weight_decay, not the tensor's
    ratio = 1.0
    if k.adapts and alive(norm(w), norm(g)):
        ratio = k.eta * norm(w) / (norm(g) + k.D * norm(w) + k.eps)
    v = k.m * v + k.a * ratio * (g + k.d * w)
    return w - v, v


def intel_caffe(w, g, v, k):  # Normalize, Regularize, then ComputeUpdateValue
    g = g + k.d * w
    ratio = 1.0
    if k.adapts and alive(norm(w), norm(g)):
        ratio = k.eta * norm(w) / (norm(g) + k.D * norm(w) + k.eps)
    m = k.m
    if k.warming_up and k.a_prev > 0:
        m = m * (k.a / k.a_prev)
    v = m * v + k.a * ratio * g
    return w - v, v


def nvcaffe_larc_scale(w, g, v, k):
    local = 1.0
    if alive(norm(w), norm(g)):
        local = k.eta * norm(w) / (norm(g) + k.eps)
    v = k.m * v + k.a * local * (g + k.d * w)
    return w - v, v


def nvcaffe_larc_clip(w, g, v, k):
    local = 1.0
    if alive(norm(w), norm(g)):
        local = k.eta * norm(w) / (norm(g) + k.eps)
    v = k.m * v + min(k.a, local) * (g + k.d * w)
    return w - v, v


def mlperf(w, g, v, k):  # apply_momentum(learning_rate=1, grad * scaled_lr); the decay of what is skipped is 0
    scaled_lr = k.a
    if k.adapts:
        if alive(norm(w), norm(g)):
            scaled_lr = k.a * (k.eta * norm(w) / (norm(g) + k.D * norm(w) + k.eps))
        g = g + k.D * w
    v = k.m * v + scaled_lr * g
    return w - v, v


def mlperf_scaled(w, g, v, k):  # the gradient is that of the loss with its L2 term; apply_momentum(scaled_lr, grad)
    g = g + k.d * w
    scaled_lr = k.a
    if k.adapts and alive(norm(w), norm(g)):
        scaled_lr = k.a * (k.eta * norm(w) / (norm(g) + k.d * norm(w) + k.eps))
    v = k.m * v + g
    return w - scaled_lr * v, v


def nvidia(w, g, v, k):
    ratio = 1.0
    if k.adapts and alive(norm(w), norm(g)):
        ratio = k.eta * norm(w) / (norm(g) + k.d * norm(w) + k.eps)
    momentum = k.m * (k.a / k.a_prev) if k.a_prev > 0 else k.m
    v = momentum * v + k.a * ratio * (g + k.d * w)
    return w - v, v


def larc(w, g, v, k, clip):  # optimizer.step() of the wrapped SGD runs without weight decay
    if alive(norm(w), norm(g)):
        adaptive_lr = k.eta * norm(w) / (norm(g) + norm(w) * k.d + k.eps)
        if clip:
            adaptive_lr = min(adaptive_lr / k.a, 1)
        g = (g + k.d * w) * adaptive_lr
    buffer = k.m * v + g
    return w - k.a * buffer, buffer


def larc_scale(w, g, v, k):
    return larc(w, g, v, k, clip=False)


def larc_clip(w, g, v, k):
    return larc(w, g, v, k, clip=True)


EVERYTHING = ("weight", "bias", "norm")
# name: the rule, the roles that adapt, the roles that decay
LARS = {
    "paper": (paper, EVERYTHING, EVERYTHING),
    "caffe": (caffe, EVERYTHING, EVERYTHING),
    "intel-caffe": (intel_caffe, EVERYTHING, EVERYTHING),
    "nvcaffe-larc-scale": (nvcaffe_larc_scale, EVERYTHING, EVERYTHING),
    "nvcaffe-larc-clip": (nvcaffe_larc_clip, EVERYTHING, EVERYTHING),
    "mlperf": (mlperf, ("weight",), ("weight",)),
    "mlperf-scaled": (mlperf_scaled, ("weight",), ("weight",)),
    "nvidia": (nvidia, ("weight",), ("weight", "bias")),
    "larc-scale": (larc_scale, EVERYTHING, EVERYTHING),
    "larc-clip": (larc_clip, EVERYTHING, EVERYTHING),
}


# ---- RMSprop warm-up (Akiba et al. 2017)
def alpha_sgd(epoch, literal, center=10, period=5):
    if epoch < center:
        return 0.5 * exp(2 * (epoch - center) / period)
    if epoch < center + period / 2:
        return 0.5 + (2 if literal else 1) * (epoch - center) / period
    return 1.0


def rmsprop_warmup(literal, per_epoch, eta_rmsprop=3e-4, mu1=0.9, mu2=0.99, eps=1e-8):
    def rule(w, g, state, k):  # state: Delta and m of the paper
        delta, m = state
        g = g + k.d * w
        alpha = alpha_sgd(floor(k.epoch) if per_epoch else k.epoch, literal)
        alpha_rmsprop = (1 - alpha) * eta_rmsprop / k.a
        m = mu2 * m + (1 - mu2) * g * g
        delta = mu1 * delta - (alpha + alpha_rmsprop / (np.sqrt(m) + eps)) * g
        return w + k.a * delta, (delta, m)

    return rule


# ---- Schedules: the rate of step s of S, and the length of the warm-up
def gradual(start, peak, s, length):
    return start + (peak - start) * s / length


def poly(peak, s, total, power=2):
    return peak * (1 - s / total) ** power
