r"""Three recurrent cells run over a sequence, forward and backward through time, equal to Keras' layers.

A recurrent layer applies the same weights at every time step and hands a state on to the next one:
state_t = cell(input_t, state_{t-1}). The only loop here is the one over time; everything else is done for the whole
batch at once, and products with the inputs, which no state has to be waited for, for the whole sequence at once.

Shapes: inputs (batch, time, features); outputs, one for every time step, (batch, time, units). Several gates stand
side by side in one kernel: (features, gates * units), in Keras' order. `bias` and `initial_state` may be None (no
bias; zeros).

Every `f_backward` has two upstream gradients, since the caller may use both results of `f`: `upstream`, that of
the outputs of every step, and `upstream_state=None`, that of the final state (None: the loss does not use it). A loss
that reads the last output alone is told so by zeros in the other steps. The result is (inputs, kernel, recurrent_kernel,
bias, initial_state), where the gradient of an argument that was None is None.
"""

import numpy as np

from course_utils.checking import array_with_axes, expect, float_array, require_shape, upstream_array
from course_utils.reference.activations import sigmoid

AXES = ("batch", "time", "features")


# ---- Checks and pieces that the cells share ----------------------------------------------------------------


def _check_arguments(inputs, kernel, recurrent_kernel, bias, states, gates, bias_rows=None):
    """Return the arrays in one type, and the number of units; `bias_rows` is 2 for a bias of shape (2, ...).

    `states`: the initial states, or None; they take part in choosing the type.
    """
    inputs = array_with_axes(inputs, "inputs", AXES)
    columns = f"{gates} * units" if gates > 1 else "units"
    kernel = array_with_axes(kernel, "kernel", ("features", columns))
    recurrent_kernel = array_with_axes(recurrent_kernel, "recurrent_kernel", ("units", columns))
    units = recurrent_kernel.shape[0]
    require_shape(recurrent_kernel, (units, gates * units), "recurrent_kernel")
    require_shape(kernel, (inputs.shape[2], gates * units), "kernel")
    if bias is not None:
        width = (gates * units,) if bias_rows is None else (bias_rows, gates * units)
        bias = array_with_axes(bias, "bias", ("rows", columns)[-len(width) :])
        require_shape(bias, width, "bias")
    states = [None if state is None else float_array(state, "initial_state") for state in states]
    given = [part for part in (inputs, kernel, recurrent_kernel, bias, *states) if part is not None]
    dtype = np.result_type(*given)
    convert = [
        None if part is None else part.astype(dtype, copy=False)
        for part in (inputs, kernel, recurrent_kernel, bias)
    ]
    return *convert, units


def _state(value, inputs, units, name):
    """Return a state (batch, units), zeros for None, in the type of `inputs`."""
    if value is None:
        return np.zeros((len(inputs), units), inputs.dtype)
    value = array_with_axes(value, name, ("batch", "units"))
    require_shape(value, (len(inputs), units), name)
    return value.astype(inputs.dtype, copy=False)


def _pair(value, name):
    """Return (hidden, cell) from a pair, (None, None) from None."""
    if value is None:
        return None, None
    found = f"shape {np.shape(value)}" if isinstance(value, np.ndarray) else repr(value)
    is_pair = isinstance(value, (tuple, list)) and len(value) == 2
    expect(is_pair, name, "应为一对 (hidden, cell)", "a pair (hidden, cell)", found)
    return tuple(value)


def _project(inputs, kernel, bias):
    """Return inputs @ kernel + bias for every time step at once, time first: (time, batch, columns)."""
    projected = inputs.swapaxes(0, 1) @ kernel  # (time, batch, columns)
    return projected if bias is None else projected + bias


def _before(outputs, first):
    """Return the state before each step, (time, batch, units), from the states after it and the initial one."""
    return np.concatenate([first[np.newaxis], outputs[:-1]])


def _weight_gradient(values, slopes):
    """Return the sum over time and batch of the outer products: (time, batch, a), (time, batch, b) -> (a, b)."""
    return np.tensordot(values, slopes, axes=((0, 1), (0, 1)))


def _upstreams(upstream, upstream_state, inputs, units):
    """Return upstream, time first, (time, batch, units), and the gradient of the last hidden state (batch, units)."""
    upstream = upstream_array(upstream, (*inputs.shape[:2], units), inputs.dtype)
    return upstream.swapaxes(0, 1), _state(upstream_state, inputs, units, "upstream_state")


