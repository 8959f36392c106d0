"""Ten thousand of everything, copied inside PostgreSQL from the one of everything a console has.

The owner copies with walls and triggers down for one transaction: the rows are for lists to be
long, not for the laws to be kept, and each law has tests of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.database import as_owner

# Far above what the sequences give.
FAR = 10_000_000


@dataclass(frozen=True)
class Copies:
    """Copies of the rows of ``table`` that meet ``sample``, told apart by SQL of a number n."""

    table: str
    sample: str
    changes: Mapping[str, str]
    rows: int = 1

    def statement(self, first: int, last: int) -> str:
        changes = ", ".join(f"'{column}', {value}" for column, value in self.changes.items())
        return (
            f"INSERT INTO {self.table} SELECT copied.* FROM (SELECT original AS one"
            f" FROM {self.table} original WHERE {self.sample} LIMIT {self.rows}) sample,"
            f" generate_series({first + 1}, {last}) n,"
            f" LATERAL jsonb_populate_record(sample.one, jsonb_build_object({changes})) copied"
        )


def id_of(word: str) -> str:
    return f"md5('{word}' || n)::uuid"


def hash_of(word: str) -> str:
    return rf"'\x' || md5('{word}' || n) || md5(n || '{word}')"


def of_tenant(tenant_id: object, invoice_id: object) -> tuple[Copies, ...]:
    """What a tenant has many of, other tenants, and the nodes."""
    own = f"tenant_id = '{tenant_id}'"
    # Of the line's own hours: in a month's first days its series was used in the one before, too.
    line = f"FROM billing_invoiceline line WHERE invoice_id = '{invoice_id}' AND position = 1"
    billed = (
        "series_id IN (SELECT series_id FROM billing_chargesegment WHERE charge_id ="
        f" (SELECT charge_id {line}))"
        f" AND at >= (SELECT service_from {line}) AND at < (SELECT service_to {line})"
    )
    paid_in = (
        "transaction_id = (SELECT id FROM billing_ledgertransaction"
        f" WHERE {own} AND idem_key LIKE '%first:%' LIMIT 1)"
    )
    tokens = "jsonb_build_object('model', 'm-' || n, 'deployment', 'd1', 'key', 'k1')"
    month = "timestamptz '2020-01-01 00:00Z' - n * interval '1 hour'"
    return (
        Copies("tenants_organisation", f"id = '{tenant_id}'",
               {"id": id_of("tenant"), "code": "'tenant-' || n"}),
        Copies("tenants_project", own, {"id": id_of("project"), "code": "'project-' || n"}),
        Copies("tenants_user", "operator_role = ''",
               {"id": id_of("user"), "email": "'user-' || n || '@crowd.example'"}),
        Copies("tenants_membership", f"{own} AND role = 'viewer'",
               {"id": id_of("member"), "user_id": id_of("user")}),
        Copies("tenants_invitation", own,
               {"id": id_of("guest"), "email": "'guest-' || n || '@crowd.example'",
                "token_hash": hash_of("guest")}),
        Copies("tenants_apikey", own, {"id": id_of("key"), "key_hash": hash_of("key")}),
        Copies("tenants_operatoraccess", own, {"id": id_of("visit")}),
        Copies("tenants_auditentry", own, {"id": id_of("act")}),
        Copies("compute_node", "true", {"id": f"{FAR} + n", "name": "'node-' || n"}),
        Copies("compute_claim", f"{own} AND kind = 'reservation'",
               {"id": id_of("right"), "subject": "'right:' || n"}),
        Copies("compute_profile", own, {"id": f"{FAR} + n", "backing_id": id_of("right")}),
        Copies("compute_reservation", f"{own} AND state = 'awaiting_approval'",
               {"id": id_of("reservation"), "claim_id": id_of("right"),
                "profile_id": f"{FAR} + n"}),
        Copies("compute_claim", f"{own} AND kind = 'workload'",
               {"id": id_of("taken"), "subject": "'taken:' || n"}),
        Copies("compute_workload", f"{own} AND reservation_id IS NOT NULL",
               {"id": id_of("workload"), "claim_id": id_of("taken"),
                "subject": "'crowd:' || n"}),
        Copies("compute_engineusage", own,
               {"id": id_of("use"), "record_key": "'record-' || n",
                "workload_id": id_of("workload"), "reason": "'nobody asked for it'"}),
        Copies("appliances_deployment", f"{own} AND name = 'chat'",
               {"id": id_of("deployment"), "name": "'model ' || n",
                "served_model_name": "'model-' || n", "workload_id": id_of("workload")}),
        Copies("billing_series", f"{own} AND meter = 'appliances.tokens_out'",
               {"id": f"{FAR} + n", "key": id_of("series"), "dimensions": tokens}),
        Copies("billing_usagebucket", f"{own} AND hour > now() - interval '1 day'",
               {"series_id": f"{FAR} + n"}),
        Copies("billing_usageevent", f"{own} AND {billed}",
               {"key": id_of("event"), "event_id": "'event-' || n"}),
        Copies("billing_invoice", f"id = '{invoice_id}'",
               {"id": id_of("invoice"), "number": "'number-' || n", "sequence": f"{FAR} + n",
                "period_start": month, "period_end": f"{month} + interval '1 hour'"}),
        Copies("billing_invoicedue", f"invoice_id = '{invoice_id}'",
               {"id": id_of("due"), "invoice_id": id_of("invoice")}),
        Copies("billing_invoiceline", f"invoice_id = '{invoice_id}' AND position = 1",
               {"id": id_of("line"), "position": f"{FAR} + n"}),
        Copies("billing_ledgertransaction", f"{own} AND idem_key LIKE '%first:%'",
               {"id": id_of("movement"), "idem_key": "'movement:' || n"}),
        Copies("billing_ledgerentry", paid_in,
               {"id": "md5('leg' || n || (sample.one).line)::uuid",
                "transaction_id": id_of("movement")}, rows=2),
        Copies("tenants_notice", f"{own} AND key = 'crowd'",
               {"id": id_of("notice"), "key": "'crowd:' || n"}),
        Copies("tenants_webhookendpoint", f"{own} AND description = 'crowd'",
               {"id": id_of("endpoint"), "description": "'copied'"}),
        Copies("tenants_webhookdelivery", f"{own} AND message_id = 'crowd'",
               {"id": id_of("delivery"), "message_id": "'crowd-' || n", "notice_id": "null"}),
        Copies("tenants_webhookattempt", own,
               {"id": id_of("attempt"), "delivery_id": id_of("delivery")}),
        Copies("billing_hold", own, {"id": id_of("hold"), "key": "'crowd:' || n"}),
    )  # fmt: skip


def crowd(copies: Sequence[Copies], first: int, last: int) -> None:
    """Bring each of the lists from so many more rows to so many more, and commit."""
    tables = sorted({one.table for one in copies})
    down = [
        f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY; ALTER TABLE {table} DISABLE TRIGGER USER"
        for table in tables
    ]
    up = [f"ALTER TABLE {table} ENABLE TRIGGER USER" for table in tables]
    as_owner(
        "; ".join(
            [
                "CREATE TEMP TABLE walled ON COMMIT DROP AS SELECT oid::regclass AS name"
                " FROM pg_class WHERE relforcerowsecurity",
                *down,
                # References are looked up by plans made while the tables were short.
                "SET LOCAL enable_seqscan = off",
                "SET CONSTRAINTS ALL IMMEDIATE",
                *(one.statement(first, last) for one in copies),
                *up,
                "DO $$ DECLARE t regclass; BEGIN FOR t IN SELECT name FROM walled LOOP"
                " EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', t); END LOOP; END $$",
                *(f"ANALYZE {table}" for table in tables),
            ]
        )
    )
