"""Nine optimisers in NumPy, equal to Keras' step by step.

Every optimiser has one method to call, `update(parameters, gradients)`, which takes two lists of arrays and
returns the new parameters; the arrays that came in are never changed. The mathematics of each is its `rule`,
a few lines that read like the formula above them. What all of them share stands in `Optimizer`: checking
shapes, the learning rate of the current step, weight decay, and the memory ("slots") kept for each parameter.

Symbols: w parameter, g gradient of the loss at w, eta learning rate, t number of the update (1 at the first),
lambda weight decay. Products, squares and roots are element by element. Defaults are those of Keras 3.15.
"""

from types import SimpleNamespace

import numpy as np

from course_utils.checking import at_least, expect, require_shape, share


class Optimizer:
    """What all optimisers share; a subclass adds `slot_names` and `rule`.

    One update does, for each parameter, in this order (as Keras does):

        w <- w - eta lambda w        decoupled weight decay, if `weight_decay` is set (biases included)
        w <- rule(w, g)              g was computed before the decay

    Args:
        learning_rate: a number, or a function of the number of updates done so far (0, 1, 2, ...), for
            instance from `course_utils.reference.schedules`.
        weight_decay: lambda, or None for no decay. It is multiplied by the learning rate and never enters the
            slots, which is why it differs from an L2 term in the loss for every optimiser but plain gradient
            descent.
            Source: Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101
    """

    slot_names = ()  # one array of the parameter's shape is remembered under each name
    slot_start = 0.0  # the value these arrays start from

    def __init__(self, learning_rate, weight_decay=None):
        if not callable(learning_rate):
            at_least(0, learning_rate=learning_rate)
        if weight_decay is not None:
            at_least(0, weight_decay=weight_decay)
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.iterations = 0  # updates done so far
        self.slots = None  # one namespace per parameter, made at the first update

    def update(self, parameters, gradients):
        """Return the parameters after one update; the given arrays stay as they are.

        Args:
            parameters: list of float arrays of any shapes; the same shapes in the same order at every call.
            gradients: list of arrays, gradients[i] of the shape of parameters[i].

        Returns:
            A list of new arrays with the parameters' shapes and types.

        Raises:
            ValueError: the lists, a shape or a type do not fit; nothing has been changed then.
        """
        parameters, gradients = self._checked(parameters, gradients)
        learning_rate = self.current_learning_rate()
        if self.slots is None:
            self.slots = [self._new_slots(index, parameter) for index, parameter in enumerate(parameters)]
        updated = []
        for parameter, gradient, slots in zip(parameters, gradients, self.slots, strict=True):
            weight_decay = self.weight_decay_of(parameter, slots)
            if weight_decay is not None:
                parameter = parameter - parameter * weight_decay * learning_rate
            new_parameter = self.rule(parameter, gradient, slots, learning_rate)
            updated.append(np.array(new_parameter, dtype=gradient.dtype))
        self.iterations += 1
        return updated

    def rule(self, parameter, gradient, slots, learning_rate):
        """Return the new parameter and renew the arrays in `slots`: the formula of the optimiser."""
        raise NotImplementedError("请定义 rule · define rule(parameter, gradient, slots, learning_rate)")

    def weight_decay_of(self, parameter, slots):
        """Return the weight decay of one parameter, None for none."""
        return self.weight_decay

    def current_learning_rate(self):
        """Return the learning rate of the next update, a Python float (so that float32 parameters stay float32)."""
        if callable(self.learning_rate):
            return float(self.learning_rate(self.iterations))
        return float(self.learning_rate)

    def _new_slots(self, index, parameter):
        arrays = {name: np.full_like(parameter, self.slot_start) for name in self.slot_names}
        return SimpleNamespace(index=index, shape=parameter.shape, **arrays)

    def _checked(self, parameters, gradients):
        """Return both as lists of arrays of equal types, or raise a ValueError that names the fault."""
        for name, arrays in (("parameters", parameters), ("gradients", gradients)):
            wanted = "应为数组的列表", "a list of arrays ([array] for one array)"
            expect(isinstance(arrays, (list, tuple)), name, *wanted, type(arrays).__name__)
        count = len(parameters)
        expect(
            len(gradients) == count,
            "gradients",
            f"应为 {count} 个",
            f"{count}, one for each parameter",
            len(gradients),
        )
        if self.slots is not None:
            first = len(self.slots)
            wanted = (
                f"应与首次更新一样为 {first} 个",
                f"{first} as in the first update (else make a new optimiser)",
            )
            expect(count == first, "parameters", *wanted, count)
        parameters = [np.asarray(parameter) for parameter in parameters]
        for index, (parameter, gradient) in enumerate(zip(parameters, gradients, strict=True)):
            wanted = (
                "应为浮点数（用 astype 转换）",
                "floating-point numbers (convert with .astype('float32'))",
            )
            expect(
                np.issubdtype(parameter.dtype, np.floating), f"parameter {index}", *wanted, parameter.dtype
            )
            if self.slots is not None:
                shape = self.slots[index].shape
                wanted = f"形状应与首次更新一样为 {shape}", f"shape {shape} as in the first update"
                expect(parameter.shape == shape, f"parameter {index}", *wanted, parameter.shape)
            expect(gradient is not None, f"gradient {index}", "不能为 None", f"shape {parameter.shape}", None)
            require_shape(np.asarray(gradient), parameter.shape, f"gradient {index}")
        pairs = zip(parameters, gradients, strict=True)
        return parameters, [np.asarray(gradient, dtype=parameter.dtype) for parameter, gradient in pairs]


