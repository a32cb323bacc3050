r"""Language models: counting n-grams, byte pairs, and how many bits a text costs a model.

    pieces = language_models.BytePairs.learn(text, 1000)      # a vocabulary of frequent pieces of text
    numbers = pieces.encode("It is a truth")                  # int32 (time,)
    ngram = language_models.NGram(4, pieces.size).fit(sequences)
    language_models.bits(ngram.log_probabilities(sequences))  # what the text costs, all together

Sequences are whole numbers (batch, time), padded with 0 at the end; the first column is given, every later token is
predicted from those before it. `NGram` has the methods of `transformer.Stepper`, so `decoding.sample` writes with either.
"""

import collections
import re

import numpy as np

from course_utils.checking import at_least, between, expect, integer_array

PADDING, START = 0, 1


class NGram:
    r"""A language model that only counts: interpolated Kneser-Ney smoothing.

    With h the n - 1 tokens before w, h' the same without its first, and counts c:

        p_n(w | h) = max(c(h w) - D, 0) / c(h) + D N(h) / c(h) * p_{n-1}(w | h')

    N(h) is the number of different tokens seen after h, and c(h) the sum of c(h w) over w, so that nothing is lost: what the
    discount D takes from the seen tokens goes to the shorter context. Where h was never seen, p_n = p_{n-1}. Below p_1 all
    tokens but padding and start are equally likely.

    The highest order counts how often; every lower one in how many *different* contexts (how many tokens stand before h' w),
    since it is asked only when the longer context failed. D = n1 / (n1 + 2 n2) for each order, n1 and n2 the numbers of
    n-grams with count 1 and 2.

    Source: Chen and Goodman 1999, An empirical study of smoothing techniques for language modeling,
    doi:10.1006/csla.1999.0128, section 3 (one discount an order; they propose three).
    """

    def __init__(self, order, vocabulary):
        """Args: order, the n of the n-grams; vocabulary, how many different tokens, padding and start included."""
        at_least(1, order=order)
        at_least(3, vocabulary=vocabulary)
        fits = vocabulary**order < 2**63
        expect(fits, "vocabulary ** order", "应小于 2 ** 63", "less than 2 ** 63", f"{vocabulary} ** {order}")
        self.order, self.vocabulary = order, vocabulary

    def fit(self, sequences):
        """Count the n-grams of int (batch, time) sequences; returns self."""
        keys = self._keys(sequences)
        keys = keys[keys % self.vocabulary != PADDING]
        self._levels = []
        longer = None  # the different n-grams of the order above
        for n in range(self.order, 0, -1):
            keys %= self.vocabulary**n
            keys.sort()  # in place: long texts make long arrays
            grams, counts = _runs(keys)
            if longer is not None:
                # In how many contexts? Every longer gram is one; start has nothing before it, there occurrences count.
                longer = longer % self.vocabulary**n
                longer.sort()
                contexts = _runs(longer)[1]
                first = grams // self.vocabulary ** (n - 1)
                counts = np.where((first == START) & (n > 1), counts, contexts)
            longer = grams
            once, twice = (counts == 1).sum(), (counts == 2).sum()
            discount = once / (once + 2 * twice) if once and twice else 0.5
            contexts, kinds = _runs(grams // self.vocabulary)  # grams are sorted
            totals = np.add.reduceat(counts, np.cumsum(kinds) - kinds, dtype="int32")
            self._levels.insert(0, (discount, grams, counts, contexts, totals, kinds))
        return self

    @property
    def discounts(self):
        """D of each order, the shortest first."""
        return [level[0] for level in self._levels]

    def log_probabilities(self, sequences):
        """Return log p of each token after the first: float64 (batch, time - 1), 0 where there is padding."""
        sequences = np.asarray(sequences)
        probability = self._probability(self._keys(sequences)).reshape(len(sequences), -1)
        return np.where(sequences[:, 1:] == PADDING, 0.0, np.log(np.where(probability > 0, probability, 1)))

    def _keys(self, sequences):
        """Return each predicted token with the order - 1 before it as one number: int64 (batch * (time - 1),)."""
        sequences = _rows_of_tokens(sequences)
        between(0, self.vocabulary - 1, sequences=sequences)
        padded = np.pad(sequences, ((0, 0), (self.order - 1, 0)), constant_values=START)
        keys = np.zeros((len(sequences), sequences.shape[1] - 1), "int64")
        for place in range(self.order):
            keys *= self.vocabulary
            keys += padded[:, place + 1 : place + 1 + keys.shape[1]]
        return keys.ravel()

    def _probability(self, keys):
        """Return p_n of the n-grams in `keys`, any shape, by the recursion from the shortest context up."""
        token = keys % self.vocabulary
        probability = np.where((token == PADDING) | (token == START), 0.0, 1 / (self.vocabulary - 2))
        for n, (discount, grams, counts, contexts, totals, kinds) in enumerate(self._levels, start=1):
            key = keys % self.vocabulary**n
            count = _look_up(key, grams, counts)
            total = _look_up(key // self.vocabulary, contexts, totals)
            different = _look_up(key // self.vocabulary, contexts, kinds)
            kept = np.maximum(count - discount, 0) + discount * different * probability
            probability = np.where(total > 0, kept / np.maximum(total, 1), probability)
        return probability

    # ------------------------------------------------------------ the methods of a stepper

    def start(self, batch):
        """Return the state before the first token: the last order - 1 tokens, int64 (batch, order - 1)."""
        return np.full((batch, self.order - 1), START, "int64")

    def step(self, tokens, state):
        """Return (log-probabilities of the next token (batch, vocabulary), new state) after one more token (batch,)."""
        state = np.concatenate([state, np.asarray(tokens, "int64")[:, None]], axis=1)[:, 1 : self.order]
        context = np.zeros(len(state), "int64")
        for column in state.T:
            context = context * self.vocabulary + column
        probability = np.full((len(state), self.vocabulary), 1 / (self.vocabulary - 2))
        probability[:, [PADDING, START]] = 0.0
        for n, (discount, grams, counts, contexts, totals, kinds) in enumerate(self._levels, start=1):
            key = context % self.vocabulary ** (n - 1)
            places = np.minimum(np.searchsorted(contexts, key), len(contexts) - 1)
            for row in np.flatnonzero(contexts[places] == key):
                place = places[row]
                # what followed stands in one piece
                begin = np.searchsorted(grams, key[row] * self.vocabulary)
                seen = slice(begin, begin + kinds[place])
                probability[row] *= discount * kinds[place] / totals[place]
                kept = np.maximum(counts[seen] - discount, 0) / totals[place]
                probability[row, grams[seen] % self.vocabulary] += kept
        with np.errstate(divide="ignore"):
            return np.log(probability), state

    @staticmethod
    def reorder(state, rows):
        """Return the state whose row i is row rows[i] of the old one."""
        return state[np.asarray(rows)]


def _rows_of_tokens(sequences):
    sequences = integer_array(sequences, "sequences", ("batch", "time"))
    expect(sequences.shape[1] >= 2, "sequences", "时间应至少为 2", "time at least 2", sequences.shape)
    return sequences


def _runs(ordered):
    """Return the different numbers of a sorted array and how often each stands there, int32."""
    begins = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])).astype("int32")
    return ordered[begins], np.diff(begins, append=np.int32(len(ordered)))