def _gradients(slopes, recurrent_gradient, bias_gradient, state_gradient, inputs, kernel):
    """Put the five gradients together; `slopes` is that of `_project`'s result, (time, batch, columns)."""
    input_gradient = (slopes @ kernel.T).swapaxes(0, 1)  # (batch, time, features)
    kernel_gradient = _weight_gradient(inputs.swapaxes(0, 1), slopes)  # (features, columns)
    return input_gradient, kernel_gradient, recurrent_gradient, bias_gradient, state_gradient


# ---- Simple (vanilla) recurrence ---------------------------------------------------------------------------


def _simple_rnn_states(inputs, kernel, recurrent_kernel, bias, state):
    """Return the hidden states of all steps, (time, batch, units)."""
    states = []
    for projected in _project(inputs, kernel, bias):
        state = np.tanh(projected + state @ recurrent_kernel)  # (batch, units)
        states.append(state)
    return np.stack(states)


def simple_rnn(inputs, kernel, recurrent_kernel, bias, initial_state=None):
    r"""Run the simple recurrence of `keras.layers.SimpleRNN`.

    h_t = \tanh(x_t W + h_{t-1} U + b)

    Source: J. Elman 1990, "Finding structure in time", doi:10.1207/s15516709cog1402_1.

    Args:
        inputs: (batch, time, features).
        kernel: W, (features, units).
        recurrent_kernel: U, (units, units).
        bias: b, (units,) or None.
        initial_state: h_0, (batch, units) or None for zeros.

    Returns:
        (outputs, state): h of every step, (batch, time, units), and the last one, (batch, units).

    Raises:
        ValueError: other shapes.
    """
    inputs, kernel, recurrent_kernel, bias, units = _check_arguments(
        inputs, kernel, recurrent_kernel, bias, [initial_state], 1
    )
    state = _state(initial_state, inputs, units, "initial_state")
    states = _simple_rnn_states(inputs, kernel, recurrent_kernel, bias, state)
    return states.swapaxes(0, 1), states[-1]  # (batch, time, units), (batch, units)


def simple_rnn_backward(
    upstream, inputs, kernel, recurrent_kernel, bias, initial_state=None, upstream_state=None
):
    r"""Return the gradients of `simple_rnn` by backpropagation through time, from the last step to the first.

    With g_t, what the loss and the later steps ask of h_t, and a_t, the argument of tanh:

    dL/da_t = g_t (1 - h_t^2), \qquad g_{t-1} = upstream_{t-1} + dL/da_t \, U^T
    dL/dW = \sum_t x_t^T dL/da_t, \quad dL/dU = \sum_t h_{t-1}^T dL/da_t, \quad dL/db = \sum_t dL/da_t

    Source: P. Werbos 1990, "Backpropagation through time", doi:10.1109/5.58337.

    Args:
        upstream: (batch, time, units).
        upstream_state: (batch, units) or None. The rest as in `simple_rnn`.

    Returns:
        (inputs, kernel, recurrent_kernel, bias, initial_state); None for an argument that was None.
    """
    inputs, kernel, recurrent_kernel, bias, units = _check_arguments(
        inputs, kernel, recurrent_kernel, bias, [initial_state], 1
    )
    first = _state(initial_state, inputs, units, "initial_state")
    upstream, wanted = _upstreams(upstream, upstream_state, inputs, units)
    states = _simple_rnn_states(inputs, kernel, recurrent_kernel, bias, first)  # (time, batch, units)
    slopes = np.empty_like(states)  # dL/da_t
    for step in reversed(range(len(states))):
        slopes[step] = (wanted + upstream[step]) * (1 - states[step] ** 2)
        wanted = slopes[step] @ recurrent_kernel.T  # (batch, units), of the state before
    return _gradients(
        slopes,
        _weight_gradient(_before(states, first), slopes),
        None if bias is None else slopes.sum(axis=(0, 1)),
        None if initial_state is None else wanted,
        inputs,
        kernel,
    )


# ---- Long short-term memory --------------------------------------------------------------------------------


