"""The main job: reserve, approve, deploy, call, stop, bill. Every step goes through HTTP."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx

from portal.demonstration.doors import DoorRefused, OperatorConsole, TenantApi, wait_for

QUESTION = "What is on my invoice?"


@dataclass(frozen=True)
class Plan:
    """Whose job it is and on what."""

    tenant_code: str
    project_code: str
    pool_code: str
    appliance_code: str
    cards: int
    deployment_name: str
    hours: int = 1


@dataclass
class Journey:
    """One run of the main job; ``say`` receives each line of progress."""

    plan: Plan
    api: TenantApi
    operator: OperatorConsole
    gateway_address: str
    key: str
    say: Callable[[str], None]
    _done: int = field(default=0, init=False)

    STEPS = 9

    def run(self) -> str:
        """Perform the job; gives the issued invoice's number. Raises: DoorRefused."""
        self._top_up()
        reservation = self._reserve()
        self._approve(reservation["id"])
        deployment = self._deploy(reservation["id"])
        self._call(deployment["model"])
        self._stop(deployment["id"], reservation["id"])
        return self._bill()

    def _step(self, line: str) -> None:
        self._done += 1
        self.say(f"[{self._done}/{self.STEPS}] {line}")

    def _top_up(self) -> None:
        page = f"/ops/tenants/{self.plan.tenant_code}/"
        moment = datetime.now(UTC).isoformat()
        self.operator.submit(
            page,
            f"{page}top-up/",
            amount="5000.00",
            reference=f"bank transfer {moment}",
            idem=f"top-up-{moment}",
        )
        wallet = self.api.get("wallet")
        self._step(
            f"Finance books a transfer of 5000.00: {wallet['available']} {wallet['currency']} "
            "can be spent."
        )

    def _reserve(self) -> Any:
        now = datetime.now(UTC).replace(second=0, microsecond=0)
        end = now + timedelta(hours=self.plan.hours, minutes=1)
        pool = self.api.get("pools")["items"]
        free = next(p["free_cards"] for p in pool if p["code"] == self.plan.pool_code)
        self._step(f"Pool {self.plan.pool_code} has {free} free cards.")
        held = self.api.post(
            "reservations",
            {
                "project": self.plan.project_code,
                "pool": self.plan.pool_code,
                "cards": self.plan.cards,
                "starts_at": (now + timedelta(minutes=0)).isoformat().replace("+00:00", "Z"),
                "ends_at": end.isoformat().replace("+00:00", "Z"),
            },
        )
        self._step(
            f"Reservation of {held['cards']} cards is held until {held['hold_expires_at']} "
            f"at {held['gross']} {held['currency']} with tax."
        )
        return self.api.post(f"reservations/{held['id']}/submit", {})

    def _approve(self, reservation_id: str) -> None:
        self.operator.submit("/ops/approvals/", f"/ops/approvals/{reservation_id}/approve/")
        wait_for(
            "Activation of the reservation",
            lambda: self._state("reservations", reservation_id, "active"),
            60,
        )
        self._step("The operator approves; the engine has set the cards aside.")

    def _deploy(self, reservation_id: str) -> Any:
        deployment = self.api.post(
            "deployments",
            {
                "project": self.plan.project_code,
                "appliance": self.plan.appliance_code,
                "name": self.plan.deployment_name,
                "reservation": reservation_id,
            },
        )
        ready = wait_for(
            "Readiness of the deployment",
            lambda: self._state("deployments", deployment["id"], "ready"),
            90,
        )
        self._step(f"Appliance {self.plan.appliance_code} is ready as model {ready['model']}.")
        return ready

    def _state(self, collection: str, identifier: str, wanted: str) -> Any:
        found = self.api.get(f"{collection}/{identifier}")
        if found["state"] in {"failed", "rejected", "cancelled", "expired", "lost"}:
            raise DoorRefused(f"{collection} {identifier} is {found['state']}: {found['reason']}")
        return found if found["state"] == wanted else None

    def _call(self, model: str) -> None:
        with httpx.Client(
            base_url=f"{self.gateway_address}/v1/",
            headers={"Authorization": f"Bearer {self.key}"},
            timeout=60,
        ) as client:
            body = {"model": model, "messages": [{"role": "user", "content": QUESTION}]}
            answer = wait_for("A route in the gateway", lambda: _chat(client, body), 20)
            streamed = "".join(_stream(client, {**body, "stream": True, "max_tokens": 32}))
        said = answer["choices"][0]["message"]["content"].strip()
        tokens = answer["usage"]
        self._step(f"Gateway answers: {said!r}")
        self.say(
            f"      {tokens['prompt_tokens']} tokens in, {tokens['completion_tokens']} out; "
            f"streamed as well: {streamed.strip()!r}"
        )

    def _stop(self, deployment_id: str, reservation_id: str) -> None:
        self.api.post(f"deployments/{deployment_id}/stop", {})
        wait_for(
            "The deployment's end",
            lambda: self._state("deployments", deployment_id, "stopped"),
            60,
        )
        self.api.post(f"reservations/{reservation_id}/end", {})
        wait_for(
            "The reservation's end",
            lambda: self._state("reservations", reservation_id, "ended"),
            60,
        )
        self._step("The deployment and its reservation have ended; the cards are free again.")

    def _bill(self) -> str:
        usage = wait_for("Metering of cards and tokens", self._metered, 60)
        for row in usage:
            self.say(f"      metered {row['meter']}: {row['quantity']} {row['unit']}")
        self._step("Cards and tokens are metered.")
        page = f"/ops/tenants/{self.plan.tenant_code}/"
        before = {invoice["id"] for invoice in self.api.get("invoices")["items"]}
        moment = datetime.now(UTC).isoformat()
        self.operator.submit(page, f"{page}invoice/", idem=f"invoice-{moment}")
        issued = [i for i in self.api.get("invoices")["items"] if i["id"] not in before]
        if len(issued) != 1:
            raise DoorRefused(f"{len(issued)} invoices were issued where one was asked for.")
        invoice = self.api.get(f"invoices/{issued[0]['id']}")
        self._step(f"Invoice {invoice['number']} is issued:")
        self._print_invoice(invoice)
        return str(invoice["number"])

    def _metered(self) -> Any:
        rows = self.api.get("usage/summary", group_by="meter")["items"]
        meters = {row["meter"] for row in rows if int(row["quantity"]) > 0}
        wanted = {
            "compute.card_seconds",
            "compute.reserved_card_seconds",
            "appliances.tokens_in",
            "appliances.tokens_out",
        }
        return rows if wanted <= meters else None

    def _print_invoice(self, invoice: Any) -> None:
        for line in invoice["lines"]:
            self.say(
                f"      {line['number']:>2}  {line['description'][:56]:<56}"
                f" {line['quantity']:>12} {line['unit']:<14} {line['net']:>10} + {line['tax']}"
            )
        total = sum((Decimal(line["gross"]) for line in invoice["lines"]), Decimal(0))
        if total != Decimal(invoice["gross"]):
            raise DoorRefused("The invoice's lines do not add up to its total.")
        self.say(
            f"      net {invoice['net']}, VAT {invoice['tax']}, total {invoice['gross']} "
            f"{invoice['currency']}"
        )


def _chat(client: httpx.Client, body: Mapping[str, object]) -> Any:
    """The answer, or None while the gateway has not yet heard of the model."""
    answer = client.post("chat/completions", json=body)
    if answer.status_code == 404:
        return None
    if answer.status_code != 200:
        raise DoorRefused(f"The gateway answered HTTP {answer.status_code}: {answer.text[:300]}")
    return answer.json()


def _stream(client: httpx.Client, body: Mapping[str, object]) -> list[str]:
    pieces = []
    with client.stream("POST", "chat/completions", json=body) as answer:
        for line in answer.iter_lines():
            if line.startswith("data: ") and line != "data: [DONE]":
                for choice in json.loads(line[6:]).get("choices", []):
                    pieces.append(choice.get("delta", {}).get("content") or "")
    return pieces
