"""Builds the small model's file: counted word pairs written as the weights of a llama graph.

There is no training. One embedding axis stands for each word the model can say, and the output
matrix holds the logarithms of how often another word came next, and next but one. The one attention
layer does two things: it looks up the word before, and it averages what the words of the
conversation tell of their subject and language, so the answer keeps to both. See
docs/algorithms/small-model.md.
"""

import argparse
import math
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from appliances.runtimes.smallmodel.corpus import CHINESE, COMMON, ENGLISH, PUNCTUATION, Line
from appliances.runtimes.smallmodel.gguf_file import Value, Weights, write_gguf

# The tokenizer's types of pieces.
NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6
MODEL_NAME: Final = "small-test-model"
CONTEXT_TOKENS: Final = 2048
# Three heads carry the word before among them, the last one subject and language.
HEADS: Final = 4
FEED_FORWARD: Final = 32
# Far below any count that was seen, and small enough that no subject outweighs it.
UNSEEN: Final = 1e-9
SUBJECT_GAIN: Final = 14.0
LANGUAGE_GAIN: Final = 6.0
# How much more a word with a subject is listened to than one without; e**-16 is next to nothing.
SUBJECT_ATTENTION: Final = 16.0
# Enough that the word before gets practically all of the attention, its neighbours e**-40.
BEFORE_ATTENTION: Final = 60.0
ROPE_BASE: Final = 1e9
# The lead bytes of three-byte UTF-8 that CJK text uses: a character the vocabulary lacks still
# tells its language.
CJK_LEAD_BYTES: Final = range(0xE4, 0xEA)
ROLES: Final = ("system", "user", "assistant", "tool", "end")
START: Final = "<|assistant|>"
STOP: Final = "</s>"
CHAT_TEMPLATE: Final = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] | lower }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@dataclass(frozen=True)
class Vocabulary:
    """The pieces in order, with the tokenizer's score and type of each."""

    pieces: tuple[str, ...]
    scores: tuple[float, ...]
    types: tuple[int, ...]
    ids: Mapping[str, int]


@dataclass(frozen=True)
class Axes:
    """Which embedding axis means what.

    Shape: this word | subjects heard | languages heard | flag | constant | equaliser | subjects and
    languages to speak of | the word before | unused, up to a width that the heads divide.
    """

    words: Mapping[str, int]
    lines: int

    @property
    def heard(self) -> int:
        return len(self.words)

    @property
    def features(self) -> int:
        return self.lines + 2

    @property
    def flag(self) -> int:
        return self.heard + self.features

    @property
    def spoken(self) -> int:
        return self.flag + 3

    @property
    def before(self) -> int:
        return self.spoken + self.features

    @property
    def width(self) -> int:
        return math.ceil((self.before + len(self.words)) / (32 * HEADS)) * 32 * HEADS


def piece_of(word: str) -> str:
    """The piece a word is written with: words of Latin script carry the space before them.

    A capital letter begins an answer, where no space belongs.
    """
    if word in PUNCTUATION or not word.isascii() or word[0].isupper():
        return word
    return "▁" + word


def vocabulary(lines: Sequence[Line]) -> Vocabulary:
    """Every word, each of its beginnings, each single character and all 256 bytes."""
    rows: list[tuple[str, float, int]] = [
        ("<unk>", 0.0, UNKNOWN),
        ("<s>", 0.0, CONTROL),
        (STOP, 0.0, CONTROL),
    ]
    rows += [(f"<|{role}|>", 0.0, CONTROL) for role in ROLES]
    rows += [(f"<0x{byte:02X}>", 0.0, BYTE) for byte in range(256)]
    pieces = {"▁", *"abcdefghijklmnopqrstuvwxyz0123456789'\"-/", *PUNCTUATION}
    for word in _words(lines):
        # The tokenizer joins neighbours two by two, so each beginning of a word must be a piece.
        piece = piece_of(word)
        pieces.update(piece[:end] for end in range(1, len(piece) + 1))
        pieces.update(piece)
    rows += [
        (piece, float(len(piece)) if len(piece) > 1 else -1.0, NORMAL) for piece in sorted(pieces)
    ]
    names = tuple(name for name, _, _ in rows)
    return Vocabulary(
        pieces=names,
        scores=tuple(score for _, score, _ in rows),
        types=tuple(kind for _, _, kind in rows),
        ids={name: index for index, name in enumerate(names)},
    )


def _words(lines: Iterable[Line]) -> list[str]:
    return sorted({word for line in lines for word in f"{line.answer} {line.cues}".split()})


