"""Three sizes of the same chapter: smoke (CI), laptop (a reader) and full (a GPU, or a night on a CPU)."""

import os

from course_utils import language, results

PROFILES = ("smoke", "laptop", "full")

_state = {"profile": None, "seed": 0}


def name() -> str:
    """Return the profile in use: what `use` was given, else `COURSE_PROFILE`, else laptop."""
    return _checked(_state["profile"] or os.environ.get("COURSE_PROFILE") or "laptop")


def seed() -> int:
    """Return the seed that `use` was given."""
    return _state["seed"]


def use(profile: str | None = None, seed: int = 0) -> None:
    """Choose the profile and seed of this notebook, and seed Python, NumPy and TensorFlow.

    Args:
        profile: "smoke", "laptop" or "full"; None means the environment's `COURSE_PROFILE`, else laptop.
        seed: a whole number, 0 or greater. Another seed gives another run of the same experiment.

    Raises:
        ValueError: an unknown profile or a seed that is not a whole number.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ValueError(f"SEED 应为非负整数 · SEED must be a whole number, 0 or greater; found {seed!r}")
    if profile is not None:
        _checked(profile)
    _state.update(profile=profile, seed=seed)

    import keras

    keras.utils.set_random_seed(seed)
    results.begin(name(), seed)
    print(language.words(f"profile: {name()}    seed: {seed}", f"配置：{name()}    随机种子：{seed}"))


def choose(*, smoke, laptop, full):
    """Return the argument of the profile in use; the three stand beside each other where they are used."""
    return {"smoke": smoke, "laptop": laptop, "full": full}[name()]


def _checked(profile: str) -> str:
    if profile not in PROFILES:
        raise ValueError(
            f"未知的配置 · unknown profile {profile!r}; 可选 · choose one of {', '.join(PROFILES)}"
        )
    return profile
