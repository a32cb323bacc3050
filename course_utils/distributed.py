"""Training on several devices or in several processes, with the numbers of one device.

    history = distributed_fit(model, x_train, y_train, epochs=4, batch_size=128)

Keras' `fit` does not work under several workers (keras#20585), and under several replicas its step is not one device's:
it clips each replica's share of the gradient, cannot accumulate (keras#20582), and counts the examples of an uneven last
batch unequally. `train_step` is a step that is right; `distributed_fit` is a loop around it, and `training.fit` hands
the same step to Keras when there are several replicas.

What stays different, because the layers are: Dropout draws other masks on each replica, and BatchNormalization averages
over a replica's share (`synchronized=True` over all).
"""

import time

import keras
import numpy as np
import tensorflow as tf

from course_utils import checking, devices, progress
from course_utils.checkpoints import Checkpoints


def distributed_fit(
    model,
    inputs,
    targets=None,
    *,
    epochs,
    batch_size=128,
    strategy=None,
    shuffle=True,
    seed=0,
    accumulate=1,
    validation_data=None,
    callbacks=(),
    checkpoints=None,
    name="model",
    verbose="auto",
    curve=False,
):
    """Train by a loop of our own over `strategy.run`: it works where Keras' `fit` does not, on several workers.

    Every step, each of the R replicas computes the gradient of its share of the same global batch of n examples; the
    optimizer adds the shares up, clips the sum if it clips, and changes every replica's weights alike. Share r, with
    n_r examples, brings n_r / n times its own mean, so that the sum is the mean over the global batch:

        mean over the batch of loss_i  =  sum over replicas r of (n_r / n) (1 / n_r) sum over i in r of loss_i

    That is why 1, 2 or 8 replicas give the same numbers up to rounding, if the layers do (see the module).

    Args:
        model: compiled, created in `strategy.scope()`.
        inputs, targets: arrays (or tuples or dicts of arrays); all workers are given the same ones. Or a
            `tf.data.Dataset` of global batches (inputs, targets) as `inputs` alone, the same batches in the same order
            in each process (give its `shuffle` a seed); `batch_size`, `shuffle` and `seed` are then the dataset's own,
            and with BatchNormalization no batch may have fewer examples than there are replicas.
        batch_size: examples of one step on all replicas together. A last, smaller batch is trained on as well.
        strategy: `devices.create_strategy()` unless given.
        shuffle, seed: the order of the arrays, the same in every process and for any number of replicas.
        accumulate: k pieces in which a replica computes its share, one after the other, before the step: a kth of the
            memory, the same numbers (unless a layer looks at the whole batch, as BatchNormalization does).
        validation_data: (inputs, targets), judged after each epoch; adds "val_loss" and the like.
        callbacks: of Keras; `on_train_batch_end` is told the step's loss, `on_epoch_end` the history's entries. They
            run in every process: one that writes files belongs to `devices.is_chief()` alone.
        checkpoints: a folder that all workers share. After each epoch worker 0 stores everything that training depends
            on; the next call goes on after the newest epoch that all workers see, and ends bit for bit where a run
            without interruption does (with a dataset: if it repeats its order in each epoch). See `Checkpoints`.
        name, verbose, curve: what worker 0 shows, as in `training.fit`.

    Returns:
        "loss" (mean over the epoch's examples), the compiled metrics, those of the validation, and "seconds" (wall-clock,
        validation included), one list entry per epoch; stored epochs included.

    Raises:
        ValueError: too few examples, a model from outside the strategy, an optimizer that
            cannot be right here, or a checkpoint that does not belong here.
    """
    strategy = strategy or devices.create_strategy()
    checking.at_least(1, epochs=epochs)
    accumulate = checking.positive_integer(accumulate, "accumulate")
    _expect_inside(model, strategy)
    expect_right(model, strategy.num_replicas_in_sync)
    data = _data(strategy, inputs, targets, batch_size)
    if targets is not None:
        batch = f"至少应有一批，{batch_size} 个样本", f"at least one full batch of {batch_size} examples"
        checking.expect(data.count >= batch_size, "inputs", *batch, data.count)
        expect_everybody_busy(model, strategy.num_replicas_in_sync, data.count, batch_size)
    create_variables(model, *data.first)
    step = _compiled(strategy, train_step(model, accumulate), data)
    judge = _judge(strategy, model, validation_data, batch_size)
    stored = Checkpoints(checkpoints, model, strategy) if checkpoints else None
    history = stored.load() if stored else {}
    done = len(history.get("seconds", ()))
    chief = devices.is_chief(strategy)
    watch = progress.Watch(name, epochs, verbose if chief else 0, curve and chief)
    listeners = keras.callbacks.CallbackList(
        [*callbacks, *watch.callbacks], model=model, epochs=epochs, steps=data.steps
    )
    model.stop_training = False
    with watch:
        listeners.on_train_begin()
        for epoch, batches in enumerate(data.epochs(done, epochs, shuffle, seed), done):
            begin = time.perf_counter()
            listeners.on_epoch_begin(epoch)
            logs = _one_epoch(model, step, batches, listeners)
            logs |= {f"val_{metric}": value for metric, value in judge().items()}
            logs["seconds"] = time.perf_counter() - begin
            listeners.on_epoch_end(epoch, logs)  # may add to them, such as the learning rate
            for metric, value in logs.items():
                history.setdefault(metric, []).append(float(value))
            if stored:
                stored.save(history)
            if model.stop_training:
                break
        listeners.on_train_end()
    watch.leave(history)
    return history