def _look_up(keys, known, values):
    """Return values[i] where keys equals known[i] (sorted), 0 where it is not known."""
    places = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    return np.where(known[places] == keys, values[places], 0)


# ---------------------------------------------------------------- byte pairs


_WORDS = re.compile(r" ?[A-Za-z]+|\s|[^A-Za-z\s]")


class BytePairs:
    """Pieces of text, learned by joining the most frequent neighbouring pair again and again (byte-pair encoding).

    Texts are first cut into words, a space staying with the word behind it, and signs one by one; no piece reaches over
    such a cut. Nothing is lost: `decode(encode(text)) == text` for any text of known characters.

    Attributes: `pieces`, the text of each number (0 and 1 are padding and start, empty); `joins`, the pairs in the order
    in which they were joined; `size`, how many numbers there are.

    Source: Gage 1994, A new algorithm for data compression; for words, Sennrich, Haddow and Birch 2016, Neural machine
    translation of rare words with subword units, arXiv:1508.07909.
    """

    def __init__(self, characters, joins):
        self.joins = list(joins)
        self.pieces = ["", "", *characters, *(left + right for left, right in self.joins)]
        self.size = len(self.pieces)
        self._numbers = {piece: number for number, piece in enumerate(self.pieces) if piece}
        self._rank = {pair: rank for rank, pair in enumerate(self.joins)}
        self._known = {}

    @classmethod
    def learn(cls, text, size, alphabet=""):
        """Learn tokens from a text: its characters and those of `alphabet`, then joined pairs; `size` numbers in all.

        There are fewer when no pair is left that occurs twice.
        """
        characters = sorted(set(text) | set(alphabet))
        at_least(len(characters) + 2, size=size)  # padding, start and the characters
        counts = collections.Counter(_WORDS.findall(text))
        words = [(list(word), count) for word, count in counts.items() if len(word) > 1]
        pairs, places = collections.Counter(), collections.defaultdict(set)
        for number, (word, count) in enumerate(words):
            for pair in zip(word, word[1:], strict=False):
                pairs[pair] += count
                places[pair].add(number)
        joins = []
        while len(characters) + 2 + len(joins) < size and pairs:
            most = max(pairs.values())
            if most < 2:
                break
            best = max(pair for pair, count in pairs.items() if count == most)
            joins.append(best)
            for number in places.pop(best):
                word, count = words[number]
                for pair in zip(word, word[1:], strict=False):  # this word's pairs out, …
                    pairs[pair] -= count
                word[:] = _joined(word, best)
                for pair in zip(word, word[1:], strict=False):  # … and those of the joined word in
                    pairs[pair] += count
                    places[pair].add(number)
            del pairs[best]
        return cls(characters, joins)

    def encode(self, text):
        """Return the numbers of the pieces of `text`: int32 (time,). ValueError for a character that was not learned."""
        numbers = []
        for word in map(re.Match.group, _WORDS.finditer(text)):
            if word not in self._known:
                self._known[word] = self._cut(word)
            numbers += self._known[word]
        return np.array(numbers, "int32")

    def _cut(self, word):
        unknown = set(word) - self._numbers.keys()
        expect(not unknown, "text", "应只含学过的字符", "characters that were learned", sorted(unknown))
        parts = list(word)
        while len(parts) > 1:
            best = min(
                zip(parts, parts[1:], strict=False), key=lambda pair: self._rank.get(pair, len(self._rank))
            )
            if best not in self._rank:
                break
            parts = _joined(parts, best)
        return [self._numbers[part] for part in parts]

    def decode(self, numbers):
        """Return the text of whole numbers; padding and start are nothing."""
        return "".join(self.pieces[number] for number in numbers)