def _lstm_states(inputs, kernel, recurrent_kernel, bias, hidden, cell):
    """Return gates (time, batch, 4, units) after their activations, and hidden and cell states (time, batch, units)."""
    gates, hiddens, cells = [], [], []
    units = hidden.shape[1]
    for projected in _project(inputs, kernel, bias):
        arguments = (projected + hidden @ recurrent_kernel).reshape(-1, 4, units)  # (batch, 4, units)
        activated = sigmoid(arguments)
        activated[:, 2] = np.tanh(arguments[:, 2])
        write, keep, candidate, show = activated.swapaxes(0, 1)  # i, f, c, o: each (batch, units)
        cell = keep * cell + write * candidate
        hidden = show * np.tanh(cell)
        gates.append(activated)
        hiddens.append(hidden)
        cells.append(cell)
    return np.stack(gates), np.stack(hiddens), np.stack(cells)


def lstm(inputs, kernel, recurrent_kernel, bias, initial_state=None):
    r"""Run a long short-term memory with a forget gate: `keras.layers.LSTM`.

    i, f, o = \sigma(x_t W_{i,f,o} + h_{t-1} U_{i,f,o} + b_{i,f,o}), \qquad g = \tanh(x_t W_c + h_{t-1} U_c + b_c)
    c_t = f \, c_{t-1} + i \, g, \qquad h_t = o \tanh(c_t)

    The columns of W, U, b stand in the order i (input), f (forget), c (candidate g), o (output).

    Source: S. Hochreiter, J. Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735; the forget gate: F. Gers, J.
    Schmidhuber, F. Cummins 2000, doi:10.1162/089976600300015015.

    Args:
        inputs: (batch, time, features).
        kernel: W, (features, 4 units).
        recurrent_kernel: U, (units, 4 units).
        bias: b, (4 units,) or None. Keras starts training with 1 in the forget gate's part of b and 0
            elsewhere.
        initial_state: a pair (hidden, cell), each (batch, units) or None for zeros; or None.

    Returns:
        (outputs, (hidden, cell)): h of every step, (batch, time, units), and the last h and c.

    Raises:
        ValueError: other shapes.
    """
    hidden, cell = _pair(initial_state, "initial_state")
    inputs, kernel, recurrent_kernel, bias, units = _check_arguments(
        inputs, kernel, recurrent_kernel, bias, [hidden, cell], 4
    )
    hidden = _state(hidden, inputs, units, "initial_state hidden")
    cell = _state(cell, inputs, units, "initial_state cell")
    _, hiddens, cells = _lstm_states(inputs, kernel, recurrent_kernel, bias, hidden, cell)
    return hiddens.swapaxes(0, 1), (hiddens[-1], cells[-1])  # (batch, time, units), 2 x (batch, units)


def lstm_backward(upstream, inputs, kernel, recurrent_kernel, bias, initial_state=None, upstream_state=None):
    r"""Return the gradients of `lstm` by backpropagation through time.

    What is asked of the cell state, e_t, is carried back by the forget gate alone:

    e_t = e_{t+1} f_{t+1} + g_t \, o \, (1 - \tanh^2 c_t), \qquad g_t = upstream_t + dL/da_{t+1} \, U^T

    with a_t the four arguments: dL/da_i = e \, c' \, i (1 - i) for the candidate c', dL/da_f = e \, c_{t-1} f (1 - f),
    dL/da_c = e \, i (1 - c'^2), dL/da_o = g \tanh(c_t) \, o (1 - o).

    Args:
        upstream: (batch, time, units).
        upstream_state: a pair (hidden, cell) of (batch, units) or None each, or None.

    Returns:
        (inputs, kernel, recurrent_kernel, bias, initial_state), the last a pair (hidden, cell), None in place
        of what was None.
    """
    initial_pair = _pair(initial_state, "initial_state")
    inputs, kernel, recurrent_kernel, bias, units = _check_arguments(
        inputs, kernel, recurrent_kernel, bias, initial_pair, 4
    )
    first_hidden = _state(initial_pair[0], inputs, units, "initial_state hidden")
    first_cell = _state(initial_pair[1], inputs, units, "initial_state cell")
    state_hidden, state_cell = _pair(upstream_state, "upstream_state")
    upstream, hidden_wanted = _upstreams(upstream, state_hidden, inputs, units)
    cell_wanted = _state(state_cell, inputs, units, "upstream_state cell")

    gates, hiddens, cells = _lstm_states(inputs, kernel, recurrent_kernel, bias, first_hidden, first_cell)
    cells_before = _before(cells, first_cell)
    slopes = np.empty((*hiddens.shape[:2], 4, units), inputs.dtype)  # (time, batch, 4, units): dL/da_t
    for step in reversed(range(len(hiddens))):
        write, keep, candidate, show = gates[step].swapaxes(0, 1)  # each (batch, units)
        squashed = np.tanh(cells[step])
        hidden_wanted = hidden_wanted + upstream[step]
        cell_wanted = cell_wanted + hidden_wanted * show * (1 - squashed**2)
        slopes[step, :, 0] = cell_wanted * candidate * write * (1 - write)
        slopes[step, :, 1] = cell_wanted * cells_before[step] * keep * (1 - keep)
        slopes[step, :, 2] = cell_wanted * write * (1 - candidate**2)
        slopes[step, :, 3] = hidden_wanted * squashed * show * (1 - show)
        hidden_wanted = slopes[step].reshape(-1, 4 * units) @ recurrent_kernel.T  # (batch, units), before
        cell_wanted = cell_wanted * keep
    slopes = slopes.reshape(*hiddens.shape[:2], 4 * units)  # (time, batch, 4 units)
    state_gradient = tuple(
        None if given is None else gradient
        for given, gradient in zip(initial_pair, (hidden_wanted, cell_wanted), strict=True)
    )
    return _gradients(
        slopes,
        _weight_gradient(_before(hiddens, first_hidden), slopes),
        None if bias is None else slopes.sum(axis=(0, 1)),
        None if initial_state is None else state_gradient,
        inputs,
        kernel,
    )


