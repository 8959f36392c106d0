"""The fit arithmetic against the whole catalogue, and against numbers worked by hand."""

from decimal import Decimal

import pytest

from appliances import catalogue_seed as seed
from appliances.fit import (
    Answer,
    CardMemory,
    Figure,
    Label,
    ModelShape,
    judge,
    least_cards,
    sessions,
)
from appliances.speed import Cards, Work, seconds_per_token, sessions_within, tokens_per_second

ROWS = [
    pytest.param(row, chip, need, id=f"{row['id']}-{chip}")
    for row in seed.appliance_rows()
    for chip, need in row["min_cards"].items()
]

# Rows that name a precision their appliance lists under its twin: both take two bytes, so the
# count of cards is right and only the word differs.
OTHER_WORD_FOR_SIXTEEN_BITS = {
    ("asr-qwen3", "ascend-310p3-300iduo"),
    ("asr-realtime", "nvidia-l20"),
    ("asr-realtime", "nvidia-rtx4090"),
    ("code-assistant", "kunlunxin-p800"),
    ("customer-service", "kunlunxin-p800"),
    ("document-ocr", "ascend-310p3-300iduo"),
    ("embedding-bge-m3", "ascend-310p3-300iduo"),
    ("embedding-qwen3-8b", "ascend-310p3-300iduo"),
    ("industry-lora", "kunlunxin-p800"),
    ("knowledge-consult-rag", "kunlunxin-p800"),
    ("long-writing-pro", "kunlunxin-p800"),
    ("qa-entry", "kunlunxin-p800"),
    ("qa-standard", "kunlunxin-p800"),
    ("qa-value-moe", "kunlunxin-p800"),
    ("rerank-bge-v2-m3", "ascend-310p3-300iduo"),
    ("rerank-qwen3-4b", "ascend-310p3-300iduo"),
    ("tts", "iluvatar-bi-v150"),
    ("tts", "nvidia-l20"),
    ("tts", "nvidia-rtx4090"),
    ("vision-language", "ascend-310p3-300iduo"),
    ("vision-language", "kunlunxin-p800"),
    ("vision-language-pro", "ascend-310p3-300iduo"),
    ("vision-language-pro", "kunlunxin-p800"),
    ("writing-assistant", "kunlunxin-p800"),
}


def shape(row: seed.Row, precision: str) -> ModelShape:
    weights = seed.weights_gib(row["precisions"], precision)
    assert weights is not None
    geometry = row["architecture"] or {}
    return ModelShape(
        weights=Figure(weights, Label.ESTIMATED),
        kv_bytes_per_token=row["kv_bytes_per_token"],
        kv_tokens=row["kv_tokens_design"],
        heads=geometry.get("heads"),
        kv_heads=geometry.get("kv_heads"),
        extra=Figure(seed.extra_gib(row), Label.ESTIMATED),
    )


def memory(chip: str) -> CardMemory:
    row = seed.chip_memory_rows()[chip]
    return CardMemory(Figure(Decimal(str(row["usable_gib"])), Label.ASSUMED), row["node_size"])


def test_the_catalogue_has_every_row() -> None:
    assert len(seed.appliance_rows()) == 28
    assert len(ROWS) == 250
    assert len(seed.launch_profiles()) == 15


@pytest.mark.parametrize(("row", "chip", "need"), ROWS)
def test_the_arithmetic_agrees_with_the_catalogue(row: seed.Row, chip: str, need: seed.Row) -> None:
    verdict = judge(shape(row, need["precision"]), memory(chip))
    assert verdict.cards == need["min_cards"]
    assert verdict.nodes == need["nodes"]
    by_title = {step.formula: step for step in verdict.steps}
    assert len(by_title) == len(verdict.steps)
    needed, budget = verdict.steps[-2], verdict.steps[-1]
    assert abs(needed.value - Decimal(str(need["need_gib_per_card"]))) <= Decimal("0.02")
    assert abs(budget.value - Decimal(str(need["budget_gib_per_card"]))) <= Decimal("0.01")


