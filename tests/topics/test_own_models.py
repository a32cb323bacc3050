"""The course's networks, counted: by Keras, by `flops` and by hand."""

from course_utils.topics import flops, own_models


def lstm(inputs, units):
    """Four gates, each with weights from the inputs and from the state, and a bias."""
    return 4 * units * (inputs + units + 1)


def test_every_network_is_counted_alike():
    networks = own_models.networks()
    for name, model in networks.items():
        assert flops.total(flops.count(model)).parameters == model.count_params(), name
    assert set(own_models.ITEMS) <= set(networks)
    counted = {name: model.count_params() for name, model in networks.items()}
    assert counted["perceptron"] == 784 * 128 + 128 + 128 * 10 + 10
    assert counted["LSTM on rows"] == lstm(28, 128) + lstm(128, 128) + 128 * 10 + 10
    assert counted["LSTM on text"] == 4_000 * 32 + lstm(32, 64) + lstm(64, 64) + 64 + 1


def test_the_small_gpt_has_the_parameters_of_its_shape():
    d, vocabulary, blocks = 128, 2_500, 2
    dense = 2 * d * 2 * d + 2 * d + d  # from d to 2d and back
    block = 4 * (d * d + d) + dense + 2 * 2 * d
    embedding, scores = vocabulary * d, d * vocabulary + vocabulary
    assert own_models.small_gpt().count_params() == embedding + blocks * block + 2 * d + scores


def test_steps_are_what_a_network_reads():
    for name, model in own_models.networks().items():
        steps = model.input_shape[1] if name in own_models.ITEMS else None
        assert own_models.ITEMS.get(name) == steps