class GradientDescent(Optimizer):
    """Gradient descent; "stochastic" when g comes from a mini-batch.

        w <- w - eta g

    Keras: SGD(learning_rate). Source: Cauchy 1847; with noisy gradients Robbins and Monro 1951,
    https://doi.org/10.1214/aoms/1177729586
    """

    def __init__(self, learning_rate=0.01, weight_decay=None):
        super().__init__(learning_rate, weight_decay)

    def rule(self, parameter, gradient, slots, learning_rate):
        return parameter - learning_rate * gradient


class Momentum(Optimizer):
    """Momentum (the heavy ball): the step remembers the steps before it.

        v <- mu v - eta g
        w <- w + v

    v carries the learning rate, so a change of eta acts on new gradients only. Keras: SGD(learning_rate,
    momentum=mu); its default mu = 0 is gradient descent, here it is the usual 0.9.
    Source: Polyak 1964, https://doi.org/10.1016/0041-5553(64)90137-5
    """

    slot_names = ("velocity",)

    def __init__(self, learning_rate=0.01, momentum=0.9, weight_decay=None):
        super().__init__(learning_rate, weight_decay)
        share(momentum=momentum)
        self.momentum = momentum

    def rule(self, parameter, gradient, slots, learning_rate):
        slots.velocity = self.momentum * slots.velocity - learning_rate * gradient
        return parameter + slots.velocity


class Nesterov(Momentum):
    """Nesterov's accelerated gradient in the form that needs the gradient at w only.

        v <- mu v - eta g
        w <- w + mu v - eta g        with the new v

    The w kept here is the point one look-ahead mu v beyond Nesterov's own, where the gradient is taken.
    Keras: SGD(learning_rate, momentum=mu, nesterov=True).
    Source: Nesterov 1983; Sutskever et al. 2013, https://proceedings.mlr.press/v28/sutskever13.html;
    this form: Bengio et al. 2012, https://arxiv.org/abs/1212.0901
    """

    def rule(self, parameter, gradient, slots, learning_rate):
        slots.velocity = self.momentum * slots.velocity - learning_rate * gradient
        return parameter + self.momentum * slots.velocity - learning_rate * gradient


class Adagrad(Optimizer):
    """Adagrad: an element that has had large gradients gets a smaller step.

        a <- a + g^2                 a starts from `initial_accumulator_value`, not from 0
        w <- w - eta g / sqrt(a + epsilon)

    Source: Duchi, Hazan and Singer 2011, https://jmlr.org/papers/v12/duchi11a.html
    """

    slot_names = ("accumulator",)

    def __init__(self, learning_rate=0.001, initial_accumulator_value=0.1, epsilon=1e-7, weight_decay=None):
        super().__init__(learning_rate, weight_decay)
        at_least(0, initial_accumulator_value=initial_accumulator_value)
        self.slot_start = initial_accumulator_value
        self.epsilon = epsilon

    def rule(self, parameter, gradient, slots, learning_rate):
        slots.accumulator = slots.accumulator + gradient**2
        return parameter - learning_rate * gradient / np.sqrt(slots.accumulator + self.epsilon)