def _followers(lines: Sequence[Line], distance: int) -> dict[str, Counter[str]]:
    """How often each piece stands ``distance`` after each piece.

    A sentence is framed by START, twice so that its first word also has two pieces before it, and
    STOP. The first line of a language counts double: it is what to say when nothing else fits.
    """
    counts: dict[str, Counter[str]] = {}
    for line in lines:
        sequence = [START, START, *map(piece_of, line.answer.split()), STOP]
        weight = 2 if line in (ENGLISH[0], CHINESE[0]) else 1
        for index in range(2, len(sequence)):
            before = sequence[index - distance]
            counts.setdefault(before, Counter())[sequence[index]] += weight
    return counts


def _features(lines: Sequence[Line], words: Vocabulary) -> Weights:
    """What each piece tells about the subject (shared among the lines it is in) and language."""
    heard = np.zeros((len(words.pieces), len(lines) + 2), np.float32)
    for index, line in enumerate(lines):
        told = {part.lower() for part in f"{line.answer} {line.cues}".split()}
        for word in told - PUNCTUATION - COMMON:
            piece = words.ids.get(piece_of(word))
            if piece is not None:
                heard[piece, index] = 1.0
    totals = heard.sum(axis=1, keepdims=True)
    heard /= np.maximum(totals, 1.0)
    for index, piece_text in enumerate(words.pieces):
        language = _language(piece_text)
        if language is not None:
            heard[index, len(lines) + language] = 1.0
    return heard


def _language(piece: str) -> int | None:
    """0 for a piece of English, 1 for one of Chinese, None for what belongs to both."""
    if piece.startswith("<0x"):
        return 1 if int(piece[3:5], 16) in CJK_LEAD_BYTES else None
    if piece.startswith("<") or piece in PUNCTUATION:
        return None
    letters = piece.strip("▁")
    if not letters.isalpha():
        return None
    return 0 if letters.isascii() else 1


def _embeddings(words: Vocabulary, axes: Axes, heard: Weights) -> tuple[Weights, float]:
    """One row a piece, all of the same length so that RMSNorm keeps them exact."""
    rows = np.zeros((len(words.pieces), axes.width), np.float32)
    for index, piece in enumerate(words.pieces):
        # A piece the model never says stands where an answer begins.
        rows[index, axes.words.get(piece, axes.words[START])] = 1.0
    rows[:, axes.heard : axes.flag] = heard
    # A word that only tells the language is heard where no word tells a subject.
    told = heard[:, : axes.lines].any(axis=1).astype(np.float32)
    rows[:, axes.flag] = (told + heard.any(axis=1)) / 2
    rows[:, axes.flag + 1] = 1.0
    lengths = np.square(rows.astype(np.float64)).sum(axis=1)
    target = float(lengths.max()) + 1.0
    rows[:, axes.flag + 2] = np.sqrt(target - lengths)
    return rows, math.sqrt(target)


def _output(lines: Sequence[Line], words: Vocabulary, axes: Axes) -> Weights:
    """What each axis says for the next piece: counted pairs, the subject, the language."""
    rows = np.zeros((len(words.pieces), axes.width), np.float32)
    floor = round(math.log(UNSEEN), 4)
    for distance, first_column in ((1, 0), (2, axes.before)):
        for before, counts in _followers(lines, distance).items():
            column = first_column + axes.words[before]
            rows[:, column] = floor
            total = sum(counts.values())
            for after, count in counts.items():
                # Rounded, so that the last bit of a platform's logarithm changes nothing.
                rows[words.ids[after], column] = round(math.log(count / total), 4)
    for index, line in enumerate(lines):
        for word in set(line.answer.split()):
            rows[words.ids[piece_of(word)], axes.spoken + index] = SUBJECT_GAIN
    for index, piece in enumerate(words.pieces):
        language = _language(piece)
        if language is not None and not piece.startswith("<"):
            rows[index, axes.spoken + axes.lines + language] = LANGUAGE_GAIN
    return rows


