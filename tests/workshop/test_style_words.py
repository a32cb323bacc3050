"""The lists of words to replace: every rule catches something, and right sentences pass."""

import pytest
from small_chapter import small_chapter

from course_utils.workshop import build, lint, style
from course_utils.workshop.chapters import PASSED

WRONG = {
    "en": """Its time and memory stand below. | Beside it stands a baseline. | One a digit. | It needs two bits a character.
        Trained from other weights. | The order is another. | The network is too sure. | It reads rightly.
        The one that errs least. | The commonest word. | Their deviation grows. | The calmest curve. | It is too dear.
        A neuron weighs its inputs. | Chosen by dice. | It knows them by heart. | A network in small. | Chosen in haste.
        Two storeys of it. | The gradient bursts. | It turns round. | It heeds the order. | The way gone.
        It shall learn. | Whom does Keras quantise? | Whoever counts need not guess. | Who chooses by the test set has trained on it.
        How many parameters has it? | Two trainings. | In so short a run. | At the end you can count. | To know before: Python.
        Few data overfit. | It is right on the average. | It stays for ever. | Three witnesses agree.""",
    "zh": """训练数字 | 证明它与 Keras 相等 | 你的数与它相同 | 与 Keras 相等的块 | 读数变了 | 网络的把握 | 印出来的话 | 数数赢了
        训练的对数 | 快了 3 倍 | 只小了十倍 | 没有来的是押韵 | 见本页 | 深网络 | 残差叠法 | 小的运行 | 预言它 | 预报 | 两层楼 | 一道刀刃
        两只钟 | 学习率安排 | 批大小 | 正确率 | 提前停止 | 变压器 | 递归网络 | 空洞取 2 | 许诺过多 | 三位证人 | 用在哪里 | ## 想法：核""",
}
RIGHT = {
    "en": """The file is printed below. | Ten times a second. | In small steps. | Another layer follows. | Make sure. | Who wins?
        The standard deviation grows. | Who decides what counts as better? | It has a sign and a place. | `shall` and $shall$
        Two readings. | How many does it have? | So far, so good. | Bit by bit. | Further reading.""",
    "zh": """手写数字 | 训练样本 | 打印出来 | 复印 | 最多三倍 | 至少两倍 | 快一倍 | 变为原来的 s 倍 | 没有把握 | 证明置换等变 | 数值相等
        递归地调用 | 深层网络 | 对数似然 | 空洞率取 2 | 步幅，空洞率 | 空洞卷积 | `本页` | 参数的个数""",
}


def hits(tmp_path, language, sentence):
    english, chinese = "# # 2 A small chapter", "# # 2 一个小章节"
    old = english if language == "en" else chinese
    new = f"# {sentence}" if sentence.startswith("#") else f"# # 2 题. {sentence}"
    read = small_chapter(tmp_path, lambda text: text.replace(old, new))
    return list(style.hits(read, lint._prose))


def sentences(of):
    return [
        (language, part.strip())
        for language, text in of.items()
        for line in text.splitlines()
        for part in line.split("|")
    ]


@pytest.mark.parametrize("language, sentence", sentences(WRONG))
def test_what_sounds_translated_is_found(tmp_path, language, sentence):
    ((line, spoken, word, instead),) = hits(tmp_path, language, sentence)
    assert line in (1, 3) and spoken == language and word in sentence and instead


@pytest.mark.parametrize("language, sentence", sentences(RIGHT))
def test_what_is_right_passes(tmp_path, language, sentence):
    assert hits(tmp_path, language, sentence) == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_rule_has_a_sentence_that_it_catches(language):
    wrong = [sentence for spoken, sentence in sentences(WRONG) if spoken == language]
    idle = [
        pattern.pattern
        for pattern, _ in style.rules()[language]
        if not any(pattern.search(sentence) for sentence in wrong)
    ]
    assert idle == []


def test_a_phrase_on_two_lines_is_one_phrase(tmp_path):
    assert [word for _, _, word, _ in hits(tmp_path, "en", "It knows them by\n# heart.")] == ["by heart"]
    assert [word for _, _, word, _ in hits(tmp_path, "zh", "训练数\n# 字")] == ["训练数字"]


def test_report_says_what_is_left(course, capsys):
    def change(text):
        return text.replace("A small", "By heart, by heart, in haste: a small").replace("小", "小本页")

    small_chapter(course.parent, change)
    assert build.main(["--style"]) == PASSED
    assert capsys.readouterr().out.splitlines() == [
        "02  en    3  by heart ×2, in haste ×1",
        "02  zh    1  本页 ×1",
        "总计 · total 4",
    ]