class RMSprop(Optimizer):
    """RMSprop: Adagrad that forgets, with a moving average of squares in place of their sum.

        s <- rho s + (1 - rho) g^2
        c <- rho c + (1 - rho) g                 only if centered (c = 0 otherwise)
        d = eta g / sqrt(s - c^2 + epsilon)      epsilon inside the root
        w <- w - d                               without momentum
        b <- mu b + d,  w <- w - b               with momentum mu

    Keras keeps s uncorrected: it starts from 0, so the first steps are longer by up to 1 / sqrt(1 - rho).
    Source: Tieleman and Hinton 2012, lecture 6 of Neural Networks for Machine Learning,
    https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf;
    centered: Graves 2013, https://arxiv.org/abs/1308.0850
    """

    slot_names = ("mean_square", "mean_gradient", "momentum")

    def __init__(
        self, learning_rate=0.001, rho=0.9, momentum=0.0, epsilon=1e-7, centered=False, weight_decay=None
    ):
        super().__init__(learning_rate, weight_decay)
        share(rho=rho, momentum=momentum)
        self.rho = rho
        self.momentum = momentum
        self.epsilon = epsilon
        self.centered = centered

    def rule(self, parameter, gradient, slots, learning_rate):
        slots.mean_square = self.rho * slots.mean_square + (1 - self.rho) * gradient**2
        if self.centered:
            slots.mean_gradient = self.rho * slots.mean_gradient + (1 - self.rho) * gradient
        variance = slots.mean_square - slots.mean_gradient**2
        step = learning_rate * gradient / np.sqrt(variance + self.epsilon)
        slots.momentum = self.momentum * slots.momentum + step
        return parameter - slots.momentum


class Adam(Optimizer):
    """Adam: a moving average of the gradient over the root of a moving average of its square.

        m <- m + (1 - beta_1) (g - m)            the same as beta_1 m + (1 - beta_1) g
        v <- v + (1 - beta_2) (g^2 - v)
        alpha = eta sqrt(1 - beta_2^t) / (1 - beta_1^t)
        w <- w - alpha m / (sqrt(v) + epsilon)

    m and v start from 0; alpha corrects both for it. This is the form printed just before section 2.1 of the
    paper, whose epsilon ("epsilon hat") is added to the uncorrected root; Algorithm 1 of the paper corrects v
    first and adds its epsilon then, which is the same with epsilon = epsilon_hat / sqrt(1 - beta_2^t).
    Source: Kingma and Ba 2015, https://arxiv.org/abs/1412.6980
    """

    slot_names = ("momentum", "velocity")

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, weight_decay=None):
        super().__init__(learning_rate, weight_decay)
        share(beta_1=beta_1, beta_2=beta_2)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def rule(self, parameter, gradient, slots, learning_rate):
        number = self.iterations + 1
        slots.momentum = slots.momentum + (1 - self.beta_1) * (gradient - slots.momentum)
        slots.velocity = slots.velocity + (1 - self.beta_2) * (gradient**2 - slots.velocity)
        alpha = learning_rate * (1 - self.beta_2**number) ** 0.5 / (1 - self.beta_1**number)
        return parameter - alpha * slots.momentum / (np.sqrt(slots.velocity) + self.epsilon)


class AdamW(Adam):
    """Adam with decoupled weight decay, on by default (see `Optimizer` for the decay, `Adam` for the rest).

        w <- w - eta lambda w, then Adam's rule with the gradient of the undecayed loss

    Source: Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101
    """

    def __init__(self, learning_rate=0.001, weight_decay=0.004, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
        super().__init__(learning_rate, beta_1, beta_2, epsilon, weight_decay)


class Lion(Optimizer):
    """Lion: every element moves by exactly eta; only the sign is learned.

        w <- w - eta sign(beta_1 m + (1 - beta_1) g)         with the old m
        m <- beta_2 m + (1 - beta_2) g

    Takes a learning rate 3 to 10 times smaller than Adam's, as the paper advises.
    Source: Chen et al. 2023, https://arxiv.org/abs/2302.06675
    """

    slot_names = ("momentum",)

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.99, weight_decay=None):
        super().__init__(learning_rate, weight_decay)
        share(beta_1=beta_1, beta_2=beta_2)
        self.beta_1 = beta_1
        self.beta_2 = beta_2

    def rule(self, parameter, gradient, slots, learning_rate):
        direction = np.sign(self.beta_1 * slots.momentum + (1 - self.beta_1) * gradient)
        slots.momentum = self.beta_2 * slots.momentum + (1 - self.beta_2) * gradient
        return parameter - learning_rate * direction


