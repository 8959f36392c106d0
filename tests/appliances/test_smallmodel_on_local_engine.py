"""The small model deployed on the embedded engine: plan, process, endpoint, answer, usage."""

import json
import time
from pathlib import Path

import httpx
import openai
import pytest

from appliances.runtimes import LaunchProfile, LaunchValues
from appliances.runtimes.builtin import BuiltinRuntime
from compute.engines import ProjectSpec, WorkloadKind, WorkloadSpec, WorkloadState
from compute.engines.local import LocalEngine, shutdown


def is_ready(address: str) -> bool:
    try:
        return httpx.get(address, timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.mark.processes
def test_a_deployed_small_model_answers_and_is_accounted(tmp_path: Path) -> None:
    nodes = [{"name": "n1", "gres": "ascend910b", "cards": 8}]
    connection = {"state_dir": str(tmp_path / "engine"), "nodes": json.dumps(nodes)}
    engine = LocalEngine(connection)
    engine.ensure_project(ProjectSpec(key="acp-p1", name="北方大学"))
    plan = BuiltinRuntime().launch(LaunchProfile("builtin-smallmodel", ""), LaunchValues("tiny"))
    spec = WorkloadSpec(
        key="acp-w1",
        project_key="acp-p1",
        kind=WorkloadKind.SERVICE,
        gres="ascend910b",
        cards=2,
        argv=plan.argv,
        env=plan.env,
        health_path=plan.health_path,
    )
    try:
        endpoint = engine.ensure_workload(spec).endpoint
        limit = time.monotonic() + 20
        while not is_ready(endpoint + plan.health_path):
            assert time.monotonic() < limit, engine.observe(["acp-w1"])
            time.sleep(0.05)

        answer = openai.OpenAI(base_url=f"{endpoint}/v1", api_key="x").chat.completions.create(
            model="tiny", messages=[{"role": "user", "content": "你好"}], temperature=0
        )
        assert answer.choices[0].message.content == "我是一个很小的测试模型，请不要依赖我的回答。"
    finally:
        assert shutdown(connection) == ("acp-w1",)
    (seen,) = engine.observe(["acp-w1"])
    (fact,) = engine.usage("").facts
    assert (seen.state, seen.exit_code) == (WorkloadState.ENDED, 0)
    assert (fact.cards, fact.started_at, fact.ended_at) == (2, seen.started_at, seen.ended_at)