def _one_epoch(model, step, batches, listeners):
    """Run the step over an epoch's batches; return the loss, a mean over the examples, and the metrics."""
    model.reset_metrics()
    losses, sizes = [], []
    for number, (batch, size) in enumerate(batches):
        listeners.on_train_batch_begin(number)
        losses.append(step(batch))  # a tensor: nobody waits for its value
        sizes.append(size)
        listeners.on_train_batch_end(number, {"loss": losses[-1]})
    metrics = {name: float(value) for name, value in model.get_metrics_result().items() if name != "loss"}
    sizes = [float(size) for size in sizes]
    return {"loss": float(np.average([float(loss) for loss in losses], weights=sizes)), **metrics}


def create_variables(model, inputs, targets=None):
    """Create the variables of model, optimizer and metrics: a step that has to create them is traced twice.

    Nothing else changes: no random number is drawn, no moving average moves.

    Args:
        inputs, targets: of one example; without targets the metrics are left to the first step.
    """
    strategy = model.distribute_strategy
    with strategy.scope():
        if not model.built:
            model(inputs, training=False)
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
    # With several replicas Keras creates those of the metrics itself.
    alone = targets is not None and strategy.num_replicas_in_sync == 1
    if alone and not all(metric.variables for metric in model.metrics):
        model.compute_metrics(inputs, targets, model(inputs, training=False))
        model.reset_metrics()


# ---------------------------------------------------------------- one step


def train_step(model, accumulate=1):
    """Return one training step for `strategy.run`: a function of (inputs, targets, weights or None, share).

    `share` is R n_r / n, this replica's part of the global batch in units of an equal part; None: all are equal. The
    function returns the loss, divided by R: the sum over the replicas is the mean over the batch.
    """
    if model.distribute_strategy.num_replicas_in_sync > 1:
        _clip_after_the_sum(model.optimizer)

    def step(inputs, targets, weights=None, share=None):
        loss, gradients = _accumulated(model, inputs, targets, weights, share, accumulate)
        model.optimizer.apply(gradients, model.trainable_variables)
        return loss

    return step


def install(model, accumulate=1):
    """Let `model.fit` train with `train_step`; nothing changes for one replica that does not accumulate.

    A model with a training step of its own keeps it.
    """
    replicas = model.distribute_strategy.num_replicas_in_sync
    installed = getattr(model, "_course_accumulate", None if replicas > 1 else 1)
    if installed == accumulate:
        return
    expect_right(model, replicas)
    tracker = next(metric for metric in model.metrics if metric.name == "loss")
    step = train_step(model, accumulate)

    def with_metrics(data):
        inputs, targets, weights = keras.utils.unpack_x_y_sample_weight(data)
        mine = tf.cast(tf.shape(keras.tree.flatten(inputs)[0])[0], "float32")
        everybody, share = mine, None
        if replicas > 1:
            everybody = tf.distribute.get_replica_context().all_reduce("SUM", mine)
            share = replicas * mine / everybody
        loss = step(inputs, targets, weights, share)
        tracker.update_state(loss * replicas, sample_weight=everybody / replicas)
        return model.get_metrics_result()

    model._course_accumulate = accumulate
    model.train_step = with_metrics
    model.train_function = None  # one that was traced before holds Keras' own step


