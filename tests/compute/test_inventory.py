"""The chip catalogue, lists of nodes, and what schedulers say of theirs."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from common.errors import NotFound
from compute.chips import read_seed
from compute.commands.chips import EvidenceMissing, load_chips, sign_off_chip
from compute.commands.claims import NotEnoughCapacity
from compute.commands.inventory import BadNodeList, import_nodes, read_rows
from compute.commands.sites import (
    CapacityInUse,
    CodeTaken,
    change_capacity,
    create_centre,
    end_maintenance,
    plan_maintenance,
    register_cluster,
)
from compute.engines import NodeState as Seen
from compute.models import ChipModel, Cluster, Node, Pool
from compute.queries.nodes import node_page
from compute.queries.pools import (
    availability,
    four_numbers,
    heat_map,
    placements,
)
from compute.queries.profiles import steps_of
from compute.tasks import sync_cluster
from tenants.models import AuditEntry
from tenants.permissions import SYSTEM, PermissionRefused
from tenants.scoping import operator_scope
from tests.compute.conftest import Clock
from tests.factories.compute import HOUR, NOW, hours, make_pool, operator, seed
from tests.factories.fake_engine import node, world

pytestmark = pytest.mark.django_db

LIST = """sn,cpu_milli,memory_mib,gpu,model
n-1,64000,262144,8,H20-96
n-2,64000,262144,8,H20-96
n-3,96000,524288,4,Ascend 910B3
"""


@pytest.fixture
def centre(catalogue: None) -> None:
    with operator_scope():
        create_centre(actor=SYSTEM, code="west", name_en="West", name_zh="西部")


def nodes_of(text: str = LIST) -> object:
    lines = text.splitlines()
    names = lines[0].split(",")
    return read_rows(dict(zip(names, line.split(","), strict=True)) for line in lines[1:])


def bring_in(text: str = LIST) -> object:
    with operator_scope():
        return import_nodes(actor=SYSTEM, centre_code="west", rows=nodes_of(text), now=NOW)  # type: ignore[arg-type]


def capacities() -> dict[str, int]:
    with operator_scope():
        pools = list(Pool.objects.all())
        steps = steps_of([pool.profile_id for pool in pools], hours(1, 2))
        return {pool.gres: steps[pool.profile_id][0].capacity for pool in pools}


def test_the_whole_catalogue_is_loaded_and_loading_again_keeps_a_sign_off() -> None:
    assert len(read_seed()) == 45
    with operator_scope():
        load_chips(actor=SYSTEM, facts=seed())
        sign_off_chip(actor=operator(), code="ascend-910b1", evidence="npu-smi of 2026-11", now=NOW)
        load_chips(actor=SYSTEM, facts=seed())
        assert ChipModel.objects.count() == 45
        signed = ChipModel.objects.get(pk="ascend-910b1")
        assert (signed.sellable, signed.signed_off_at) == (True, NOW)
        assert signed.petaflops == Decimal("0.414")
        assert "lic" in signed.facts["cited"]
        assert ChipModel.objects.get(pk="nvidia-l20").petaflops is None


def test_low_confidence_is_not_sold_until_an_operator_signs_with_evidence() -> None:
    with operator_scope():
        load_chips(actor=SYSTEM, facts=seed())
        low = ChipModel.objects.filter(confidence="low")
        assert low.count() == 11
        assert not any(chip.sellable for chip in low)
        with pytest.raises(EvidenceMissing):
            sign_off_chip(actor=operator(), code="hygon-z100", evidence=" ok ", now=NOW)
        with pytest.raises(PermissionRefused):
            sign_off_chip(
                actor=operator("finance"), code="hygon-z100", evidence="contract p. 3", now=NOW
            )
        with pytest.raises(NotFound):
            sign_off_chip(actor=operator(), code="nothing", evidence="contract p. 3", now=NOW)
        assert not ChipModel.objects.get(pk="hygon-z100").sellable
        sign_off_chip(actor=operator(), code="hygon-z100", evidence="contract p. 3", now=NOW)
        assert ChipModel.objects.get(pk="hygon-z100").sellable
        assert AuditEntry.objects.filter(action="compute.chip.signed_off").count() == 1
        with pytest.raises(IntegrityError), transaction.atomic():
            ChipModel.objects.filter(pk="hygon-bw1000").update(signed_off_at=NOW)


def test_a_list_becomes_one_cluster_with_a_pool_for_each_chip_model(centre: None) -> None:
    bring_in()
    with operator_scope():
        assert Node.objects.count() == 3
        pools = {pool.gres: pool.chip_id for pool in Pool.objects.all()}
        assert pools == {"H20-96": "unverified-h20-96", "Ascend 910B3": "ascend-910b3"}
        assert not ChipModel.objects.get(pk="unverified-h20-96").sellable
        assert Node.objects.get(name="n-3").cpus == 96
    assert capacities() == {"H20-96": 16, "Ascend 910B3": 4}


def test_the_same_list_again_changes_nothing_and_a_longer_one_adds(centre: None) -> None:
    bring_in()
    bring_in()
    assert capacities() == {"H20-96": 16, "Ascend 910B3": 4}
    with operator_scope():
        assert Node.objects.count() == 3
    bring_in(LIST + "n-4,96000,524288,4,Ascend 910B3\n")
    assert capacities() == {"H20-96": 16, "Ascend 910B3": 8}


@pytest.mark.parametrize(
    "line",
    ["n-1,1,1,1,H20", ",1,1,1,H20", "n-9,1,1,0,H20", "n-9,1,1,x,H20", "n-9,1,1,1,", "n-9,1,1,-4,A"],
)
def test_a_line_that_cannot_be_read_is_named_and_nothing_is_imported(
    centre: None, line: str
) -> None:
    with pytest.raises(BadNodeList) as refused:
        bring_in(LIST + line + "\n")
    assert refused.value.params["line"] == 5
    with operator_scope():
        assert Node.objects.count() == 0


def test_the_command_reads_a_file_and_refuses_in_one_sentence(centre: None, tmp_path: Path) -> None:
    path = tmp_path / "nodes.csv"
    path.write_text(LIST, encoding="utf-8")
    said = StringIO()
    call_command("import_nodes", centre="west", file=path, stdout=said)
    assert "3 nodes, 20 cards" in said.getvalue()
    with pytest.raises(CommandError, match=r"Not found|未找到"):
        call_command("import_nodes", centre="nowhere", file=path)
    path.write_text("sn,gpu\nn-1,1\n", encoding="utf-8")
    with pytest.raises(CommandError):
        call_command("import_nodes", centre="west", file=path)


def test_importing_a_thousand_nodes_takes_few_statements(centre: None) -> None:
    text = LIST + "".join(f"m-{n},64000,262144,8,H20-96\n" for n in range(1000))
    with CaptureQueriesContext(connection) as queries:
        bring_in(text)
    assert len(queries) < 60


def test_codes_are_unique_and_well_formed(centre: None) -> None:
    with operator_scope():
        with pytest.raises(CodeTaken):
            create_centre(actor=SYSTEM, code="west", name_en="West", name_zh="西部")
        with pytest.raises(NotFound):
            register_cluster(
                actor=SYSTEM, centre_code="no", code="x", name="x", engine="fake", connection={}
            )


def test_capacity_that_is_sold_cannot_be_taken_away(catalogue: None) -> None:
    make_pool(cards=8)
    with operator_scope():
        claim = plan_maintenance(
            actor=operator(), pool_code="h20", cards=6, period=hours(1, 3), reason="firmware"
        )
        with pytest.raises(CapacityInUse):
            change_capacity(actor=operator(), pool_code="h20", cards=5, at=NOW, reason="gone")
        with pytest.raises(NotEnoughCapacity):
            plan_maintenance(
                actor=operator(), pool_code="h20", cards=3, period=hours(2, 4), reason="more"
            )
        end_maintenance(actor=operator(), claim_id=claim.pk, now=NOW)
        change_capacity(actor=operator(), pool_code="h20", cards=5, at=NOW, reason="gone")
    assert capacities() == {"h20": 5}


def test_a_sync_writes_down_nodes_and_what_is_gone_is_unknown(
    catalogue: None, clock: Clock
) -> None:
    pool = make_pool(cards=16)
    here = world("h20")
    here.nodes = [node("n1"), node("n2"), node("stranger", gres="other")]
    sync_cluster(cluster_id=str(pool.cluster_id))
    here.nodes = [replace(node("n1"), cards_allocated=5, state=Seen.DRAINING, reason="fan")]
    clock.now += timedelta(seconds=15)
    sync_cluster(cluster_id=str(pool.cluster_id))
    with operator_scope():
        first, second = Node.objects.order_by("name")
        assert (first.state, first.cards_allocated, first.reason) == ("draining", 5, "fan")
        assert (second.state, second.observed_at) == ("unknown", NOW)
        assert Cluster.objects.get().last_synced_at == clock.now


def test_a_silent_scheduler_leaves_what_was_seen_and_shows_its_age(
    catalogue: None, clock: Clock
) -> None:
    pool = make_pool(cards=16)
    world("h20").nodes = [node("n1")]
    sync_cluster(cluster_id=str(pool.cluster_id))
    world("h20").unavailable = True
    clock.now += timedelta(minutes=3)
    sync_cluster(cluster_id=str(pool.cluster_id))
    with operator_scope():
        cluster = Cluster.objects.get()
        assert (cluster.last_synced_at, cluster.last_failed_at) == (NOW, clock.now)
        assert Node.objects.get().state == "up"
        (row,) = availability(period=hours(0, 1), now=clock.now)
        assert row.stale
        (row,) = availability(period=hours(0, 1), now=NOW)
        assert not row.stale


def test_availability_and_heat_map_show_the_fewest_free_cards(catalogue: None) -> None:
    make_pool(cards=8)
    with operator_scope():
        plan_maintenance(
            actor=operator(), pool_code="h20", cards=6, period=hours(1, 3), reason="firmware"
        )
        (row,) = availability(period=hours(0, 2), now=NOW)
        assert (row.capacity, row.free, row.sold, row.chip) == (8, 2, True, "nvidia-h20")
        (heat,) = heat_map(period=hours(0, 4))
        assert [cell.free for cell in heat.cells] == [8, 2, 2, 8]
        (heat,) = heat_map(period=hours(0, 5), cell=2 * HOUR)
        assert [cell.free for cell in heat.cells] == [2, 2, 8]
        assert heat.cells[-1].period == hours(4, 5)
        with pytest.raises(ValueError, match="Too many"):
            heat_map(period=hours(0, 1000))


def test_the_four_numbers_say_what_is_not_known(catalogue: None, clock: Clock) -> None:
    pool = make_pool(cards=8)
    with operator_scope():
        (numbers,) = four_numbers(now=NOW)
        assert numbers.allocated.cards is None
        assert str(numbers.allocated.reason)
    world("h20").nodes = [replace(node("n1"), cards_allocated=3)]
    sync_cluster(cluster_id=str(pool.cluster_id))
    with operator_scope():
        plan_maintenance(
            actor=operator(), pool_code="h20", cards=2, period=hours(0, 1), reason="firmware"
        )
        (numbers,) = four_numbers(now=NOW)
    assert (numbers.sold.cards, numbers.sold.of) == (0, 6)
    assert (numbers.allocated.cards, numbers.allocated.ratio) == (3, Decimal("0.5"))
    assert (numbers.used.cards, numbers.effective.cards) == (None, None)


def test_free_cards_are_shown_with_what_a_gang_cannot_use(catalogue: None, clock: Clock) -> None:
    pool = make_pool(cards=32)
    world("h20").nodes = [
        replace(node(f"n{index}"), cards_allocated=8 - free)
        for index, free in enumerate((3, 3, 2, 0))
    ] + [replace(node("down"), state=Seen.DOWN)]
    sync_cluster(cluster_id=str(pool.cluster_id))
    with operator_scope():
        (placement,) = placements()
    assert (placement.cards, placement.free, placement.largest_gang) == (40, 8, 3)
    assert placement.stranded == {1: 0, 2: 0, 4: 8, 8: 8}


def test_pages_of_nodes_cost_the_same_at_any_depth(centre: None) -> None:
    text = LIST + "".join(f"m-{n},64000,262144,8,H20-96\n" for n in range(250))
    bring_in(text)
    seen: list[str] = []
    after = None
    with operator_scope():
        for _page in range(3):
            with CaptureQueriesContext(connection) as queries:
                page = node_page(after=after)
            assert len(queries) == 1
            seen += [row.name for row in page.rows]
            after = page.after
        assert after is None
        assert len(seen) == len(set(seen)) == 253
        assert node_page(after="x' OR 1=1").rows == ()
        assert len(node_page(pool_code="west-nodes-ascend-910b3").rows) == 1


def test_what_pools_show_costs_the_same_with_one_pool_and_with_a_dozen(catalogue: None) -> None:
    def statements() -> list[int]:
        counts = []
        with operator_scope():
            for ask in (
                lambda: availability(period=hours(0, 24), now=NOW),
                lambda: heat_map(period=hours(0, 48)),
                lambda: placements(),
                lambda: four_numbers(now=NOW),
            ):
                with CaptureQueriesContext(connection) as queries:
                    ask()
                counts.append(len(queries))
        return counts

    make_pool("h20-0")
    few = statements()
    for number in range(1, 12):
        make_pool(f"h20-{number}")
    assert statements() == few
    assert few[:3] == [2, 2, 2]