# ---- Gated recurrent unit ----------------------------------------------------------------------------------


def _gru_arguments(inputs, kernel, recurrent_kernel, bias, initial_state, reset_after):
    rows = 2 if reset_after else None
    return _check_arguments(inputs, kernel, recurrent_kernel, bias, [initial_state], 3, rows)


def _gru_biases(bias, reset_after):
    """Return the bias of the inputs' part and that of the recurrent part (0 when there is none)."""
    if bias is None:
        return None, 0
    return (bias[0], bias[1]) if reset_after else (bias, 0)


def _gru_states(inputs, kernel, recurrent_kernel, bias, state, reset_after):
    """Return z, r, candidate (each (time, batch, units)), what r was multiplied with, and the states.

    r multiplies the recurrent part of the candidate's argument with `reset_after`, the state before without.
    """
    units = state.shape[1]
    input_bias, recurrent_bias = _gru_biases(bias, reset_after)
    columns = 3 * units if reset_after else 2 * units
    steps = []
    for projected in _project(inputs, kernel, input_bias):  # (batch, 3 units)
        recurrent = state @ recurrent_kernel[:, :columns] + recurrent_bias  # (batch, columns)
        gates = sigmoid(projected[:, : 2 * units] + recurrent[:, : 2 * units])
        update, reset = gates[:, :units], gates[:, units:]  # (batch, units)
        if reset_after:
            gated = recurrent[:, 2 * units :]
            carried = reset * gated
        else:
            gated = state
            carried = (reset * gated) @ recurrent_kernel[:, 2 * units :]
        candidate = np.tanh(projected[:, 2 * units :] + carried)
        state = update * state + (1 - update) * candidate
        steps.append((update, reset, candidate, gated, state))
    return [np.stack(part) for part in zip(*steps, strict=True)]


def gru(inputs, kernel, recurrent_kernel, bias, initial_state=None, reset_after=True):
    r"""Run a gated recurrent unit, in both variants of `keras.layers.GRU`.

    z, r = \sigma(x_t W_{z,r} + h_{t-1} U_{z,r} + b_{z,r}), \qquad h_t = z \, h_{t-1} + (1 - z) \, g

    reset_after=True (Keras' default): g = \tanh(x_t W_h + b_h + r \, (h_{t-1} U_h + b'_h))
    reset_after=False: g = \tanh(x_t W_h + b_h + (r \, h_{t-1}) U_h)

    The columns of W, U, b stand in the order z (update), r (reset), h (candidate g).

    Source: K. Cho et al. 2014, arXiv:1406.1078 (reset_after=False; there, too, z keeps the old state). J.
    Chung et al. 2014, arXiv:1412.3555, write 1 - z for z.

    Args:
        inputs: (batch, time, features).
        kernel: W, (features, 3 units).
        recurrent_kernel: U, (units, 3 units).
        bias: (2, 3 units), the inputs' b and the recurrent b', with `reset_after`; (3 units,) without; or
            None.
        initial_state: (batch, units) or None for zeros.

    Returns:
        (outputs, state): h of every step, (batch, time, units), and the last one, (batch, units).

    Raises:
        ValueError: other shapes.
    """
    inputs, kernel, recurrent_kernel, bias, units = _gru_arguments(
        inputs, kernel, recurrent_kernel, bias, initial_state, reset_after
    )
    state = _state(initial_state, inputs, units, "initial_state")
    *_, states = _gru_states(inputs, kernel, recurrent_kernel, bias, state, reset_after)
    return states.swapaxes(0, 1), states[-1]  # (batch, time, units), (batch, units)