def _accumulated(model, inputs, targets, weights, share, pieces):
    """Return (loss, gradients) of a replica's share, computed in so many pieces; the metrics are updated on the way."""
    if pieces == 1:
        return _piece(model, inputs, targets, weights, share)
    everything = [part for part in (inputs, targets, weights) if part is not None]
    rows = tf.shape(keras.tree.flatten(inputs)[0])[0]
    pieces = tf.minimum(pieces, tf.maximum(rows, 1))  # no piece without an example

    def add(number, loss, sums):
        first, last = number * rows // pieces, (number + 1) * rows // pieces
        cut = keras.tree.map_structure(lambda array: array[first:last], everything)
        cut += [None] * (3 - len(cut))  # without weights
        part = tf.cast(last - first, "float32") / tf.cast(tf.maximum(rows, 1), "float32")
        equal = 1 / tf.cast(pieces, "float32")
        piece_loss, gradients = _piece(model, *cut, part if share is None else part * share, equal)
        return number + 1, loss + piece_loss, [a + b for a, b in zip(sums, gradients, strict=True)]

    start = [tf.zeros_like(variable.value) for variable in model.trainable_variables]
    variables = 0, tf.constant(0.0), start
    _, loss, sums = tf.while_loop(lambda number, *_: number < pieces, add, variables, parallel_iterations=1)
    return loss, sums


def _piece(model, inputs, targets, weights, share, penalty_share=1.0):
    """Return (loss, gradients) of some examples: their mean loss times `share`, and a part of the penalties."""
    with tf.GradientTape() as tape:
        outputs = model(inputs, training=True)
        # Keras divides its loss, penalties included, by the number of replicas.
        loss = model.compute_loss(inputs, targets, outputs, weights, training=True)
        if share is not None:
            penalties = _penalties(model)
            loss = (loss - penalties) * share + penalties * penalty_share
        scaled = model.optimizer.scale_loss(loss)  # only mixed float16 scales
    gradients = tape.gradient(scaled, model.trainable_variables)
    model.compute_metrics(inputs, targets, outputs, weights)
    return loss, gradients


def _penalties(model):
    """Return what the layers add to the loss, such as weight decay by a regulariser, divided by the number of replicas."""
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    return sum((tf.reduce_sum(loss) for loss in model.losses), tf.constant(0.0)) / replicas


def _clip_after_the_sum(optimizer):
    """Let an optimizer that clips add up the replicas' gradients first, as one device does; Keras clips each share.

    Keras has no public place for it: its step clips, adds up and changes the weights in one method. So two methods of
    this one object are replaced, once.
    """
    clips = any((optimizer.clipnorm, optimizer.global_clipnorm, optimizer.clipvalue))
    if not clips or "_clip_gradients" in vars(optimizer):
        return
    clip = optimizer._clip_gradients
    optimizer._clip_gradients = lambda gradients: clip(
        tf.distribute.get_replica_context().all_reduce("SUM", gradients)
    )
    optimizer._all_reduce_sum_gradients = lambda pairs: pairs  # added up already


def expect_right(model, replicas):
    """Refuse what would give several replicas other numbers than one, with the way that works."""
    if replicas == 1:
        return
    optimizer = model.optimizer
    wanted = (
        "应改用参数 accumulate=（优化器自带的累积在多个副本上会出错）",
        "the argument accumulate= instead (the optimizer's own fails on several replicas)",
    )
    accumulates = optimizer.gradient_accumulation_steps
    checking.expect(not accumulates, "gradient_accumulation_steps", *wanted, accumulates)
    wanted = (
        "多个副本时应为 float32 或 mixed_bfloat16（Keras 只检查第一个副本的梯度有没有溢出）",
        "float32 or mixed_bfloat16 on several replicas (Keras looks for overflow on the first one only)",
    )
    scales = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    checking.expect(not scales, "precision", *wanted, "mixed_float16")
    wanted = (
        "优化器应在 strategy.scope() 中创建",
        "an optimizer created inside `with strategy.scope():`",
    )
    home = getattr(optimizer, "_distribution_strategy", model.distribute_strategy)
    checking.expect(home is model.distribute_strategy, "optimizer", *wanted, "one from outside")
    wanted = (
        "多个副本时应使用 keras.Model 自己的 train_step",
        "keras.Model's own train_step on several replicas",
    )
    plain = type(model).train_step is keras.Model.train_step
    checking.expect(plain, "model", *wanted, "a step of its own")


