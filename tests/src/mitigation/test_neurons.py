"""NeMo: neurons that are switched off and on again, and the search for them."""

import pytest
import torch

from verbatim.mitigation.neurons import (
    NeuronSearch,
    activations,
    refine,
    switched_off,
    unite,
    value_layers,
)
from verbatim.models.load import load_denoiser

REFERENCE = ["red heart", "black cat face", "open book", "waving hand", "man cook"]


@pytest.fixture(scope="module")
def denoiser(tiny_sd):
    return load_denoiser(tiny_sd, "sd", "cpu")


def predict(denoiser, caption="red heart"):
    x = torch.ones(1, *denoiser.shape)
    return denoiser.predict(x, 5.0, denoiser.encode([caption]))


def test_a_neuron_that_is_off_gives_nothing_and_the_weights_stay(denoiser):
    name, layer = next(iter(value_layers(denoiser).items()))
    weight, before = layer.weight.clone(), predict(denoiser)
    states = denoiser.encode(["red heart"]).states
    with switched_off(denoiser, {name: [1, 3]}):
        out = layer(states)
        assert (out[..., [1, 3]] == 0).all()
        torch.testing.assert_close(out[..., 2], (states @ weight.T)[..., 2])
        assert (predict(denoiser) - before).abs().max() > 1e-4
    assert torch.equal(layer.weight, weight)
    assert torch.equal(predict(denoiser), before)


def test_neurons_are_on_again_after_an_error(denoiser):
    name, before = next(iter(value_layers(denoiser))), predict(denoiser)
    with pytest.raises(RuntimeError), switched_off(denoiser, {name: [0]}):
        raise RuntimeError
    assert torch.equal(predict(denoiser), before)


def test_layers_are_those_on_the_way_down_and_in_the_middle(denoiser):
    names = list(value_layers(denoiser))
    assert any(name.startswith("down_blocks.") for name in names)
    assert not any(name.startswith("up_blocks.") for name in names)
    with pytest.raises(ValueError, match="leave nemo out"):
        value_layers(object())


def test_activations_are_means_over_tokens_of_absolute_values(denoiser):
    cond = denoiser.encode(["red heart", "open book"])
    for name, layer in value_layers(denoiser).items():
        expected = layer(cond.states).abs().mean(1).double()
        torch.testing.assert_close(
            activations(denoiser, cond)[name], expected, atol=1e-6, rtol=1e-5
        )


def test_only_neurons_that_are_needed_stay_off():
    """Off is enough where neuron 2 of the first layer and 5 of the second are off; all else was taken without need."""

    def likeness(off):
        return 0.1 if 2 in off.get("a", []) and 5 in off.get("b", []) else 0.9

    found = refine({"a": [1, 2, 3], "b": [4, 5], "c": [6], "d": []}, 0.5, likeness)
    assert found == {"a": [2], "b": [5]}


def test_a_layer_goes_as_a_whole_before_its_neurons_are_tried():
    asked = []

    def likeness(off):
        asked.append({name: list(places) for name, places in off.items()})
        return 0.0

    assert refine({"a": [1, 2], "b": [3]}, 0.5, likeness) == {}
    assert asked == [{"a": [1, 2]}, {}]


def test_the_union_holds_every_neuron_once():
    assert unite([{"b": [3, 1]}, {}, {"b": [1], "a": [0]}]) == {"a": [0], "b": [1, 3]}


class Copying:
    """A tiny model that answers every noise alike for one prompt, by way of one neuron, as a model does that memorized it."""

    def __init__(self, inner, prompt, layer, neuron):
        self.inner, self.prompt, self.layer, self.neuron = inner, prompt, layer, neuron
        self.image = torch.randn(inner.shape, generator=torch.Generator().manual_seed(0))
        self.marked = inner.encode([prompt]).states

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def predict(self, x, sigma, cond):
        noise = torch.randn(
            x.shape, generator=torch.Generator().manual_seed(int(x.abs().sum() * 1e3))
        )
        value = self.value(cond)
        clean = x / (sigma**2 + 1) ** 0.5
        if value == 0 or not torch.allclose(cond.states, self.marked):
            return clean + noise
        return clean + self.image

    def value(self, cond):
        return float(
            value_layers(self.inner)[self.layer](cond.states)[..., self.neuron].abs().sum()
        )


@pytest.fixture
def copying(tmp_path_factory):
    from tiny_models import make_sd

    folder = make_sd(tmp_path_factory.mktemp("nemo") / "sd", size=64)
    inner = load_denoiser(folder, "sd", "cpu")
    layer = next(iter(value_layers(inner)))
    found = activations(inner, inner.encode(["red heart", *REFERENCE[1:]]))[layer]
    rest = found[1:]
    neuron = int(((found[0] - rest.mean(0)).abs() / rest.std(0)).argmax())
    return Copying(inner, "red heart", layer, neuron), layer, neuron


@pytest.mark.slow
def test_the_neuron_that_makes_a_prompt_copy_is_found_and_no_other(copying):
    model, layer, neuron = copying
    search = NeuronSearch(model, [0, 1, 2], REFERENCE[1:])
    assert search.search("red heart") == {layer: [neuron]}
    assert search.search("open book") == {}
    assert 0 < search.reference.limit < 1


@pytest.mark.slow
def test_a_search_needs_two_noises_and_captions_to_compare_with(denoiser):
    with pytest.raises(ValueError, match="at least two seeds and two reference captions"):
        NeuronSearch(denoiser, [0], REFERENCE)
    with pytest.raises(ValueError, match="no room for NeMo's similarity"):
        NeuronSearch(denoiser, [0, 1], REFERENCE)  # its latent has 8 pixels a side