def gru_backward(
    upstream,
    inputs,
    kernel,
    recurrent_kernel,
    bias,
    initial_state=None,
    reset_after=True,
    upstream_state=None,
):
    r"""Return the gradients of `gru` by backpropagation through time.

    With g_t what is asked of h_t: it goes back directly through z, and through the arguments of the three parts.

    dL/da_z = g \, (h_{t-1} - c) \, z (1 - z), \quad dL/da_h = g \, (1 - z)(1 - c^2), \quad dL/da_r = d \, r (1 - r)

    where c is the candidate, and d is what is asked of r: dL/da_h times (h_{t-1} U_h + b'_h) with `reset_after`,
    (dL/da_h U_h^T) times h_{t-1} without.

    Args:
        upstream: (batch, time, units).
        upstream_state: (batch, units) or None. The rest as in `gru`.

    Returns:
        (inputs, kernel, recurrent_kernel, bias, initial_state); None for an argument that was None.
    """
    inputs, kernel, recurrent_kernel, bias, units = _gru_arguments(
        inputs, kernel, recurrent_kernel, bias, initial_state, reset_after
    )
    first = _state(initial_state, inputs, units, "initial_state")
    upstream, wanted = _upstreams(upstream, upstream_state, inputs, units)
    updates, resets, candidates, gated, states = _gru_states(
        inputs, kernel, recurrent_kernel, bias, first, reset_after
    )
    before = _before(states, first)  # (time, batch, units)
    gate_kernel, candidate_kernel = recurrent_kernel[:, : 2 * units], recurrent_kernel[:, 2 * units :]
    slopes = np.empty((*states.shape[:2], 3 * units), inputs.dtype)  # of the inputs' part
    for step in reversed(range(len(states))):
        update, reset, candidate = updates[step], resets[step], candidates[step]  # (batch, units)
        wanted = wanted + upstream[step]
        update_slope = wanted * (before[step] - candidate) * update * (1 - update)
        candidate_slope = wanted * (1 - update) * (1 - candidate**2)
        if reset_after:
            asked = candidate_slope  # of reset * gated
            through_candidate = (candidate_slope * reset) @ candidate_kernel.T
        else:
            asked = candidate_slope @ candidate_kernel.T
            through_candidate = asked * reset
        reset_slope = asked * gated[step] * reset * (1 - reset)
        slopes[step] = np.concatenate([update_slope, reset_slope, candidate_slope], axis=1)
        through_gates = slopes[step, :, : 2 * units] @ gate_kernel.T
        wanted = wanted * update + through_gates + through_candidate

    gate_slopes, candidate_slopes = slopes[..., : 2 * units], slopes[..., 2 * units :]
    if reset_after:
        recurrent_slopes = np.concatenate([gate_slopes, candidate_slopes * resets], axis=2)
        recurrent_gradient = _weight_gradient(before, recurrent_slopes)  # (units, 3 units)
        bias_gradient = np.stack([slopes.sum(axis=(0, 1)), recurrent_slopes.sum(axis=(0, 1))])  # (2, 3 units)
    else:
        candidate_gradient = _weight_gradient(resets * before, candidate_slopes)  # (units, units)
        recurrent_gradient = np.concatenate(
            [_weight_gradient(before, gate_slopes), candidate_gradient], axis=1
        )
        bias_gradient = slopes.sum(axis=(0, 1))  # (3 units,)
    return _gradients(
        slopes,
        recurrent_gradient,
        None if bias is None else bias_gradient,
        None if initial_state is None else wanted,
        inputs,
        kernel,
    )
