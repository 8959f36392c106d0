"""Launch plans: argument lists into which no value can smuggle anything."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace

import pytest

from appliances.catalogue_seed import launch_profiles
from appliances.runtimes import LaunchPlan, LaunchProfile, LaunchRefused, LaunchValues, Runtime
from appliances.runtimes.builtin import BuiltinRuntime
from appliances.runtimes.profile import ProfileRuntime

VLLM = LaunchProfile(
    code="nvidia-vllm",
    command=(
        "vllm serve ${model_path} --served-model-name ${name} --tensor-parallel-size ${tp}"
        " --max-model-len ${ctx} --port ${port}"
        """ --compilation-config '{"cudagraph_mode":"FULL_DECODE_ONLY"}' ${quant_args} ${extra}"""
    ),
    env={"CUDA_VISIBLE_DEVICES": "${devices}", "TASK_QUEUE_ENABLE": "1"},
    health="/health",
    ready="1-token completion",
    metrics="/metrics",
)
VALUES = LaunchValues(
    name="qwen3-8b",
    model_path="/models/Qwen/Qwen3-8B",
    cards=2,
    context_tokens=32768,
    devices=(0, 3),
    port=8123,
)
HOSTILE = (
    "",
    "a b",
    "a;reboot",
    "$(reboot)",
    "`reboot`",
    "${port}",
    "--host=0.0.0.0",
    "-x",
    "a\n--host",
    "a\0b",
    "'a'",
    '"a',
    "a\\",
    "@PORT@",
    "模型",
    "a" * 200,
    "a\n",
)


def of_catalogue(code: str, row: Mapping[str, object]) -> LaunchProfile:
    env = row["env"]
    assert isinstance(env, dict)
    return LaunchProfile(
        code=code,
        command=str(row["command"]),
        env=env,
        health=str(row["health"]),
        ready=str(row["ready"]),
        metrics=str(row["metrics"] or ""),
    )


def test_a_profile_is_filled_in_word_by_word() -> None:
    runtime: Runtime = ProfileRuntime()

    assert runtime.launch(VLLM, VALUES) == LaunchPlan(
        argv=(
            *("vllm", "serve", "/models/Qwen/Qwen3-8B", "--served-model-name", "qwen3-8b"),
            *("--tensor-parallel-size", "2", "--max-model-len", "32768", "--port", "8123"),
            *("--compilation-config", '{"cudagraph_mode":"FULL_DECODE_ONLY"}'),
        ),
        env={"CUDA_VISIBLE_DEVICES": "0,3", "TASK_QUEUE_ENABLE": "1", "PORT": "8123"},
        health_path="/health",
        ready_path="/v1/models",
        metrics_path="/metrics",
    )


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_name_is_refused(value: str) -> None:
    with pytest.raises(LaunchRefused, match="name"):
        replace(VALUES, name=value)


@pytest.mark.parametrize("value", [*HOSTILE[1:-2], "../etc", "/models/../etc", "/", "a//b", "/a\n"])
def test_a_hostile_model_path_is_refused(value: str) -> None:
    with pytest.raises(LaunchRefused, match="model_path"):
        replace(VALUES, model_path=value)


@pytest.mark.parametrize(
    "change",
    [
        {"cards": 0},
        {"cards": -1},
        {"cards": 10**9},
        {"context_tokens": 0},
        {"context_tokens": 2**40},
        {"devices": (-1,)},
        {"port": 0},
        {"port": 65_536},
    ],
)
def test_absurd_numbers_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(LaunchRefused):
        replace(VALUES, **change)


@pytest.mark.parametrize(
    "extra",
    [
        ("--host", "0.0.0.0"),
        ("--port", "1"),
        ("--api-key", "x"),
        ("--served-model-name=other",),
        ("--reasoning-parser",),
        ("--reasoning-parser", "--host"),
        ("--reasoning-parser", "a b"),
        ("--reasoning-parser", "x", "stray"),
        ("--max-loras", "many"),
        ("--speculative-config", "{not json}"),
        ("--speculative-config", '{"a":"$(id)"}'),
        ("--trust-remote-code\n--host",),
        ("${port}",),
        ("",),
    ],
)
def test_extra_arguments_outside_the_allow_list_are_refused(extra: tuple[str, ...]) -> None:
    with pytest.raises(LaunchRefused):
        ProfileRuntime().launch(VLLM, replace(VALUES, extra=extra))


def test_allowed_extra_arguments_come_last_and_whole() -> None:
    extra = ("--speculative-config", '{"num_speculative_tokens":3,"method":"mtp"}')
    quantised = replace(VALUES, quant_args=("--quantization", "ascend"), extra=extra)

    plan = ProfileRuntime().launch(VLLM, quantised)

    assert plan.argv[-4:] == ("--quantization", "ascend", *extra)


def test_other_quantisation_arguments_are_refused() -> None:
    with pytest.raises(LaunchRefused):
        ProfileRuntime().launch(VLLM, replace(VALUES, quant_args=("--quantization", "x; id")))


@pytest.mark.parametrize(
    "command",
    [
        "vllm serve ${secret}",
        "vllm serve $",
        "vllm serve 'open",
        "vllm serve ${name",
        "vllm --args=${extra}",
        "sh -c reboot",
        "/bin/sh",
        "",
        "# nothing",
        "GPUStack backend VoxBox",
    ],
)
def test_a_command_with_unknown_places_or_programs_is_refused(command: str) -> None:
    with pytest.raises(LaunchRefused):
        ProfileRuntime().launch(replace(VLLM, command=command), VALUES)


def test_a_variable_with_an_odd_name_is_refused() -> None:
    with pytest.raises(LaunchRefused):
        ProfileRuntime().launch(replace(VLLM, env={"A=B": "1"}), VALUES)


def test_a_missing_model_path_is_refused() -> None:
    with pytest.raises(LaunchRefused, match="model_path"):
        ProfileRuntime().launch(VLLM, replace(VALUES, model_path=""))


def test_without_devices_the_engine_says_which_cards_are_visible() -> None:
    plan = ProfileRuntime().launch(VLLM, replace(VALUES, devices=None))

    assert plan.env == {"TASK_QUEUE_ENABLE": "1", "PORT": "8123"}


def test_without_a_port_the_engine_s_port_is_filled_in_at_the_start() -> None:
    command = "python3 -c 'import sys; print(sys.argv[1:])' --port=${port} --name ${name}"
    plan = ProfileRuntime().launch(replace(VLLM, command=command), replace(VALUES, port=None))

    said = subprocess.run(
        plan.argv, env=os.environ | {"PORT": "4321"}, capture_output=True, text=True, check=True
    )

    assert "PORT" not in plan.env
    assert said.stdout == "['--port=4321', '--name', 'qwen3-8b']\n"


@pytest.mark.parametrize("code", sorted(launch_profiles()))
def test_every_profile_of_the_catalogue_is_launched_or_refused(code: str) -> None:
    profile = of_catalogue(code, launch_profiles()[code])
    described_only = {"ascend-mindie", "voxbox"}

    if code in described_only:
        with pytest.raises(LaunchRefused, match="names no program"):
            ProfileRuntime().launch(profile, VALUES)
        return
    plan = ProfileRuntime().launch(profile, VALUES)

    assert not any("$" in word for word in plan.argv)
    assert "8123" in plan.argv
    assert plan.health_path.startswith("/")
    assert plan.ready_path == "/v1/models"


def test_statistics_that_are_off_give_no_metrics_path() -> None:
    profile = of_catalogue("enflame-vllm", launch_profiles()["enflame-vllm"])

    assert ProfileRuntime().launch(profile, VALUES).metrics_path is None


def test_the_small_model_is_started_by_the_portal_s_own_interpreter() -> None:
    runtime: Runtime = BuiltinRuntime()

    plan = runtime.launch(LaunchProfile("builtin-smallmodel", ""), LaunchValues(name="tiny"))

    assert plan.argv == (
        *(sys.executable, "-m", "appliances.runtimes.smallmodel.server", "--name", "tiny"),
    )
    assert set(plan.env) == {"PYTHONPATH"}
    assert plan.health_path == "/health"
