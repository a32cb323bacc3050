"""The READMEs' tables of measured results, made from the committed results files between two markers."""

import json
from pathlib import Path

from course_utils.workshop import source

BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
_HEAD = {
    "README.md": "| chapter | time | peak memory | numbers in band | some of them |\n|---|---|---|---|---|",
    "README.zh.md": "| 章节 | 用时 | 内存峰值 | 区间内的数值 | 其中几个 |\n|---|---|---|---|---|",
}

# Three numbers a chapter: the comparison that it is about, not its best result alone.
_TELLING = {
    "01": ("baseline.test_accuracy", "mlp.test_accuracy", "noise.random_labels_training_accuracy"),
    "02": ("mlp.test_accuracy", "beginner_cnn.test_accuracy", "fast_cnn.test_accuracy"),
    "02a": ("plain_20.training_accuracy", "normalised_20.training_accuracy", "residual_20.training_accuracy"),
    "03": ("max.test_accuracy", "max.kept_moved_4", "global_longer.kept_moved_4"),
    "04": ("cross_entropy.ece", "cross_entropy.ece_scaled", "softmax_twice_hidden.fault_accuracy"),
    "05": ("sgd.test_accuracy", "adam.test_accuracy", "default_gap.sgd_adam"),
    "05a": (
        "speed_run.beginners_recipe_test_accuracy",
        "speed_run.soft_labels_test_accuracy",
        "speed_run.soft_labels_times_faster",
    ),
    "06": ("lstm.accuracy_2_followers", "lstm_bias_4.accuracy_2_followers", "linear.accuracy_2_followers"),
    "06a": ("zh.tfidf", "zh.lstm", "co2.lstm_difference"),
    "07": ("none.anagram_accuracy", "learned.anagram_accuracy", "writing.attention_exponent"),
    "07a": (
        "nearest_word.phoneme_error_rate",
        "g2p.lstm.phoneme_error_rate",
        "g2p.transformer.phoneme_error_rate",
    ),
    "07b": ("poems.bits_per_character", "poems.bits_below_ngram", "poems.tones_top_p"),
    "07c": (
        "from_scratch.accuracy_100_labels",
        "pre_trained.accuracy_100_labels",
        "linear.accuracy_100_labels",
    ),
    "08": (
        "scaling.miss_relative_to_fit",
        "in_order.chinese_eleven_twelve",
        "in_order.english_eleven_twelve",
    ),
    "08a": ("original.test_accuracy", "int4.test_accuracy", "int4.compressed_size"),
    "08b": (
        "from_scratch.new_accuracy_10_labels",
        "fine_tuning.new_accuracy_10_labels",
        "lora.new_accuracy_10_labels",
    ),
    "08c": ("integrated.share_on_mark", "grad_cam.share_on_mark", "guided.survives_ink"),
    "08d": (
        "overfitted.auc_wrong_labels",
        "private.auc_wrong_labels",
        "private_epsilon_2.test_accuracy",
    ),
    "09": ("steps.sgd_4", "steps.sgd_1024", "batch_times_4.sgd_linear_rule"),
    "09a": (
        "buffer.a_tenth_test_accuracy",
        "bfloat16.rate_0_005_test_accuracy",
        "xla.transformer_later_processor_time_ratio",
    ),
    "10": ("faithful.test_accuracy", "no_logits.test_accuracy", "flatten_naive.accuracy"),
}


def update(root: Path, *, check: bool) -> list:
    """Rewrite the tables (or, with `check`, only compare them) and return what is wrong."""
    problems = []
    for name in _HEAD:
        path = root / name
        if not path.exists():
            continue
        text = path.read_text(encoding="utf-8")
        if text.count(BEGIN) != 1 or text.count(END) != 1:
            problems.append(f"{name}: one {BEGIN} and one {END} were expected")
            continue
        before, rest = text.split(BEGIN)
        after = rest.split(END)[1]
        try:
            wanted = f"{before}{BEGIN}\n{table(root / 'notebooks', name)}\n{END}{after}"
        except ValueError as error:
            return [*problems, str(error)]
        if wanted == text:
            continue
        if check:
            problems.append(
                f"{name}: its table is not what notebooks/results say; run: python3 -m course_utils build"
            )
        else:
            path.write_text(wanted, encoding="utf-8", newline="\n")
            print(f"{name}: table written")
    return problems


def table(notebooks: Path, name: str) -> str:
    """Return the table of one README."""
    language = "zh" if name == "README.zh.md" else "en"
    lines = [_HEAD[name]]
    for number, path in source.chapter_paths(notebooks).items():
        stored_path = notebooks / "results" / f"laptop-{number}.json"
        if not stored_path.exists():
            continue
        chapter = source.read(path)
        stored = json.loads(stored_path.read_text(encoding="utf-8"))
        numbers = stored["numbers"]
        judged = [entry for entry in numbers.values() if entry["band"]]
        inside = sum(entry["in_band"] for entry in judged)
        shown = [
            f"`{key}` {numbers[key]['value']:.{numbers[key]['digits']}f} {numbers[key]['unit']}".strip()
            for key in _most_telling(number, numbers)
        ]
        link = f"[{chapter.title(language)}](notebooks/{language}/{chapter.stem}.ipynb)"
        cost = stored["cost"]
        lines.append(
            f"| {link} | {cost['seconds']:.0f} s | {cost['peak_memory_gb']:.2f} GB | "
            f"{inside} / {len(judged)} | {'<br>'.join(shown)} |"
        )
    return "\n".join(lines)


def _most_telling(number: str, stored: dict) -> list:
    """The names in _TELLING; of a chapter without any, the first three that were recorded."""
    names = _TELLING.get(number, list(stored)[:3])
    missing = [name for name in names if name not in stored]
    if missing:
        raise ValueError(
            f"chapter {number}: not in its results: {', '.join(missing)}; correct _TELLING in {__name__}"
        )
    return names
