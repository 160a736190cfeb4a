"""Philox4x32-10 and the golden test's numbers, evaluated exactly as src/base/random.h and tests/golden/golden.cpp do.

Every weight, pixel and label is a function of (name, index). Real values are base + scale * u with u a multiple of 2^-19
in [-1, 1), and base and scale short enough that the value is exact in float32: both sides start from equal bits.
"""
import functools

import numpy as np

SEED = 20170608
MASK = (1 << 64) - 1


def stream_of(purpose, a=0, b=0, c=0):
    h = 0xCBF29CE484222325
    for byte in purpose.encode():
        h = ((h ^ byte) * 0x100000001B3) & MASK
    for value in (a, b, c):
        h = (h + value + 0x9E3779B97F4A7C15) & MASK
        h = ((h ^ (h >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        h = ((h ^ (h >> 27)) * 0x94D049BB133111EB) & MASK
        h ^= h >> 31
    return h


def words(seed, stream, count):
    """Words 0..count-1 of one stream: word i is lane i%4 of block i/4."""
    pieces = []
    step = 1 << 20
    for begin in range(0, (count + 3) // 4, step):
        index = np.arange(begin, min(begin + step, (count + 3) // 4), dtype=np.uint64)
        low = np.uint64(0xFFFFFFFF)
        shift = np.uint64(32)
        c = [index & low, index >> shift, np.full_like(index, stream & 0xFFFFFFFF), np.full_like(index, stream >> 32)]
        k = [seed & 0xFFFFFFFF, seed >> 32]
        for _ in range(10):
            p0 = np.uint64(0xD2511F53) * c[0]
            p1 = np.uint64(0xCD9E8D57) * c[2]
            c = [(p1 >> shift) ^ c[1] ^ np.uint64(k[0]), p1 & low, (p0 >> shift) ^ c[3] ^ np.uint64(k[1]), p0 & low]
            k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
        pieces.append(np.stack(c, axis=1).astype(np.uint32).reshape(-1))
    return np.concatenate(pieces)[:count]


def values(name, shape, base, scale, step=0):
    count = int(np.prod(shape))
    u = (words(SEED, stream_of("golden " + name, step), count) >> np.uint32(12)).astype(np.int64) - (1 << 19)
    result = base + scale * (u * 2.0**-19)
    assert np.array_equal(result, result.astype(np.float32).astype(np.float64)), name
    return result.reshape(shape)


def labels(count, classes, step):
    return (words(SEED, stream_of("golden labels", step), count) % np.uint32(classes)).astype(np.int64)


def dropout_factors(shape, p, seed, step, worker, node):
    count = int(np.prod(shape))
    keep = words(seed, stream_of("dropout", step, worker, node), count) >= np.uint32(int(p * 2.0**32))
    return (keep / (1.0 - p)).reshape(shape)


@functools.lru_cache(maxsize=1)
def sign_words(count):
    return (words(SEED, stream_of("golden signs"), count) & np.uint32(7)).astype(np.uint8)


def summary(key, tensor, signs_for):
    """L2 norm, inner products with three vectors of +-1, and four elements."""
    x = np.asarray(tensor, dtype=np.float64).reshape(-1)
    bits = sign_words(signs_for)[: x.size]
    products = [float(np.sum(np.where(bits >> j & 1, x, -x))) for j in range(3)]
    chosen = words(SEED, stream_of("golden elements " + key), 4) % np.uint32(x.size)
    return [float(np.sqrt(np.sum(x * x)))] + products + [float(x[i]) for i in chosen]