def _joined(parts, pair):
    """Return the list with each occurrence of the pair, from the left, made one."""
    result, place = [], 0
    while place < len(parts):
        if tuple(parts[place : place + 2]) == pair:
            result.append(parts[place] + parts[place + 1])
            place += 2
        else:
            result.append(parts[place])
            place += 1
    return result


def paragraphs(text):
    """Return a text with one paragraph per line: line breaks inside one and repeated spaces become one space."""
    return "\n".join(" ".join(part.split()) for part in re.split(r"\n[ \t]*\n", text) if part.strip())


# ---------------------------------------------------------------- what a text costs


def log_probabilities(model, sequences, temperature=1.0, batch_size=20):
    """Return log p of each token after the first by a Keras model: float64 (batch, time - 1), 0 at padding.

    Args:
        model: tokens (batch, time) -> logits of the next token, such as `transformer.decoder_only`.
        sequences: int (batch, time).
        temperature: by which the logits are divided first.
        batch_size: rows at a time.
    """
    import tensorflow as tf

    from course_utils import training

    sequences = _rows_of_tokens(sequences)

    predict, parts = training.forward(model), []
    for begin in range(0, len(sequences), batch_size):
        rows = sequences[begin : begin + batch_size].astype("int32")
        full = np.pad(rows, ((0, batch_size - len(rows)), (0, 0)))  # one shape: the graph is traced once
        logits = predict(full[:, :-1]) / temperature  # (batch, time - 1, vocabulary)
        negative = tf.nn.sparse_softmax_cross_entropy_with_logits(full[:, 1:], logits)  # (batch, time - 1)
        parts.append(-np.asarray(negative)[: len(rows)].astype("float64"))
    return np.where(sequences[:, 1:] == PADDING, 0.0, np.concatenate(parts))


def bits(log_probability):
    """Return what a text costs in bits: minus the sum of the logarithms of its tokens' probabilities, over log 2."""
    return float(-np.sum(log_probability) / np.log(2))


def windows(numbers, length, stride):
    """Cut one long text into overlapping rows, and say which tokens each row is judged by.

    Args:
        numbers: int (time,).
        length: tokens a row, the first one given.
        stride: how far the next row begins; at most length - 1.

    Returns:
        rows: int32 (count, length), the last one filled with padding;
        judged: bool (count, length - 1). Every token but the first of the text is judged once, and in every row but the
        first it has at least length - 1 - stride tokens before it.
    """
    numbers = np.asarray(numbers, "int32")
    fits = numbers.ndim == 1 and len(numbers) >= 2
    expect(fits, "numbers", "形状应为 (time,)，至少 2 个", "shape (time,), at least 2", numbers.shape)
    between(1, length - 1, stride=stride)
    count = 1 + max(0, -(-(len(numbers) - length) // stride))
    padded = np.pad(
        numbers, (0, (count - 1) * stride + length - min(len(numbers), (count - 1) * stride + length))
    )
    rows = np.stack([padded[stride * row : stride * row + length] for row in range(count)])
    judged = np.zeros((count, length - 1), bool)
    judged[0] = True
    judged[1:, length - 1 - stride :] = True
    return rows, judged & (rows[:, 1:] != PADDING)


def distinct(texts, n):
    """Return the share of different ones among all n-grams of texts (strings or lists); 1: nothing is repeated.

    Source: Li et al. 2016, A diversity-promoting objective function for neural conversation models, arXiv:1510.03055.
    """
    grams = [tuple(text[place : place + n]) for text in texts for place in range(len(text) - n + 1)]
    expect(grams, "texts", f"至少一个应有 {n} 个词元", f"at least one with {n} tokens", "none")
    return len(set(grams)) / len(grams)
