"""Reverse-mode automatic differentiation on NumPy arrays, small enough to read from top to bottom.

    weight = Tensor([[1.0, 2.0]])
    loss = (weight * 3).exp().sum()
    loss.backward()
    weight.gradient                   # d loss / d weight, shape (1, 2)

Every operation makes a new `Tensor` that remembers where it came from: one pair (parent, rule) for each
argument. The rule is the operation's chain rule: it takes upstream = d loss / d result and returns d loss / d
parent. `backward` walks from the loss to the leaves, each tensor after all the tensors that were made from
it, and adds up what arrives. Operators stand beside their rules. Source of the idea: Linnainmaa 1970; Baydin
et al. 2018, https://jmlr.org/papers/v18/17-468.html; the size: micrograd,
https://github.com/karpathy/micrograd
"""

import numpy as np

from course_utils.checking import between, expect, float_array, integer_array, require_shape


def unbroadcast(gradient, shape):
    """Sum a gradient over the axes that broadcasting repeated: an element used n times gets n gradients."""
    if gradient.shape == shape:
        return gradient
    gradient = np.sum(gradient, axis=tuple(range(gradient.ndim - len(shape))))  # without axes added in front
    repeated = tuple(axis for axis, size in enumerate(shape) if size == 1 and gradient.shape[axis] != 1)
    return np.sum(gradient, axis=repeated, keepdims=True)  # shape


def topological_order(result):
    """Return all tensors behind `result`, each after its parents (depth first, by a list: no recursion limit)."""
    order, seen, stack = [], set(), [(result, False)]
    while stack:
        tensor, is_after_parents = stack.pop()
        if is_after_parents:
            order.append(tensor)
        elif id(tensor) not in seen:
            seen.add(id(tensor))
            stack.append((tensor, True))
            stack.extend((parent, False) for parent, _ in tensor.parents)
    return order


def _flat_shape(shape):
    """Return the shape meant by reshape(2, 3) or reshape((2, 3)), transpose(1, 0) or transpose((1, 0))."""
    return tuple(shape[0]) if len(shape) == 1 and np.ndim(shape[0]) == 1 else shape


