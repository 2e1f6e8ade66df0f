"""The twins that draw random numbers, and their generator; they are imported by reference.py.

Element i of an array takes the generator's words for the block of four that it lies in: a number
depends on the seed, the step and its place, and on no number before it.
"""

from __future__ import annotations

import numpy as np


def philox(counter, key):
    """Philox4x32-10 (Salmon et al., 2011): counter (n, 4), key (2,) -> words (n, 4), uint32."""
    c = [np.asarray(counter[:, i], np.uint64) for i in range(4)]
    k = [int(part) for part in key]
    low = np.uint64(0xFFFFFFFF)
    for _ in range(10):
        first, second = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        high = [part >> np.uint64(32) for part in (first, second)]
        c = [
            high[1] ^ c[1] ^ np.uint64(k[0]),
            second & low,
            high[0] ^ c[3] ^ np.uint64(k[1]),
            first & low,
        ]
        k = [(k[0] + 0x9E3779B9) % 2**32, (k[1] + 0xBB67AE85) % 2**32]
    return np.stack(c, axis=1).astype(np.uint32)


def words(state, n):
    """The first n words (n,), uint32, for ``state`` (seed, step).

    Words 4 i to 4 i + 3 are Philox's for the counter (i, step) and the key seed.
    """
    blocks = np.arange((n + 3) // 4, dtype=np.uint64)
    seed, step = (int(part) % 2**64 for part in state)
    counter = np.empty((len(blocks), 4), np.uint64)
    counter[:, 0], counter[:, 1] = blocks % 2**32, blocks >> np.uint64(32)
    counter[:, 2], counter[:, 3] = step % 2**32, step >> 32
    return philox(counter, (seed % 2**32, seed >> 32)).reshape(-1)[:n]


def _fractions(state, n, dtype):
    """Whole numbers and how many there are of them: a word each, or 53 bits of two for float64."""
    if dtype == np.float32:
        return words(state, n).astype(np.float64), 2.0**32
    pairs = words(state, 2 * n).astype(np.uint64).reshape(n, 2)
    wide = pairs[:, 0] | pairs[:, 1] << np.uint64(32)
    return (wide >> np.uint64(11)).astype(np.float64), 2.0**53


def random_uniform(out, state):
    """Fill with multiples of 2**-24 (float32) or 2**-53 (float64) in [0, 1), all as likely."""
    whole, many = _fractions(state, out.size, out.dtype)
    if out.dtype == np.float32:
        whole, many = np.floor(whole / 2**8), 2.0**24
    out[...] = (whole / many).reshape(out.shape)
    return out


def random_normal(out, state):
    """Fill with standard normal numbers, made two by two from two uniform ones.

    (Box, Muller, 1958.)  sqrt(-2 log u) times the cosine and the sine of 2 pi v, in float64, with u
    in (0, 1] and v in [0, 1) of all the bits that there are.
    """
    n = out.size + out.size % 2
    whole, many = _fractions(state, n, out.dtype)
    radius = np.sqrt(-2 * np.log((whole[::2] + 1) / many))
    angle = 2 * np.pi * (whole[1::2] / many)
    both = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    out[...] = both.reshape(-1)[: out.size].reshape(out.shape)
    return out


def random_integers(out, bounds, state):
    """Fill with integers from bounds[0] to bounds[1], both included (after Lemire, 2019).

    The 128 bits of block i, times the number of integers, over 2**128: without a rejection, so that
    each element has a block of its own, some are likelier than others by less than 2**-64.
    """
    low, high = (int(part) for part in bounds)
    span = (high - low + 1) % 2**64 or 2**64
    found = []
    for block in words(state, 4 * out.size).reshape(-1, 4).tolist():
        bits = sum(word << 32 * i for i, word in enumerate(block))
        found.append((low + (bits * span >> 128) + 2**63) % 2**64 - 2**63)
    out[...] = np.array(found, np.int64).reshape(out.shape)
    return out
