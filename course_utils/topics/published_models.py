"""Sizes of well-known models as their makers printed them, each with its source; nothing here was run."""

from dataclasses import dataclass

from course_utils.topics import flops

GPT3_PAPER = "https://arxiv.org/abs/2005.14165"  # appendix D lists the training cost of BERT, T5 and GPT-3
MOBILENETS = "https://arxiv.org/abs/1704.04861"  # tables 8 and 9 list multiply-adds of older networks


@dataclass(frozen=True)
class Published:
    """One model.

    parameters: as printed. multiply_adds: forward, for one image, where printed. tokens: seen in training (repeats
    counted), with training_flops where both are printed. shape: arguments of `flops.transformer_parameters`;
    context: tokens that one token sees.
    """

    name: str
    year: int
    kind: str  # "image" or "text"
    maker: str
    parameters: float
    source: str
    multiply_adds: float | None = None
    tokens: float | None = None
    training_flops: float | None = None
    shape: dict | None = None
    context: int = 0

    @property
    def forward_flops(self):
        """FLOPs forward, for one image (published products, 2 FLOPs each) or one token (from the shape); None: unknown."""
        if self.multiply_adds:
            return 2 * self.multiply_adds
        if not self.context:
            return None
        shape = self.shape
        return 2 * flops.transformer_products(
            shape["blocks"], shape["width"], shape["vocabulary"], self.context
        )


def _gpt(blocks, width, positions):
    return dict(blocks=blocks, width=width, vocabulary=50257, positions=positions)


def _bert(blocks, width):
    return dict(blocks=blocks, width=width, vocabulary=30522, positions=512, bert=True)


MODELS = [
    # 340,908 connections, one multiply-add each.
    Published(
        "LeNet-5", 1998, "image", "AT&T", 60e3, "https://doi.org/10.1109/5.726791", multiply_adds=340_908
    ),
    Published(
        "AlexNet", 2012, "image", "U Toronto", 60e6, "https://doi.org/10.1145/3065386", multiply_adds=720e6
    ),  # products: MOBILENETS
    Published(
        "VGG-16", 2014, "image", "U Oxford", 138e6, "https://arxiv.org/abs/1409.1556", multiply_adds=15.3e9
    ),
    # Parameters counted with keras.applications (see tests/test_flops.py); products from the paper's table 1.
    Published(
        "ResNet-50",
        2015,
        "image",
        "Microsoft",
        25.6e6,
        "https://arxiv.org/abs/1512.03385",
        multiply_adds=3.8e9,
    ),
    # 37,000 tokens shared by both languages; six encoder and six decoder blocks.
    Published(
        "Transformer base",
        2017,
        "text",
        "Google",
        65e6,
        "https://arxiv.org/abs/1706.03762",
        shape=dict(blocks=6, width=512, vocabulary=37_000, decoder_blocks=6),
    ),
    Published(
        "Transformer big",
        2017,
        "text",
        "Google",
        213e6,
        "https://arxiv.org/abs/1706.03762",
        shape=dict(blocks=6, width=1024, vocabulary=37_000, decoder_blocks=6),
    ),
    Published(
        "BERT base",
        2018,
        "text",
        "Google",
        110e6,
        "https://arxiv.org/abs/1810.04805",
        tokens=250e9,
        training_flops=1.64e20,
        shape=_bert(12, 768),
        context=512,
    ),
    Published(
        "BERT large",
        2018,
        "text",
        "Google",
        340e6,
        "https://arxiv.org/abs/1810.04805",
        tokens=250e9,
        training_flops=5.33e20,
        shape=_bert(24, 1024),
        context=512,
    ),
    # The report says 117M; the released file holds the number that the shape gives.
    Published(
        "GPT-2 small",
        2019,
        "text",
        "OpenAI",
        124e6,
        "https://github.com/openai/gpt-2",
        shape=_gpt(12, 768, 1024),
        context=1024,
    ),
    Published(
        "GPT-2 XL",
        2019,
        "text",
        "OpenAI",
        1.5e9,
        "https://github.com/openai/gpt-2",
        shape=_gpt(48, 1600, 1024),
        context=1024,
    ),
    Published(
        "GPT-3",
        2020,
        "text",
        "OpenAI",
        175e9,
        GPT3_PAPER,
        tokens=300e9,
        training_flops=3.14e23,
        shape=_gpt(96, 12288, 2048),
        context=2048,
    ),
    Published(
        "Chinchilla",
        2022,
        "text",
        "DeepMind",
        70e9,
        "https://arxiv.org/abs/2203.15556",
        tokens=1.4e12,
        training_flops=5.76e23,
    ),
    Published(
        "Llama 3.1",
        2024,
        "text",
        "Meta",
        405e9,
        "https://arxiv.org/abs/2407.21783",
        tokens=15.6e12,
        training_flops=3.8e25,
    ),
]
