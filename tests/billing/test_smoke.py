from decimal import Decimal
import pytest
from billing.commands.usage import record_usage
from billing.commands.invoices import issue_invoice
from billing.commands.wallet import top_up
from billing.commands.accrual import accrue
from billing.queries.wallet import standing
from tenants.permissions import SYSTEM
from tenants.scoping import operator_scope, tenant_scope
from tests.factories import billing as make

@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("n",[10,3000,5])
def test_all(n):
    t = make.make_tenant(); make.make_prices()
    with tenant_scope(t.pk):
        ev=[make.tokens(str(i),1000+i) for i in range(n)]+[make.cards("c",7200),make.cards("d",7200,service_class="covered")]
        r=record_usage(actor=SYSTEM,tenant_id=t.pk,events=ev,now=make.NOW)
        assert {x.status for x in r}=={"accepted"}
        r=record_usage(actor=SYSTEM,tenant_id=t.pk,events=ev,now=make.NOW)
        assert {x.status for x in r}=={"duplicate"}
    with tenant_scope(t.pk):
        top_up(actor=SYSTEM,tenant_id=t.pk,amount=Decimal(100),key="k",reference="r",now=make.NOW)
        accrue(tenant_id=t.pk,now=make.NOW)
        print(standing(t.pk))
    with operator_scope():
        inv=issue_invoice(actor=SYSTEM,tenant_id=t.pk,until=make.NOW,now=make.NOW)
        print(inv.number,inv.gross,[ (l.sku,l.quantity,l.net,l.tax) for l in inv.lines.all()])
        print(standing(t.pk))
