"""Classifiers of 28x28 grey images that more than one chapter uses.

Every builder returns an uncompiled `keras.Model` made of Keras' own layers only, so a saved file reloads anywhere
without custom objects. Input of all of them: float images `(batch, 28, 28, 1)` with values 0 to 1, as
`datasets.as_images` makes them. Random starting weights come from Keras' global generator: call
`keras.utils.set_random_seed` first. The docstrings say which models end in a softmax (train with
`from_logits=False`) and which in logits (`from_logits=True`).
"""

import keras
from keras import layers

IMAGE_SHAPE = (28, 28, 1)
CLASSES = 10


def perceptron(hidden=128):
    """Return a multi-layer perceptron 784-128-10 with ReLU; its outputs are class probabilities.

    Parameters: 784*128 + 128 + 128*10 + 10 = 101,770 (hidden=128).
    Output: softmax, `(batch, 10)`.
    """
    images = keras.Input(IMAGE_SHAPE, name="images")
    x = layers.Flatten(name="flatten")(images)  # (batch, 784)
    x = layers.Dense(hidden, activation="relu", name="hidden")(x)  # (batch, 128)
    return keras.Model(
        images, layers.Dense(CLASSES, activation="softmax", name="digits")(x), name="perceptron"
    )


def beginner_cnn():
    """Return the common beginner's network: two convolution-pooling pairs and a dense layer; class probabilities.

    Parameters: 320 + 18,496 + 102,464 + 650 = 121,930.
    The widths 32-64 go back to the MNIST examples that Keras and TensorFlow ship.
    Output: softmax, `(batch, 10)`.
    """
    images = keras.Input(IMAGE_SHAPE, name="images")
    x = layers.Conv2D(32, 3, activation="relu", name="conv_1")(images)  # (batch, 26, 26, 32)
    x = layers.MaxPooling2D(2, name="pool_1")(x)  # (batch, 13, 13, 32)
    x = layers.Conv2D(64, 3, activation="relu", name="conv_2")(x)  # (batch, 11, 11, 64)
    x = layers.MaxPooling2D(2, name="pool_2")(x)  # (batch, 5, 5, 64)
    x = layers.Flatten(name="flatten")(x)  # (batch, 1600)
    x = layers.Dense(64, activation="relu", name="hidden")(x)  # (batch, 64)
    return keras.Model(
        images, layers.Dense(CLASSES, activation="softmax", name="digits")(x), name="beginner_cnn"
    )


def deeper_beginner_cnn():
    """Return the beginner's network with a third convolution after the second pooling; class probabilities.

    Parameters: 320 + 18,496 + 36,928 + 36,928 + 650 = 93,322: the third convolution shrinks the map to 3x3, so the
    dense layer after it, which holds most weights, gets smaller.
    Output: softmax, `(batch, 10)`.
    """
    images = keras.Input(IMAGE_SHAPE, name="images")
    x = layers.Conv2D(32, 3, activation="relu", name="conv_1")(images)  # (batch, 26, 26, 32)
    x = layers.MaxPooling2D(2, name="pool_1")(x)  # (batch, 13, 13, 32)
    x = layers.Conv2D(64, 3, activation="relu", name="conv_2")(x)  # (batch, 11, 11, 64)
    x = layers.MaxPooling2D(2, name="pool_2")(x)  # (batch, 5, 5, 64)
    x = layers.Conv2D(64, 3, activation="relu", name="conv_3")(x)  # (batch, 3, 3, 64)
    x = layers.Flatten(name="flatten")(x)  # (batch, 576)
    x = layers.Dense(64, activation="relu", name="hidden")(x)  # (batch, 64)
    return keras.Model(
        images, layers.Dense(CLASSES, activation="softmax", name="digits")(x), name="deeper_beginner_cnn"
    )


def fast_cnn():
    """Return the course's own network: three convolutions with batch normalisation, no pooling; **logits**.

    The first kernel is large, 7x7, and jumps three pixels at a time: where the beginner's network computes 26x26 places
    and lets pooling throw three of four away, this one computes 8x8. With that and narrower layers it needs about a
    fifth of the multiplications: 521,216 instead of 2,528,000 for one image forward. Batch normalisation brings its own
    shift, so the convolutions have no bias, and it bears the high learning rate that makes one or two epochs enough.

    Parameters: 784 + 4,608 + 18,432 in the kernels, 4 * (16 + 32 + 64) = 448 in the normalisations (half of them moving
    statistics, not trained), 10,250 in the last layer; 34,522 in all, 34,298 trained.
    Output: logits, `(batch, 10)`; train with `from_logits=True`, apply a softmax for probabilities.
    """
    x = images = keras.Input(IMAGE_SHAPE, name="images")
    for number, (channels, size, stride) in enumerate([(16, 7, 3), (32, 3, 1), (64, 3, 1)], start=1):
        # (batch, 8, 8, 16), then (batch, 6, 6, 32), then (batch, 4, 4, 64)
        x = layers.Conv2D(channels, size, strides=stride, use_bias=False, name=f"conv_{number}")(x)
        # Momentum 0.9, not Keras' 0.99: a run of a few hundred steps is over before 0.99 has forgotten its start.
        x = layers.BatchNormalization(momentum=0.9, name=f"norm_{number}")(x)
        x = layers.ReLU(name=f"relu_{number}")(x)
    x = layers.Flatten(name="flatten")(x)  # (batch, 1024)
    return keras.Model(images, layers.Dense(CLASSES, name="logits")(x), name="fast_cnn")