@pytest.mark.parametrize(("row", "chip", "need"), ROWS)
def test_a_borderline_row_is_found_to_be_one(row: seed.Row, chip: str, need: seed.Row) -> None:
    verdict = judge(shape(row, need["precision"]), memory(chip))
    assert verdict.generous_cards == need.get("min_cards_at_mem_util_0_95")
    assert (verdict.answer is Answer.BORDERLINE) == bool(need.get("borderline", False))


def test_the_only_disagreement_is_a_word_for_sixteen_bits() -> None:
    named_otherwise = {
        (row["id"], chip)
        for row in seed.appliance_rows()
        for chip, need in row["min_cards"].items()
        if need["precision"] not in row["precisions"]
    }
    assert named_otherwise == OTHER_WORD_FOR_SIXTEEN_BITS


QWEN3_32B = ModelShape(
    weights=Figure(Decimal("61.09"), Label.ESTIMATED),
    kv_bytes_per_token=262_144,
    kv_tokens=65_536,
    heads=64,
    kv_heads=8,
)


def test_the_worked_example_prints_its_steps() -> None:
    verdict = judge(QWEN3_32B, CardMemory(Figure(Decimal("60.32"), Label.MEASURED)))
    assert (verdict.answer, verdict.cards, verdict.nodes) == (Answer.FITS, 2, 1)
    assert [(step.formula, step.value, step.label) for step in verdict.steps] == [
        ("61.09 / 2", Decimal("30.55"), Label.ESTIMATED),
        ("262144 B x 65536 / 2^30 / 2", Decimal("8.00"), Label.ESTIMATED),
        ("30.55 + 8.00", Decimal("38.55"), Label.ESTIMATED),
        ("60.32 x 0.90 - 2", Decimal("52.29"), Label.ASSUMED),
    ]


def test_a_latent_cache_is_kept_whole_on_every_card() -> None:
    model = ModelShape(
        weights=Figure(Decimal("641.3"), Label.ESTIMATED),
        kv_bytes_per_token=70_272,
        kv_tokens=32_768,
        heads=128,
    )
    assert round(model.kv_gib, 2) == Decimal("2.14")
    assert model.need_gib(16) - model.weights.value / 16 == model.kv_gib


def test_cards_that_would_cut_a_head_in_two_are_passed_over() -> None:
    model = ModelShape(weights=Figure(Decimal(90), Label.ESTIMATED), heads=12, kv_heads=4)
    small = CardMemory(Figure(Decimal(16), Label.MEASURED))
    assert model.need_gib(8) <= small.budget_gib()
    assert not model.can_be_split(8)
    assert least_cards(model, small) is None


def test_what_nobody_measured_is_unknown_and_not_a_guess() -> None:
    assert judge(QWEN3_32B, None).answer is Answer.UNKNOWN


def test_sessions_fill_what_the_weights_leave() -> None:
    card = CardMemory(Figure(Decimal("60.32"), Label.MEASURED))
    # (52.288 - 30.545) GiB over half a GiB each.
    assert sessions(QWEN3_32B, card, 2) == 43


def test_speed_equals_the_published_example() -> None:
    work = Work(Decimal("61.09"), 262_144, Decimal("32.8"))
    cards = Cards(2, Decimal(1600), Decimal(313))
    assert round(seconds_per_token(work, cards, 1, 4096) * 1000) == 46
    assert round(tokens_per_second(work, cards, 16, 4096)) == 278


def test_more_sessions_than_the_promised_speed_allows_are_not_counted() -> None:
    work = Work(Decimal("61.09"), 262_144, Decimal("32.8"))
    cards = Cards(2, Decimal(1600), Decimal(313))
    least = Decimal(20)
    found = sessions_within(work, cards, tokens=4096, least_tokens_per_second=least, most=64)
    assert 1 / seconds_per_token(work, cards, found, 4096) >= least
    assert 1 / seconds_per_token(work, cards, found + 1, 4096) < least