def expect_everybody_busy(model, replicas, count, batch_size):
    """Refuse BatchNormalization where a replica would get no example of the last batch: it has no average to take."""
    last = count % batch_size
    share = -(-last // replicas)  # Keras gives whole shares until nothing is left
    idle = last > 0 and -(-last // share) < replicas
    averages = any(
        isinstance(layer, keras.layers.BatchNormalization) and not layer.synchronized
        for layer in model._flatten_layers()
    )
    wanted = (
        f"应使最后一批（{last} 个样本）让 {replicas} 个副本都有样本，或在 BatchNormalization 中设 synchronized=True",
        f"a last batch (of {last}) with examples for all {replicas} replicas, or BatchNormalization(synchronized=True)",
    )
    checking.expect(not (idle and averages), "batch_size", *wanted, batch_size)


def _expect_inside(model, strategy):
    weights = model.trainable_variables
    inside = strategy.num_replicas_in_sync == 1 or (
        weights and strategy.extended.variable_created_in_scope(weights[0].value)
    )
    wanted = (
        "应在 strategy.scope() 中创建并编译",
        "a model created and compiled inside `with strategy.scope():`",
    )
    checking.expect(inside, "model", *wanted, "one from outside")


def _compiled(strategy, function, data):
    """Return the step of all replicas as one graph, traced once; it returns the sum of what the replicas return."""

    def everywhere(batch):
        return strategy.reduce("SUM", strategy.run(function, kwargs=batch), axis=None)

    return tf.function(everywhere, input_signature=[data.spec])


def _judge(strategy, model, validation_data, batch_size):
    """Return a function without arguments that measures loss and metrics of held-out data: {} without any."""
    if validation_data is None:
        return dict
    data = _data(strategy, *validation_data, batch_size)

    def on_each_replica(inputs, targets, weights=None, share=None):
        outputs = model(inputs, training=False)
        loss = model.compute_loss(inputs, targets, outputs, weights, training=False)
        model.compute_metrics(inputs, targets, outputs, weights)
        return loss if share is None else (loss - _penalties(model)) * share + _penalties(model)

    step = _compiled(strategy, on_each_replica, data)
    silent = keras.callbacks.CallbackList()

    def judge():
        (batches,) = data.epochs(0, 1, False, 0)
        return _one_epoch(model, step, batches, silent)

    return judge


# ---------------------------------------------------------------- the batches


def _data(strategy, inputs, targets, batch_size):
    if isinstance(inputs, tf.data.Dataset):
        return _Batches(strategy, inputs, targets)
    return _Arrays(strategy, inputs, targets, batch_size)


class _Arrays:
    """Batches of arrays, cut into the replicas' shares; the order depends on the seed alone."""

    def __init__(self, strategy, inputs, targets, batch_size):
        checking.at_least(1, batch_size=batch_size)
        self.strategy = strategy
        self.arrays = keras.tree.map_structure(np.asarray, (inputs, targets))
        self.count = len(keras.tree.flatten(self.arrays)[0])
        self.batch_size = min(batch_size, self.count)
        self.steps = -(-self.count // self.batch_size)
        self.first = keras.tree.map_structure(lambda array: array[:1], self.arrays)
        self.spec = self._distributed(self._order(1, False, 0)).element_spec

    def epochs(self, done, epochs, shuffle, seed):
        """Yield each epoch's batches from epoch `done` on, as pairs (batch, number of examples)."""
        if done >= epochs:
            return
        order = self._order(epochs, shuffle, seed)
        steps = len(order) // epochs
        sizes = (order[:steps] >= 0).sum(axis=1).tolist()
        batches = iter(self._distributed(order[done * steps :]))
        for _ in range(done, epochs):
            yield ((next(batches), size) for size in sizes)

    def _order(self, epochs, shuffle, seed):
        return epoch_order(self.count, self.batch_size, epochs, shuffle, seed)

    def _distributed(self, order):
        return self.strategy.distribute_datasets_from_function(
            lambda context: array_shares(context, *self.arrays, order)
        )


def epoch_order(count, batch_size, epochs, shuffle, seed):
    """Return which examples each step sees, the same in every process: int (epochs * steps, batch_size).

    The row of a last, smaller batch ends in -1: nobody.
    """
    generator = np.random.default_rng(seed)
    steps = -(-count // batch_size)
    order = np.full((epochs, steps * batch_size), -1)
    for epoch in order:
        epoch[:count] = generator.permutation(count) if shuffle else np.arange(count)
    return order.reshape(-1, batch_size)


def array_shares(context, inputs, targets, order):
    """Return this process's part of every global batch, one replica's share after the other, as a dataset.

    `context` tells which of how many processes asks; a process has the same number of replicas as the others. Where
    the examples of a batch cannot be shared evenly, the shares are as even as whole numbers allow, and each is told its
    weight, `share`.
    """
    replicas = context.num_replicas_in_sync
    local = replicas // context.num_input_pipelines
    first = context.input_pipeline_id * local
    arrays = tf.nest.map_structure(tf.convert_to_tensor, (inputs, targets))

    def gathered(rows):
        chosen = tf.nest.map_structure(lambda array: tf.gather(array, rows), arrays)
        return dict(zip(("inputs", "targets"), chosen, strict=True))

    if order.shape[1] % replicas == 0 and (order >= 0).all():
        mine = order.reshape(len(order), replicas, -1)[:, first : first + local]  # (steps, local, share)
        rows = tf.data.Dataset.from_tensor_slices(mine.reshape(len(order) * local, -1))
        return rows.map(gathered).prefetch(2)

    mine, weights = [], []
    for batch in order:
        present = batch[batch >= 0]
        for rows in np.array_split(present, replicas)[first : first + local]:
            mine.append(np.append(rows, np.full(order.shape[1] - len(rows), -1)))
            weights.append(replicas * len(rows) / len(present))

    def gathered_and_weighed(rows, weight):
        return gathered(tf.boolean_mask(rows, rows >= 0)) | {"share": weight}

    rows = tf.data.Dataset.from_tensor_slices((np.array(mine), np.float32(weights)))
    return rows.map(gathered_and_weighed).prefetch(2)


class _Batches:
    """A dataset's global batches, cut into the replicas' shares."""

    def __init__(self, strategy, dataset, targets):
        wanted = "应为 None：数据集已包含它们", "None: the dataset holds them"
        checking.expect(targets is None, "targets", *wanted, type(targets))
        element = dataset.element_spec
        pair = isinstance(element, tuple) and len(element) in (2, 3)
        wanted = "应逐批给出 (inputs, targets)", "batches of (inputs, targets)"
        checking.expect(pair, "inputs", *wanted, str(element))
        self.strategy, self.dataset, self.steps = strategy, dataset, None
        self.first = tf.nest.map_structure(lambda array: array[:1], next(iter(dataset)))[:2]
        self.shares = strategy.distribute_datasets_from_function(self._shares)
        self.spec = {name: spec for name, spec in self.shares.element_spec.items() if name != "count"}

    def epochs(self, done, epochs, shuffle, seed):
        """As `_Arrays.epochs`; order and batches are the dataset's own."""
        for _ in range(done, epochs):
            yield ((batch, self._first(batch.pop("count"))) for batch in self.shares)

    def _first(self, counts):
        return self.strategy.experimental_local_results(counts)[0]

    def _shares(self, context):
        replicas = context.num_replicas_in_sync
        local = replicas // context.num_input_pipelines
        first = context.input_pipeline_id * local

        def cut(*batch):
            count = tf.shape(tf.nest.flatten(batch)[0])[0]

            def part(replica):
                begin, end = replica * count // replicas, (replica + 1) * count // replicas
                parts = tf.nest.map_structure(lambda array: array[begin:end], batch)
                share = replicas * tf.cast(end - begin, "float32") / tf.cast(count, "float32")
                names = ("inputs", "targets", "weights")
                return dict(zip(names, parts, strict=False)) | {"share": share, "count": count}

            numbers = tf.data.Dataset.range(first, first + local, output_type="int32")
            return numbers.map(part)

        return self.dataset.flat_map(cut).prefetch(2)