def _attention(axes: Axes, scale: float) -> dict[str, Weights]:
    """The heads that look up the word before, and the one that listens to subject and language.

    The rotary embedding turns a pair of axes by the distance between two words times the pair's
    frequency. A query turned back by one such step on every pair meets the word before exactly and
    any other one at some angle. The last pair hardly turns at all within the context, so that the
    last head's scores do not depend on the distance.
    """
    width, per_head = axes.width, axes.width // HEADS
    query, key, value, out = (np.zeros((width, width), np.float32) for _ in range(4))
    pairs = per_head // 2
    strength = math.sqrt(BEFORE_ATTENTION * math.sqrt(per_head)) * scale
    for pair in range(pairs // 4):
        # The slower pairs could not tell neighbours apart.
        angle = -(ROPE_BASE ** (-pair / pairs))
        for head in range(HEADS - 1):
            first = head * per_head + 2 * pair
            query[first, axes.flag + 1] = round(strength * math.cos(angle), 4)
            query[first + 1, axes.flag + 1] = round(strength * math.sin(angle), 4)
            key[first, axes.flag + 1] = strength
    for index in range(len(axes.words)):
        value[index, index] = scale
        out[axes.before + index, index] = 1.0
    listener = (HEADS - 1) * per_head
    strength = math.sqrt(SUBJECT_ATTENTION * math.sqrt(per_head)) * scale
    query[width - 1, axes.flag + 1] = strength
    key[width - 1, axes.flag] = strength
    for feature in range(axes.features):
        value[listener + feature, axes.heard + feature] = scale
        out[axes.spoken + feature, listener + feature] = 1.0
    return {"attn_q": query, "attn_k": key, "attn_v": value, "attn_output": out}


def weights(lines: Sequence[Line], words: Vocabulary) -> tuple[Axes, dict[str, Weights]]:
    """Every tensor of the model by its name in the file."""
    said = sorted({piece for line in lines for piece in map(piece_of, line.answer.split())})
    axes = Axes(words={piece: i for i, piece in enumerate([START, *said])}, lines=len(lines))
    embeddings, length = _embeddings(words, axes, _features(lines, words))
    # RMSNorm divides by length / sqrt(width); the matrices behind it multiply that back.
    scale = length / math.sqrt(axes.width)
    ones = np.ones(axes.width, np.float32)
    tensors: dict[str, Weights] = {
        "token_embd.weight": embeddings,
        "output_norm.weight": ones,
        "output.weight": (_output(lines, words, axes) * scale).astype(np.float32),
        "blk.0.attn_norm.weight": ones,
        "blk.0.ffn_norm.weight": ones,
        "blk.0.ffn_gate.weight": np.zeros((FEED_FORWARD, axes.width), np.float32),
        "blk.0.ffn_up.weight": np.zeros((FEED_FORWARD, axes.width), np.float32),
        "blk.0.ffn_down.weight": np.zeros((axes.width, FEED_FORWARD), np.float32),
    }
    for name, matrix in _attention(axes, scale).items():
        tensors[f"blk.0.{name}.weight"] = matrix
    return axes, tensors


def write(path: Path) -> None:
    """Write the model's file; the same code always writes the same bytes."""
    lines = (*ENGLISH, *CHINESE)
    words = vocabulary(lines)
    axes, tensors = weights(lines, words)
    fields: dict[str, Value] = {
        "general.architecture": "llama",
        "general.name": MODEL_NAME,
        "general.description": "A very small test model of a few sentences; not for real use.",
        "general.file_type": 0,
        "llama.context_length": CONTEXT_TOKENS,
        "llama.embedding_length": axes.width,
        "llama.block_count": 1,
        "llama.feed_forward_length": FEED_FORWARD,
        "llama.attention.head_count": HEADS,
        "llama.attention.head_count_kv": HEADS,
        "llama.attention.layer_norm_rms_epsilon": 1e-9,
        "llama.rope.dimension_count": axes.width // HEADS,
        "llama.rope.freq_base": ROPE_BASE,
        "llama.vocab_size": len(words.pieces),
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": words.pieces,
        "tokenizer.ggml.scores": words.scores,
        "tokenizer.ggml.token_type": words.types,
        "tokenizer.ggml.unknown_token_id": words.ids["<unk>"],
        "tokenizer.ggml.bos_token_id": words.ids["<s>"],
        "tokenizer.ggml.eos_token_id": words.ids[STOP],
        "tokenizer.ggml.add_bos_token": True,
        "tokenizer.ggml.add_space_prefix": True,
        "tokenizer.chat_template": CHAT_TEMPLATE,
    }
    write_gguf(path, fields, tensors)


def build_if_missing(path: Path) -> Path:
    """Make the file unless it is there; a reader never sees half of one.

    Idempotent: two builders at once write the same bytes, and the second replaces the first.
    """
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    partial = Path(name)
    try:
        write(partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description="Build the small test model.")
    parser.add_argument("path", type=Path)
    build_if_missing(parser.parse_args(arguments).path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