class Tensor:
    """An array that remembers how it was computed.

    Args:
        data: float32 or float64 array; a number or a list becomes float64; a tensor gives its data only.
        needs_gradient: False for constants such as images: `backward` does no work for them.
        parents: pairs (tensor, rule), filled in by the operations.

    Attributes:
        data: the array.
        gradient: None before `backward`, then an array of the same shape and type.

    Gradients accumulate over calls of `backward`; set `gradient = None` to start again.
    Operators take tensors, arrays and numbers, and broadcast as NumPy does.
    """

    __array_ufunc__ = None  # so that array * tensor asks Tensor.__rmul__

    def __init__(self, data, needs_gradient=True, parents=()):
        self.data = float_array(data.data if isinstance(data, Tensor) else data, "data")
        self.gradient = None
        self.parents = tuple((parent, rule) for parent, rule in parents if parent.needs_gradient)
        self.needs_gradient = needs_gradient

    @property
    def shape(self):
        return self.data.shape

    def __repr__(self):
        return f"Tensor({self.data!r})"

    def backward(self, upstream=None):
        """Add d loss / d tensor to the `gradient` of this tensor and of all that it was computed from.

        Args:
            upstream: d loss / d self of the same shape as self; not needed if self is one number.

        Raises:
            ValueError: upstream is missing or of another shape, or self depends on constants only.
        """
        dependent = "应依赖某个 needs_gradient 的量", "a tensor that depends on one with needs_gradient"
        expect(self.needs_gradient, "backward", *dependent, "a constant")
        single = (
            "应为一个数，否则请给出 upstream",
            "one number (use .sum() or .mean()), or upstream of this shape",
        )
        expect(upstream is not None or self.data.size == 1, "backward", *single, f"shape {self.shape}")
        upstream = np.ones(self.shape) if upstream is None else np.asarray(upstream)
        require_shape(upstream, self.shape, "upstream")
        arrived = {id(self): upstream.astype(self.data.dtype)}  # in this call; .gradient holds older ones too
        for tensor in reversed(topological_order(self)):
            total = arrived.pop(id(tensor))
            for parent, rule in tensor.parents:
                contribution = unbroadcast(rule(total), parent.shape).astype(parent.data.dtype, copy=False)
                known = arrived.get(id(parent))
                arrived[id(parent)] = contribution if known is None else known + contribution
            tensor.gradient = np.array(total if tensor.gradient is None else tensor.gradient + total)

    def _result(self, data, *parents):
        return Tensor(data, any(parent.needs_gradient for parent, _ in parents), parents)

    def _operand(self, other, operator):
        """Return `other` as a tensor, after checking that it broadcasts; numbers take the type of self."""
        if not isinstance(other, Tensor):
            is_number = isinstance(other, (int, float, np.number))
            other = Tensor(self.data.dtype.type(other) if is_number else other, needs_gradient=False)
        try:
            np.broadcast_shapes(self.shape, other.shape)
        except ValueError:
            expect(
                False, operator, "形状应能广播", "shapes that broadcast", f"{self.shape} and {other.shape}"
            )
        return other

    def __add__(self, other):
        """Sum rule: d(a + b) = da + db."""
        other = self._operand(other, "+")
        return self._result(
            self.data + other.data, (self, lambda upstream: upstream), (other, lambda upstream: upstream)
        )

    def __mul__(self, other):
        """Product rule: d(a b) = b da + a db."""
        other = self._operand(other, "*")
        return self._result(
            self.data * other.data,
            (self, lambda upstream: upstream * other.data),
            (other, lambda upstream: upstream * self.data),
        )

    def __truediv__(self, other):
        """Quotient rule: d(a / b) = da / b - a db / b^2."""
        other = self._operand(other, "/")
        return self._result(
            self.data / other.data,
            (self, lambda upstream: upstream / other.data),
            (other, lambda upstream: -upstream * self.data / other.data**2),
        )

    def __pow__(self, exponent):
        """Power rule for a constant exponent: d(a^n) = n a^(n - 1) da."""
        wanted = "指数应为常数", "a number as exponent (else write (exponent * base.log()).exp())"
        expect(isinstance(exponent, (int, float, np.number)), "**", *wanted, type(exponent).__name__)
        return self._result(
            self.data**exponent, (self, lambda upstream: upstream * exponent * self.data ** (exponent - 1))
        )

    def __matmul__(self, other):
        """Matrix product: d(A B) = dA B + A dB. Axes before the last two are a batch and broadcast."""
        other = other if isinstance(other, Tensor) else Tensor(other, needs_gradient=False)
        fits = min(self.data.ndim, other.data.ndim) >= 2 and self.shape[-1] == other.shape[-2]
        shapes = "(..., n, k) and (..., k, m)"
        expect(fits, "@", f"形状应为 {shapes}", f"shapes {shapes}", f"{self.shape} and {other.shape}")
        return self._result(
            self.data @ other.data,  # (..., n, k) @ (..., k, m) -> (..., n, m)
            (self, lambda upstream: upstream @ np.swapaxes(other.data, -1, -2)),
            (other, lambda upstream: np.swapaxes(self.data, -1, -2) @ upstream),
        )

    def __neg__(self):
        return self * -1

    def __sub__(self, other):
        return self + -self._operand(other, "-")

    def __rsub__(self, other):
        return -self + other

    def __rtruediv__(self, other):
        return self._operand(other, "/") / self

    def __rmatmul__(self, other):
        return Tensor(other, needs_gradient=False) @ self

    __radd__, __rmul__ = __add__, __mul__

    def exp(self):
        """d exp(a) = exp(a) da."""
        result = np.exp(self.data)
        return self._result(result, (self, lambda upstream: upstream * result))

    def log(self):
        """Natural logarithm: d log(a) = da / a."""
        return self._result(np.log(self.data), (self, lambda upstream: upstream / self.data))

    def tanh(self):
        """d tanh(a) = (1 - tanh(a)^2) da."""
        result = np.tanh(self.data)
        return self._result(result, (self, lambda upstream: upstream * (1 - result**2)))

    def sigmoid(self):
        """s(a) = 1 / (1 + exp(-a)) = (1 + tanh(a / 2)) / 2, which cannot overflow: ds = s (1 - s) da."""
        result = 0.5 * (1 + np.tanh(0.5 * self.data))
        return self._result(result, (self, lambda upstream: upstream * result * (1 - result)))

    def relu(self):
        """max(a, 0): the gradient passes where a > 0; at 0 it is 0, as in TensorFlow."""
        return self._result(np.maximum(self.data, 0), (self, lambda upstream: upstream * (self.data > 0)))

    def sum(self, axis=None, keepdims=False):
        """Every summand receives the gradient of its sum. `axis`: None (all), a number or a tuple."""
        kept = np.sum(self.data, axis=axis, keepdims=True).shape  # summed axes have size 1
        return self._result(
            np.sum(self.data, axis=axis, keepdims=keepdims),
            (self, lambda upstream: np.broadcast_to(upstream.reshape(kept), self.shape)),
        )

    def mean(self, axis=None, keepdims=False):
        """Sum divided by the number of summands."""
        total = self.sum(axis, keepdims)
        return total * (total.data.size / self.data.size)

    def max(self, axis=None, keepdims=False):
        """The largest element receives the gradient; equal ones share it, as in TensorFlow."""
        largest = np.max(self.data, axis=axis, keepdims=True)  # reduced axes have size 1
        is_largest = self.data == largest  # self.shape
        share = is_largest / np.sum(is_largest, axis=axis, keepdims=True)  # self.shape
        return self._result(
            np.max(self.data, axis=axis, keepdims=keepdims),
            (self, lambda upstream: upstream.reshape(largest.shape) * share),
        )

    def reshape(self, *shape):
        """The same elements in another shape; the gradient goes back into the old one."""
        return self._result(
            self.data.reshape(_flat_shape(shape)), (self, lambda upstream: upstream.reshape(self.shape))
        )

    def transpose(self, *axes):
        """Axes in another order, reversed if none are given; the gradient takes the inverse order."""
        axes = _flat_shape(axes) or tuple(reversed(range(self.data.ndim)))
        return self._result(
            self.data.transpose(axes), (self, lambda upstream: upstream.transpose(np.argsort(axes)))
        )

    def __getitem__(self, index):
        """Elements chosen by slices or integer arrays; one chosen n times gets n gradients: np.add.at."""

        def rule(upstream):
            gradient = np.zeros_like(self.data)
            np.add.at(gradient, index, upstream)
            return gradient

        return self._result(self.data[index], (self, rule))

    def log_softmax(self, axis=-1):
        """l = a - log(sum(exp(a))): dl_i = da_i - sum_j softmax(a)_j da_j. Subtracts the largest a first."""
        shifted = self.data - np.max(self.data, axis=axis, keepdims=True)
        result = shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))
        return self._result(
            result,
            (self, lambda upstream: upstream - np.exp(result) * np.sum(upstream, axis=axis, keepdims=True)),
        )


def cross_entropy(logits, labels):
    """Return the mean of -log softmax(logits)[label]: logits (batch, classes), integer labels (batch,) -> ()."""
    labels = integer_array(labels, "labels", ("batch",))
    shapes = "logits (batch, classes) and labels (batch,)"
    fits = len(logits.shape) == 2 and labels.shape == logits.shape[:1]
    expect(fits, "labels", f"形状应为 {shapes}", shapes, f"{logits.shape} and {labels.shape}")
    between(0, logits.shape[1] - 1, labels=labels)
    return -logits.log_softmax()[np.arange(len(labels)), labels].mean()
