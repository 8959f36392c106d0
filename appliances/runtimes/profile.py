"""Serving engines that the catalogue's launch profiles describe: vLLM, SGLang and their kin."""

import json
import re
import shlex
from collections.abc import Mapping
from string import Template
from typing import Final

from appliances.runtimes import LaunchPlan, LaunchProfile, LaunchRefused, LaunchValues

PROGRAMS: Final = frozenset({"vllm", "python", "python3", "funasr-server"})
PATH: Final = re.compile(r"/[A-Za-z0-9/_.-]*")
ENV_NAME: Final = re.compile(r"[A-Z][A-Z0-9_]*")
DEFAULT_READY_PATH: Final = "/v1/models"

QUANT_ARGS: Final = frozenset({(), ("--quantization", "ascend")})
# The flags the catalogue's extra arguments use, and what may follow each; None for nothing.
WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
NUMBER: Final = re.compile(r"[0-9]{1,7}")
JSON: Final = re.compile(r"\{[A-Za-z0-9_.,:\"\[\] {}-]*\}")
EXTRA_FLAGS: Final[Mapping[str, re.Pattern[str] | None]] = {
    "--data-parallel-size": NUMBER,
    "--enable-auto-tool-choice": None,
    "--enable-dp-attention": None,
    "--enable-expert-parallel": None,
    "--enable-lora": None,
    "--hf_overrides": JSON,
    "--max-loras": NUMBER,
    "--max-num-batched-tokens": NUMBER,
    "--mm-encoder-tp-mode": WORD,
    "--mm-processor-cache-gb": NUMBER,
    "--no-enable-prefix-caching": None,
    "--omni": None,
    "--reasoning-parser": WORD,
    "--runner": WORD,
    "--speculative-config": JSON,
    "--tensor-parallel-size": NUMBER,
    "--tokenizer-mode": WORD,
    "--tool-call-parser": WORD,
    "--trust-remote-code": None,
}

# No allowed value can hold this mark, so it stands for the engine's port and for nothing else.
PORT_MARK: Final = "@PORT@"
# The port is known only where the program starts, in an image that need not hold this product.
START_WITH_PORT: Final = (
    "import os,sys;"
    f"a=[w.replace('{PORT_MARK}',os.environ['PORT']) for w in sys.argv[1:]];"
    "os.execvp(a[0],a)"
)


class ProfileRuntime:
    """Fills a launch profile in."""

    def launch(self, profile: LaunchProfile, values: LaunchValues) -> LaunchPlan:
        """The profile's command with every place filled.

        The command is split into words first and each word is filled in afterwards, so a value
        stays inside its word whatever it holds.
        """
        words = _split(profile)
        whole = {
            "quant_args": _quant_args(values.quant_args),
            "extra": _extra(values.extra),
        }
        single = _single(values)
        argv: list[str] = []
        for word in words:
            name = word.removeprefix("${").removesuffix("}")
            if word == f"${{{name}}}" and name in whole:
                argv += whole[name]
            else:
                argv.append(_fill(word, single))
        if any(PORT_MARK in word for word in argv):
            argv = ["python3", "-c", START_WITH_PORT, *argv]
        return LaunchPlan(
            argv=tuple(argv),
            env=_environment(profile, values, single),
            health_path=_path(profile.health) or "/health",
            ready_path=_path(profile.ready) or DEFAULT_READY_PATH,
            metrics_path=_path(profile.metrics),
        )


def _split(profile: LaunchProfile) -> list[str]:
    """The command's words; a profile that only describes how to start something is refused."""
    try:
        words = shlex.split(profile.command, comments=True)
    except ValueError as error:
        raise LaunchRefused(reason=f"the profile {profile.code} is malformed: {error}") from error
    if not words or words[0] not in PROGRAMS:
        raise LaunchRefused(reason=f"the profile {profile.code} names no program to start")
    return words


def _single(values: LaunchValues) -> dict[str, str]:
    single = {
        "name": values.name,
        "tp": str(values.cards),
        "ctx": str(values.context_tokens),
        "port": PORT_MARK if values.port is None else str(values.port),
    }
    if values.model_path:
        single["model_path"] = values.model_path
    if values.devices is not None:
        single["devices"] = ",".join(map(str, values.devices))
    return single


def _fill(word: str, values: Mapping[str, str]) -> str:
    try:
        return Template(word).substitute(values)
    except KeyError as missing:
        raise LaunchRefused(reason=f"the place {missing} has no value") from missing
    except ValueError as error:
        raise LaunchRefused(reason=f"the word {word!r} is malformed") from error


def _environment(
    profile: LaunchProfile, values: LaunchValues, single: Mapping[str, str]
) -> dict[str, str]:
    filled: dict[str, str] = {}
    for name, value in profile.env.items():
        if not ENV_NAME.fullmatch(name):
            raise LaunchRefused(reason=f"{name!r} is not the name of a variable")
        if value == "${devices}" and values.devices is None:
            continue  # the engine places the work and says which cards are visible
        filled[name] = _fill(value, single)
    if values.port is not None:
        filled["PORT"] = str(values.port)
    return filled


def _quant_args(given: tuple[str, ...]) -> tuple[str, ...]:
    if given not in QUANT_ARGS:
        raise LaunchRefused(reason="quant_args is not an allowed value")
    return given


def _extra(given: tuple[str, ...]) -> tuple[str, ...]:
    """Known flags, each followed by a value of its kind or by none."""
    words = iter(given)
    for flag in words:
        if flag not in EXTRA_FLAGS:
            raise LaunchRefused(reason=f"the argument {flag[:60]!r} is not allowed")
        kind = EXTRA_FLAGS[flag]
        if kind is not None:
            value = next(words, "")
            if not kind.fullmatch(value) or (kind is JSON and not _is_json(value)):
                raise LaunchRefused(reason=f"the value of {flag} is not allowed")
    return given


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _path(text: str) -> str | None:
    """The path a catalogue's note begins with; notes that begin otherwise name none."""
    first = text.split(" ", 1)[0]
    return first if PATH.fullmatch(first) else None