def orthogonalize(matrix, steps=5, coefficients=(3.4445, -4.7750, 2.0315)):
    """Replace the singular values of a matrix by values near 1 (Newton-Schulz iteration, no decomposition).

    With X = G / (||G|| + 1e-7), Frobenius norm, and G transposed first if it has more rows than columns,
    `steps` times

        A = X X^T,   X <- a X + (b A + c A A) X

    which applies the polynomial a s + b s^3 + c s^5 to every singular value s and keeps the singular vectors.
    The coefficients raise small s fast instead of converging: after 5 steps s lies roughly between 0.7 and
    1.2.

    Source: Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/

    Args:
        matrix: (rows, columns).
        steps: how often the polynomial is applied.
        coefficients: a, b, c.

    Returns:
        The same shape and type.

    Raises:
        ValueError: not two axes.
    """
    expect(
        np.ndim(matrix) == 2, "matrix", "形状应为 (rows, columns)", "shape (rows, columns)", np.shape(matrix)
    )
    a, b, c = coefficients
    tall = matrix.shape[0] > matrix.shape[1]
    current = matrix.T if tall else matrix  # (smaller, larger): the same result, smaller products
    current = current / (np.sqrt(np.sum(current**2)) + 1e-7)
    for _ in range(steps):
        gram = current @ current.T  # (smaller, smaller)
        current = a * current + (b * gram + c * gram @ gram) @ current  # (smaller, larger)
    return current.T if tall else current  # (rows, columns)


class Muon(Adam):
    """Muon: momentum whose matrix is made orthogonal before the step; AdamW for all that is not a matrix.

    For a parameter with two axes (rows, columns):

        m <- mu m + g
        n = g + mu m (Nesterov, with the new m), or n = m without
        w <- w - eta rms_rate sqrt(max(rows, columns)) orthogonalize(n)

    Other shapes, and parameters whose position is in `exclude`, are updated as by AdamW with learning rate
    eta adam_learning_rate_ratio. The embedding and the output matrix of a network belong into `exclude`;
    Keras finds them by name (`exclude_embeddings`, `exclude_layers`), a list of arrays has no names.

    Args:
        weight_decay: decay of the orthogonalized matrices; adam_weight_decay: of the others. Both times eta.
        exclude: positions in the list of parameters, such as (0, 4).
        rms_rate: scales the step to the usual size of Adam's; None leaves the scaling out, square root
            included.
    Source: Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/;
    rms_rate and weight decay: Liu et al. 2025, https://arxiv.org/abs/2502.16982
    """

    def __init__(
        self,
        learning_rate=0.001,
        weight_decay=0.004,
        momentum=0.95,
        nesterov=True,
        newton_schulz_steps=5,
        coefficients=(3.4445, -4.7750, 2.0315),
        rms_rate=0.2,
        exclude=(),
        adam_weight_decay=0.004,
        adam_learning_rate_ratio=1,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-7,
    ):
        super().__init__(learning_rate, beta_1, beta_2, epsilon, weight_decay)
        share(momentum=momentum)
        self.momentum = momentum
        self.nesterov = nesterov
        self.newton_schulz_steps = newton_schulz_steps
        self.coefficients = coefficients
        self.rms_rate = rms_rate
        self.exclude = frozenset(exclude)
        if adam_weight_decay is not None:
            at_least(0, adam_weight_decay=adam_weight_decay)
        self.adam_weight_decay = adam_weight_decay
        self.adam_learning_rate_ratio = adam_learning_rate_ratio

    def rule(self, parameter, gradient, slots, learning_rate):
        if self._uses_adam(parameter, slots):
            return super().rule(parameter, gradient, slots, learning_rate * self.adam_learning_rate_ratio)
        slots.momentum = self.momentum * slots.momentum + gradient  # (rows, columns)
        direction = gradient + self.momentum * slots.momentum if self.nesterov else slots.momentum
        direction = orthogonalize(direction, self.newton_schulz_steps, self.coefficients)
        if self.rms_rate is not None:
            direction = direction * (self.rms_rate * max(parameter.shape) ** 0.5)
        return parameter - learning_rate * direction

    def weight_decay_of(self, parameter, slots):
        return self.adam_weight_decay if self._uses_adam(parameter, slots) else self.weight_decay

    def _uses_adam(self, parameter, slots):
        return parameter.ndim != 2 or slots.index in self.exclude
