"""Right and typically wrong answers of chapter 9a; each wrong one beside a word of the hint that must name it."""

import math

import ml_dtypes
import numpy as np
import tensorflow as tf


def _new_time(shares, factors):
    return 1 - sum(shares) + sum(share / factor for share, factor in zip(shares, factors, strict=True))


def _product(shares, factors):
    return math.prod(1 / _new_time([share], [factor]) for share, factor in zip(shares, factors, strict=True))


def _data(source, decode, augment, batch_size):
    data = source.map(decode).cache().shuffle(source.cardinality())
    return data.map(augment).batch(batch_size).prefetch(tf.data.AUTOTUNE)


def _chain(build):
    return lambda source, decode, augment, size: build(source, decode, augment, size, source.cardinality())


def _add(number, even=False):
    def rounded(values):
        bits = values.view("uint32")
        bits = bits + np.uint32(number) + ((bits >> 16) & 1 if even else np.uint32(0))
        return (bits & np.uint32(0xFFFF0000)).astype("uint32").view("float32")

    return rounded


ANSWERS = {
    "09a.speedup": {
        "right": [lambda shares, factors: 1 / _new_time(shares, factors)],
        "wrong": [
            (_new_time, "old time over new time"),
            (lambda p, s: 1 / sum(a / b for a, b in zip(p, s, strict=True)), "the rest"),
            (lambda p, s: 1 - sum(p) + sum(a * b for a, b in zip(p, s, strict=True)), "average"),
            (lambda p, s: math.prod(s), "shares matter"),
            (_product, "do not multiply"),
        ],
    },
    "09a.training_data": {
        "right": [
            _data,
            _chain(lambda d, f, g, b, n: d.map(f).cache().map(g).shuffle(n).batch(b).prefetch(1)),
            _chain(lambda d, f, g, b, n: d.shuffle(n).map(f).cache().shuffle(n).map(g).batch(b).prefetch(1)),
        ],
        "wrong": [
            (_chain(lambda d, f, g, b, n: d.map(f).map(g).cache().shuffle(n).batch(b)), "frozen"),
            (_chain(lambda d, f, g, b, n: d.cache().map(f).shuffle(n).map(g).batch(b)), "decodes again"),
            (_chain(lambda d, f, g, b, n: d.shuffle(n).map(f).cache().map(g).batch(b)), "same order"),
            (
                _chain(lambda d, f, g, b, n: d.map(f).cache().map(g).batch(b).shuffle(n)),
                "neighbours",
            ),
            (_chain(lambda d, f, g, b, n: d.map(f).cache().map(g).batch(b)), "neighbours"),
            (_chain(lambda d, f, g, b, n: d.map(f).cache().shuffle(8).map(g).batch(b)), "too small"),
            (
                _chain(
                    lambda d, f, g, b, n: (
                        d.map(f).cache().shuffle(n, reshuffle_each_iteration=False).map(g).batch(b)
                    )
                ),
                "same order",
            ),
            (
                _chain(
                    lambda d, f, g, b, n: d.map(f).cache().shuffle(n).map(g).batch(b, drop_remainder=True)
                ),
                "short batch",
            ),
            (_chain(lambda d, f, g, b, n: d.map(f).cache().shuffle(n).repeat().map(g).batch(b)), "repeat"),
        ],
    },
    "09a.to_bfloat16": {
        "right": [
            _add(0x7FFF, even=True),
            lambda values: values.astype(ml_dtypes.bfloat16).astype("float32"),
        ],
        "wrong": [
            (_add(0), "cuts off"),
            (_add(0x8000), "tie was rounded up"),
            (_add(0x7FFF), "tie was rounded down"),
            (_add(0xFFFF), "nearer to 1: it should not"),
            (lambda values: values.astype("float16").astype("float32"), "not cleared"),
            (lambda values: values.astype(ml_dtypes.bfloat16), "float32 array"),
            (lambda values: values.view("uint32"), "float32 array"),
        ],
    },
}
